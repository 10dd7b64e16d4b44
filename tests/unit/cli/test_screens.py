"""What a finished run shows last, and what is left out where the terminal is narrow."""

import re
import shlex

import pytest
from metrics_files import FAILED, MEMBER, SCORES, metrics_of, shown

from digits_ray.cli.terminal import files_written, last_screen

MANY = metrics_of([MEMBER | {"id": number, "fit_seconds": 1234.0} for number in range(10)])


def test_the_last_screen_names_accuracy_with_interval() -> None:
    text = shown(last_screen(metrics_of([MEMBER])))
    for part in ("member 0", "98.61 %", "95.00–99.60 %", "0.0500", "ensemble of 1"):
        assert part in text


def test_below_it_stand_the_files_and_what_to_do_next() -> None:
    text = files_written(metrics_of([MEMBER]), "runs/x").plain
    assert "runs/x/submission.csv" in text
    assert "digits-ray predict runs/x --input" in text


def test_the_next_command_can_be_pasted_whatever_the_directory_is_called() -> None:
    (line,) = [line for line in files_written(MANY, "my runs/it's $1").plain.splitlines() if "digits-ray" in line]
    words = shlex.split(line.removeprefix("next").strip())
    assert words[:3] == ["digits-ray", "predict", "my runs/it's $1"]


def test_the_last_screen_warns_of_failed_members_loudly() -> None:
    text = shown(last_screen(metrics_of([MEMBER, FAILED])))
    assert "WARNING 1 of 2 members failed: 1" in text
    assert "member 1 " not in text


def test_the_last_screen_says_which_networks_the_accuracies_are_of_and_which_the_labels() -> None:
    assert "first networks" not in shown(last_screen(metrics_of([MEMBER])))
    refitted = [MEMBER | {"refit": {"status": "done"}}, MEMBER | {"id": 1, "refit": {"status": "failed", "error": ""}}]
    text = " ".join(shown(last_screen(metrics_of(refitted, refitted=[0]))).split())
    assert "All held-out accuracies are those of the first networks" in text
    assert "come from the network that was trained once more on all labelled rows, and from 1 of the first" in text
    assert "WARNING 1 of 2 members could not be trained once more: 1. Their first networks vote." in text


def test_the_last_screen_tells_the_accuracy_of_labelled_test_rows_and_that_they_chose_nothing() -> None:
    better = SCORES | {"accuracy": 0.99}
    members = [MEMBER | {"test": SCORES, "refit": {"status": "done", "test": better}}]
    metrics = metrics_of(members, refitted=[0]) | {"test": better | {"rows_not_scored": 3}}
    text = " ".join(shown(last_screen(metrics)).split())
    assert "Test: 99.00 % of 144 labelled test rows (95 % interval 95.00 to 99.60 %)" in text
    assert "its networks 99.00 % on average, the first networks 98.61 %. Scored once, at the end" in text
    assert "3 more have no label, or that of no training row." in text
    assert "Test:" not in shown(last_screen(metrics_of([MEMBER])))


def test_a_run_without_holdout_or_members_still_names_its_files() -> None:
    unscored = metrics_of([MEMBER | {"holdout": None}], holdout=None)
    assert shown(last_screen(unscored)).strip() == ""
    assert "runs/x/metrics.json" in files_written(unscored, "runs/x").plain
    alone = metrics_of([], holdout=None) | {"baselines": {"knn": {"holdout": SCORES, "fit_seconds": 1.0}}}
    assert "knn" in shown(last_screen(alone))
    assert "submission.csv" not in files_written(alone, "runs/x").plain


@pytest.mark.parametrize("width", [40, 50, 60, 80])
def test_no_number_of_the_last_screen_is_cut_however_narrow_the_terminal(width: int) -> None:
    text = shown(last_screen(MANY), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("95.00–99.60 %") == 11
    assert set(re.findall(r"1,2\S*", text)) <= {"1,234"}
    assert ("seconds" in text) == (width >= 50)
