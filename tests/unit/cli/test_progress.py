"""What people read while a run goes on: lines in a log, a live table at a terminal."""

from io import StringIO

import pytest
from metrics_files import MEMBER, SCORES, metrics_of, shown
from rich.console import Console

from digits_ray.baselines.baseline_result import ValidationScores
from digits_ray.cli.terminal import LiveProgress, LogProgress, QuietProgress, log_progress
from digits_ray.cli.terminal.progress_lines import members_line, search_line
from digits_ray.config.schema import SplitConfig
from digits_ray.ensemble import Scores
from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.runs import BaselineRecord, MemberRecord
from digits_ray.scheduling.resources import Plan

NOTE = "epoch 3 was not saved: the disk is full."
RECORD = MemberRecord(12, 1, 12.0, 1000.0, "float32", "cpu", 0, (NOTE,), Scores(**SCORES))  # type: ignore[arg-type]


def training(member_id: int, epoch: float = 1.5) -> MemberStatus:
    return MemberStatus(member_id, "training", progress=Progress(member_id, epoch, 12, 0.4, 1000.0, 95.0))


def test_a_progress_line_counts_states_and_names_at_most_four_members() -> None:
    line = members_line([training(number) for number in range(6)] + [MemberStatus(6, "waiting")])
    assert line.startswith("6 training · 1 waiting · 0: epoch 1.5/12, loss 0.400, 1.6 min left")
    assert line.endswith("and 2 more")
    assert members_line([training(0, epoch=12)]) == "1 training · 0: epoch 12.0/12, loss 0.400, predicting"


def test_a_search_line_names_trials_and_the_best_so_far() -> None:
    line = search_line(SearchStatus("knn", 8, 3, 2, 1, 0.97, "n_neighbors=3"))
    assert line == "knn: 3 of 8 trials, 1 failed · best 97.00 %: n_neighbors=3"


def test_every_half_minute_a_log_names_the_searches_that_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_progress, "LOG_SECONDS", 0)
    console = Console(file=StringIO(), width=120)
    knn, forest = SearchStatus("knn", 8, 8, 0, 0, 0.97, "k"), SearchStatus("forest", 4, 1, 2, 0, None, "")
    LogProgress(console, SplitConfig()).on_search_progress([knn, forest])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "forest: 1 of 4 trials" in text
    assert "knn" not in text


def test_pictures_that_are_read_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_progress, "LOG_SECONDS", 0)
    console = Console(file=StringIO(), width=100)
    LogProgress(console, SplitConfig()).on_data_progress(12_000, 60_000)
    assert "reading pictures: 12,000 of 60,000" in console.file.getvalue()


def test_the_live_bar_of_pictures_is_gone_when_all_are_read() -> None:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    progress = LiveProgress(console, SplitConfig())
    progress.on_data_progress(12_000, 60_000)
    assert "12,000 of 60,000" in console.file.getvalue()
    progress.on_data_progress(60_000, 60_000)
    assert not progress._live.is_started


def test_a_log_names_the_plan_and_where_the_results_go() -> None:
    console = Console(file=StringIO(), width=120)
    plan = Plan(slots=4, cpus_per_member=1, gpus_per_member=0, threads=1, reason="4 at a time")
    LogProgress(console, SplitConfig()).on_plan(plan, 10, 6, "runs/first")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Training 6 of 10 members (4 are finished already): 4 at a time." in text
    assert "Results go to runs/first" in text


@pytest.mark.parametrize("members", [1, 10, 60])
def test_the_live_table_fits_the_terminal(members: int) -> None:
    console = Console(file=StringIO(), width=80, height=24, force_terminal=True)
    progress = LiveProgress(console, SplitConfig())
    statuses = [training(number) for number in range(2)] + [MemberStatus(n, "waiting") for n in range(2, members)]
    lines = shown(progress.members_screen(statuses), width=80).splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80


def test_the_live_table_ends_with_the_ensemble_of_all_members() -> None:
    progress = LiveProgress(Console(file=StringIO(), width=80), SplitConfig())
    progress.on_member_end(0, RECORD, metrics_of([MEMBER]))
    progress.on_training_end(metrics_of([MEMBER, MEMBER]))
    screen = shown(progress.members_screen([MemberStatus(0, "done"), training(1)]), width=80)
    assert "ensemble of 2: " in screen
    assert "98.61 %" in next(line for line in screen.splitlines() if line.startswith("0 "))


def test_a_log_tells_accuracy_time_and_notes_of_a_member_that_has_ended() -> None:
    console = Console(file=StringIO(), width=160)
    LogProgress(console, SplitConfig()).on_member_end(0, RECORD, metrics_of([MEMBER]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "member 0 done · 98.61 % · 12 s, 1,000 images/s · ensemble of 1: 98.61 % (95.00–99.60 %, n = 144)" in text
    assert "WARNING member 0: epoch 3 was not saved: the disk is full." in text


def test_a_log_tells_a_baseline_s_held_out_accuracy_apart_from_that_it_was_chosen_at() -> None:
    console = Console(file=StringIO(), width=160)
    record = BaselineRecord({"pca": 50}, ValidationScores(130, 0.99, 0.1), Scores(**SCORES), {"done": 1}, 9.0, 2.0)
    LogProgress(console, SplitConfig()).on_baseline_end("knn", record)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "knn done · 98.61 % (95.00–99.60 %, n = 144) · chosen at 99.00 % of 130 validation rows · pca=50" in text


@pytest.mark.parametrize("kind", [LogProgress, QuietProgress, LiveProgress])
def test_a_failed_member_is_named_with_its_reason(kind: type[LogProgress]) -> None:
    console = Console(file=StringIO(), width=120)
    kind(console, SplitConfig()).on_member_failure(MemberFailure(3, "FloatingPointError", "the loss is nan", 3))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "WARNING member 3 was given up after 3 attempts. FloatingPointError: the loss is nan" in text
