"""What people read while a run goes on and at its end."""

from io import StringIO

import pytest
from metrics_files import FAILED, MEMBER, SCORES, metrics_of, shown
from rich.console import Console

from digits_ray.cli.terminal import LiveView, LogView, QuietView, last_screen, progress_line, search_line
from digits_ray.config.schema import SplitConfig
from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.progress import MemberStatus, Progress, SearchStatus


def training(member_id: int, epoch: float = 1.5) -> MemberStatus:
    return MemberStatus(member_id, "training", progress=Progress(member_id, epoch, 12, 0.4, 1000.0, 95.0))


def test_a_progress_line_counts_states_and_names_at_most_four_members() -> None:
    line = progress_line([training(number) for number in range(6)] + [MemberStatus(6, "waiting")])
    assert line.startswith("6 training · 1 waiting · 0: epoch 1.5/12, loss 0.400, 1.6 min left")
    assert line.endswith("and 2 more")
    assert progress_line([training(0, epoch=12)]) == "1 training · 0: epoch 12.0/12, loss 0.400, predicting"


def test_a_search_line_tells_trials_and_the_best_so_far() -> None:
    line = search_line(SearchStatus("knn", 8, 3, 2, 1, 0.97, "n_neighbors=3"))
    assert line == "knn: 3 of 8 trials, 1 failed · best 97.00 %: n_neighbors=3"


def test_the_last_screen_tells_accuracy_with_interval_files_and_what_to_do_next() -> None:
    text = shown(last_screen(metrics_of([MEMBER]), "runs/x"))
    for told in (
        "member 0",
        "98.61 %",
        "95.00–99.60 %",
        "ensemble of 1",
        "runs/x/submission.csv",
        "digits-ray predict",
    ):
        assert told in text


def test_a_log_tells_every_half_minute_of_the_searches_that_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.cli.terminal.LOG_SECONDS", 0)
    console = Console(file=StringIO(), width=120)
    knn, forest = SearchStatus("knn", 8, 8, 0, 0, 0.97, "k"), SearchStatus("forest", 4, 1, 2, 0, None, "")
    LogView(console, SplitConfig()).on_search_progress([knn, forest])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "forest: 1 of 4 trials" in text
    assert "knn" not in text


def test_the_last_screen_warns_of_failed_members_loudly() -> None:
    text = shown(last_screen(metrics_of([MEMBER, FAILED]), "runs/x"))
    assert "WARNING 1 of 2 members failed: 1" in text
    assert "member 1 " not in text


def test_the_last_screen_of_a_run_without_holdout_or_members_still_names_the_files() -> None:
    assert "runs/x/metrics.json" in shown(last_screen(metrics_of([MEMBER | {"holdout": None}], holdout=None), "runs/x"))
    alone = metrics_of([], holdout=None) | {"baselines": {"knn": {"holdout": SCORES, "fit_seconds": 1.0}}}
    text = shown(last_screen(alone, "runs/x"))
    assert "knn" in text
    assert "submission.csv" not in text


@pytest.mark.parametrize("members", [1, 10, 60])
def test_the_live_table_fits_the_terminal(members: int) -> None:
    console = Console(file=StringIO(), width=80, height=24, force_terminal=True)
    view = LiveView(console, SplitConfig())
    statuses = [training(number) for number in range(2)] + [MemberStatus(n, "waiting") for n in range(2, members)]
    lines = shown(view._picture(statuses), width=80).splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80


def test_the_live_view_ends_with_the_ensemble_of_all_members() -> None:
    view = LiveView(Console(file=StringIO(), width=80), SplitConfig())
    view.on_member_end(0, MEMBER | {"notes": []}, metrics_of([MEMBER]))
    view.on_training_end(metrics_of([MEMBER, MEMBER]))
    assert "ensemble of 2: " in shown(view._picture([training(0)]), width=80)


@pytest.mark.parametrize("kind", [LogView, QuietView, LiveView])
def test_a_failed_member_is_told_with_its_reason(kind: type[LogView]) -> None:
    console = Console(file=StringIO(), width=120)
    kind(console, SplitConfig()).on_member_failure(MemberFailure(3, "FloatingPointError", "the loss is nan", 3))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "WARNING member 3 was given up after 3 attempts. FloatingPointError: the loss is nan" in text
