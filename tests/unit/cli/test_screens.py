"""What a finished run shows last, and what is left out where the terminal is narrow."""

import re
import shlex

import pytest
from metrics_files import FAILED, MEMBER, SCORES, metrics_of, shown

from digits_ray.cli.terminal import comparison_screen, files_written, last_screen
from digits_ray.report import ensemble_line
from digits_ray.runs import ComparedRun, Comparison

MANY = metrics_of([MEMBER | {"id": number, "fit_seconds": 1234.0} for number in range(10)])


def test_the_last_screen_names_accuracy_with_interval() -> None:
    text = shown(last_screen(metrics_of([MEMBER, MEMBER])))
    for part in ("member 0", "98.61 %", "95.00–99.60 %", "0.0500", "ensemble of 2"):
        assert part in text


def test_the_last_screen_says_what_one_network_gives_and_that_the_best_was_picked_on_these_rows() -> None:
    against = {"member": "member-001", "rows": 144, "only_ensemble_right": 2, "only_member_right": 1, "p_value": 1.0}
    better = MEMBER | {"id": 1, "holdout": SCORES | {"accuracy": 0.99}}
    text = " ".join(shown(last_screen(metrics_of([MEMBER, better], against_best_member=against))).split())
    assert "One network alone: 98.81 % ± 0.28 points (mean and standard deviation of 2 members)." in text
    assert "McNemar's p = 1; best of 2 members on these same rows, so its accuracy is flattered." in text
    assert "One network alone" not in shown(last_screen(metrics_of([MEMBER])))


def test_the_last_screen_of_a_single_network_has_no_ensemble() -> None:
    text = shown(last_screen(metrics_of([MEMBER])))
    assert text.count("98.61 %") == 1
    assert "ensemble" not in text
    assert ensemble_line(metrics_of([MEMBER])).startswith("network: 98.61 %")


def test_below_it_stand_the_files_and_what_to_do_next() -> None:
    text = files_written(metrics_of([MEMBER]), "runs/x").plain
    assert "runs/x/submission.csv" in text
    assert "digits-ray predict runs/x --input IMAGES --output LABELS.csv" in text


def test_the_next_command_can_be_pasted_whatever_the_directory_is_called() -> None:
    (line,) = [line for line in files_written(MANY, "my runs/it's $1").plain.splitlines() if "digits-ray" in line]
    words = shlex.split(line.removeprefix("next").strip())
    assert words[:3] == ["digits-ray", "predict", "my runs/it's $1"]


def test_the_seconds_of_the_ensemble_are_those_of_its_members_and_the_run_s_have_a_line_of_their_own() -> None:
    text = shown(last_screen(metrics_of([MEMBER, MEMBER | {"id": 1, "fit_seconds": 9.0}, FAILED | {"id": 2}])))
    (ensemble,) = [line for line in text.splitlines() if line.startswith("ensemble of")]
    assert ensemble.split()[-1] == "21"
    assert "The run took 30 s, without its report." in text


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


def test_the_last_screen_names_the_networks_of_a_row_where_these_are_not_the_ensemble() -> None:
    metrics = metrics_of(members=[MEMBER, MEMBER])
    metrics["ensemble"] |= {"networks_per_row": {"fewest": 2, "most": 2, "text": "2 networks a row, not the ensemble"}}
    text = shown(last_screen(metrics), width=120)
    assert "2 networks a row, not the ensemble" in text
    assert "ensemble of" not in text
    assert ensemble_line(metrics).startswith("2 networks a row, not the ensemble: ")


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
    assert shown(last_screen(unscored)).strip() == "The run took 30 s, without its report."
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


def test_the_last_screen_tells_loudly_that_held_out_images_were_trained_on() -> None:
    unseen = {"rows": 140, "accuracy": 0.9786, "accuracy_ci95": [0.94, 0.99]}
    text = shown(last_screen(metrics_of([MEMBER], holdout=SCORES | {"without_training_images": unseen})))
    assert "WARNING 4 of the 144 held-out images are training images too" in text
    assert "accuracy is 97.86 % (94.00–99.00 %, n = 140)" in " ".join(text.split())


def test_balanced_accuracy_has_a_column_where_there_is_room() -> None:
    scores = SCORES | {"balanced_accuracy": 0.9123}
    metrics = metrics_of([MEMBER | {"holdout": scores}] * 2, holdout=scores)
    assert shown(last_screen(metrics)).count("91.23 %") == 3
    assert "91.23 %" not in shown(last_screen(metrics), width=50)


def test_a_comparison_shows_both_runs_and_what_follows() -> None:
    a = ComparedRun("runs/[a]", 20, 4200, 900, 0.9, (0.88, 0.92))
    b = ComparedRun("s3://bucket/b", 1, 1000, 880, 0.88, (0.86, 0.9))
    comparison = Comparison(
        a=a, b=b, rows=1000, difference=0.02, difference_ci95=(0.001, 0.041), only_a_right=50, only_b_right=30,
        p_value=0.033,
    )  # fmt: skip
    text = shown(comparison_screen(comparison), 120)
    for part in (
        "1,000 in common, of 4,200 and 1,000 that each scored",
        "runs/[a]       90.00 % (88.00–92.00 %), 20 members",
        "s3://bucket/b  88.00 % (86.00–90.00 %), 1 member",
        "+2.00 points (95 %: +0.10 to +4.10)",
        "runs/[a] on 50 rows, s3://bucket/b on 30",
        "runs/[a] is more accurate than s3://bucket/b",
    ):
        assert part in text
