"""What people read while a run goes on: lines in a log, a live table at a terminal."""

import errno
import sys
from io import StringIO

import numpy as np
import pytest
from metrics_files import MEMBER, SCORES, metrics_of, shown
from rich.console import Console

from digits_ray.baselines.baseline_result import ValidationScores
from digits_ray.cli.terminal import LiveProgress, LogProgress, ProgressCallback, QuietProgress, log_progress
from digits_ray.cli.terminal.progress_lines import members_line, search_line
from digits_ray.cli.terminal.time_estimate import enumeration
from digits_ray.config import load_config
from digits_ray.config.schema import BaselinesConfig, Config, DataConfig, MembersConfig
from digits_ray.data import check_data, load_arrays
from digits_ray.ensemble import Scores
from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep
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
    LogProgress(console, Config()).on_search_progress([knn, forest])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "forest: 1 of 4 trials" in text
    assert "knn" not in text


def test_pictures_that_are_read_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_progress, "LOG_SECONDS", 0)
    console = Console(file=StringIO(), width=100)
    LogProgress(console, Config()).on_data_progress(12_000, 60_000)
    assert "reading pictures: 12,000 of 60,000" in console.file.getvalue()


def test_the_live_bar_of_pictures_is_gone_when_all_are_read() -> None:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    progress = LiveProgress(console, Config())
    progress.on_data_progress(12_000, 60_000)
    assert "12,000 of 60,000" in console.file.getvalue()
    progress.on_data_progress(60_000, 60_000)
    assert not progress._live.is_started


def test_a_log_names_the_plan_and_where_the_results_go() -> None:
    console = Console(file=StringIO(), width=120)
    plan = Plan(slots=4, cpus_per_member=1, gpus_per_member=0, threads=1, reason="4 at a time")
    LogProgress(console, Config()).on_plan(plan, 10, 6, "runs/first")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Training 6 of 10 members (4 are finished already): 4 at a time." in text
    assert "Results go to runs/first" in text


@pytest.mark.parametrize("progress", [LogProgress, LiveProgress, QuietProgress])
def test_a_warning_of_the_plan_is_shown_however_little_is(progress: type[LogProgress]) -> None:
    console = Console(file=StringIO(), width=120)
    plan = Plan(slots=1, cpus_per_member=1, gpus_per_member=1, threads=1, reason="", warnings=("GPU 0 is in use",))
    progress(console, Config()).on_plan(plan, 1, 1, "runs/first")
    assert "WARNING GPU 0 is in use" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("members", [1, 10, 60])
def test_the_live_table_fits_the_terminal_and_cuts_no_number(members: int, width: int) -> None:
    progress = LiveProgress(Console(file=StringIO(), width=width, height=24, force_terminal=True), Config())
    progress.on_member_end(0, RECORD, metrics_of([MEMBER]))
    retried = MemberStatus(2, "waiting", attempt=2, last_failure="OutOfMemory: " + 80 * "x")
    statuses = [MemberStatus(0, "done"), training(1), retried, training(3, epoch=11.5)][:members]
    statuses += [MemberStatus(number, "waiting") for number in range(4, members)]
    progress.estimate.record_members([training(1)])
    screen = shown(progress.members_screen(statuses), width)
    lines = screen.splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= width
    assert "…" not in screen
    assert "98.61 %" in next(line for line in lines if line.startswith("0 "))
    if members > 1:
        cells = next(line for line in lines if line.startswith("1 ")).split()
        assert {"1", "1.5/12", "1.6", "min"} | ({"0.400", "1,000"} if width == 80 else set()) <= set(cells)


def test_the_live_table_ends_with_the_ensemble_of_all_members() -> None:
    progress = LiveProgress(Console(file=StringIO(), width=80), Config())
    progress.on_member_end(0, RECORD, metrics_of([MEMBER]))
    progress.on_training_end(metrics_of([MEMBER, MEMBER]))
    screen = shown(progress.members_screen([MemberStatus(0, "done"), training(1)]), width=80)
    assert "ensemble of 2: " in screen
    assert "98.61 %" in next(line for line in screen.splitlines() if line.startswith("0 "))


def test_a_log_tells_accuracy_time_and_notes_of_a_member_that_has_ended() -> None:
    console = Console(file=StringIO(), width=160)
    LogProgress(console, Config()).on_member_end(0, RECORD, metrics_of([MEMBER]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "member 0 done · 98.61 % · 12 s, 1,000 images/s · network: 98.61 % (95.00–99.60 %, n = 144)" in text
    assert "WARNING member 0: epoch 3 was not saved: the disk is full." in text


def test_the_line_of_a_member_names_no_ensemble_that_lacks_it() -> None:
    console = Console(file=StringIO(), width=160)
    waiting = {"id": 1, "status": "waiting"}
    LogProgress(console, Config()).on_member_end(1, RECORD, metrics_of([MEMBER, waiting]))  # a moment old
    assert "ensemble" not in console.file.getvalue()  # type: ignore[attr-defined]


def planned(config: Config, slots: int = 2, gpus: float = 0, members: int = 10) -> LogProgress:
    """A log whose run has just been planned."""
    progress = LogProgress(Console(file=StringIO(), width=160), config)
    plan = Plan(slots=slots, cpus_per_member=1, gpus_per_member=gpus, threads=1, reason="2 at a time")
    progress.on_plan(plan, members, members, "runs/first")
    return progress


def printed(progress: LogProgress) -> str:
    return progress.console.file.getvalue()  # type: ignore[attr-defined]


FILES = Config(data=DataConfig(train="train.csv"))


def test_arrays_are_not_called_the_built_in_digits() -> None:
    progress = LogProgress(Console(file=StringIO(), width=160), load_config("fast", arrays=True))
    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2
    data = load_arrays((images, labels), None)
    progress.on_data_loaded(data, check_data(data), np.zeros(20, np.int16))
    plan = Plan(slots=2, cpus_per_member=1, gpus_per_member=0, threads=1, reason="2 at a time")
    progress.on_plan(plan, 10, 10, "runs/first")
    assert "built-in" not in printed(progress)


def test_the_plan_says_which_recipe_the_built_in_digits_get_and_how_to_have_a_first_look() -> None:
    text = printed(planned(load_config("fast")))
    assert "Recipe for the built-in digits: compact, " in text
    assert "--members 2 (members.count) gives a quicker first look." in text


def test_nothing_is_said_of_a_first_look_that_would_be_no_quicker() -> None:
    for progress in (planned(Config(), slots=10), planned(Config(), gpus=0.5), planned(Config(), members=2)):
        assert "first look" not in printed(progress)


@pytest.mark.parametrize(("seconds_left", "is_long"), [(95.0, False), (9500.0, True)])
def test_a_long_run_on_cpus_says_how_to_have_a_first_look(seconds_left: float, is_long: bool) -> None:
    progress = planned(FILES)
    assert "built-in" not in printed(progress)
    assert "first look" not in printed(progress)
    at_work = Progress(0, 0.1, 12, 0.4, 1000.0, seconds_left)
    progress.on_member_progress([MemberStatus(0, "training", progress=at_work)])
    assert ("first look" in printed(progress)) == is_long


def test_a_log_says_once_when_all_will_be_done_as_soon_as_a_speed_is_known() -> None:
    progress = planned(load_config("fast"))
    progress.on_member_progress([MemberStatus(0, "training", progress=Progress(0, 0.1, 12, 0.4))])
    assert "All will be done" not in printed(progress)
    for _ in range(2):
        progress.on_member_progress([training(0), training(1)])
    text = printed(progress)
    assert text.count("All will be done in about ") == 1
    assert ", searches and report included." in text
    progress.on_training_end(metrics_of([MEMBER]))
    assert "Training has ended, searches and report follow · about " in printed(progress)


@pytest.mark.parametrize(("searches", "follows"), [(True, ", searches follow"), (False, "")])
def test_a_report_that_is_not_drawn_is_not_announced(searches: bool, follows: str) -> None:
    config = Config(baselines=BaselinesConfig(enabled=searches))
    progress = LogProgress(Console(file=StringIO(), width=300), config, report=False)
    progress.on_plan(PLAN, 2, 2, "runs/first")
    for _ in range(2):
        progress.on_member_progress([training(0), training(1)])
    progress.on_training_end(metrics_of([MEMBER]))
    assert f"Training has ended{follows} · about " in printed(progress)
    assert "report" not in printed(progress)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], ""),
        (["report"], "the report"),
        (["searches", "report"], "searches and report"),
        (["refits", "searches", "report"], "refits, searches and report"),
    ],
)
def test_stages_that_follow_are_named_in_words(stages: list[str], words: str) -> None:
    assert enumeration(stages) == words


def test_the_live_display_says_when_all_will_be_done_from_the_first_speed_on() -> None:
    progress = LiveProgress(Console(file=StringIO(), width=80), Config())
    assert "all done" not in shown(progress.members_screen([MemberStatus(0, "starting")]))
    progress.on_member_progress([training(0)])
    screen = shown(progress.members_screen([training(0)]))
    assert "all done in about " in screen
    assert "searches and report included" in screen


def test_a_report_that_is_drawn_alone_speaks_of_no_searches() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True)
    LiveProgress(console, Config()).on_report_step(ReportStep("network", 5, 9))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "all done in about 5 s" in text
    assert "searches" not in text


def test_a_log_tells_a_baseline_s_held_out_accuracy_apart_from_that_it_was_chosen_at() -> None:
    console = Console(file=StringIO(), width=160)
    record = BaselineRecord({"pca": 50}, ValidationScores(130, 0.99, 0.1), Scores(**SCORES), {"done": 1}, 9.0, 2.0)
    LogProgress(console, Config()).on_baseline_end("knn", record)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "knn done · 98.61 % (95.00–99.60 %, n = 144) · chosen at 99.00 % of 130 validation rows · pca=50" in text


REFITTING = Config(members=MembersConfig(refit_on_all=True))
PLAN = Plan(
    slots=4, cpus_per_member=1, gpus_per_member=0, threads=1, reason="4 at a time", warnings=("GPU 0 is in use",)
)


def test_a_log_tells_refits_apart_from_members_and_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_progress, "LOG_SECONDS", 0)
    progress = LogProgress(Console(file=StringIO(), width=300), REFITTING)
    progress.on_plan(PLAN, 10, 10, "runs/first")
    assert "all train once more on all labelled rows: it takes about twice as long." in printed(progress)
    progress.on_training_end(metrics_of([MEMBER]))
    assert "Training has ended, refits, searches and report follow" in printed(progress)
    progress.on_refit_begin(PLAN, 10, 4)
    assert "Training 4 of 10 members once more (6 are finished already), on all labelled rows" in printed(progress)
    assert "The accuracies stay those of the first networks." in printed(progress)
    progress.on_member_progress([training(0), MemberStatus(1, "waiting", attempt=2, last_failure="lost.")])
    assert "refits: 1 training · 1 waiting" in printed(progress)
    assert "WARNING refit of member 1: lost. Attempt 2 follows." in printed(progress)
    progress.on_refit_end(0, RECORD)
    assert "member 0 trained once more on all rows · 12 s, 1,000 images/s" in printed(progress)
    assert "WARNING refit of member 0: epoch 3 was not saved" in printed(progress)
    assert printed(progress).count("GPU 0 is in use") == 1


def test_the_live_table_of_refits_shows_no_accuracy() -> None:
    progress = LiveProgress(Console(file=StringIO(), width=80, height=24, force_terminal=True), REFITTING)
    progress.on_member_end(0, RECORD, metrics_of([MEMBER]))
    progress.on_refit_begin(PLAN, 2, 2)
    screen = shown(progress.members_screen([MemberStatus(0, "done"), training(1)]))
    assert "refits: 1 done · 1 training" in screen
    assert "98.61 %" not in next(line for line in screen.splitlines() if line.startswith("0 "))


@pytest.mark.parametrize("kind", [LogProgress, QuietProgress, LiveProgress])
def test_a_failed_refit_is_named_with_its_reason_and_who_votes_instead(kind: type[LogProgress]) -> None:
    console = Console(file=StringIO(), width=300)
    kind(console, REFITTING).on_refit_failure(MemberFailure(3, "ValueError", "odd sides", 1))
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "WARNING the refit of member 3 was given up after 1 attempt; its first network votes instead. Val" in text


@pytest.mark.parametrize("kind", [LogProgress, QuietProgress, LiveProgress])
def test_a_failed_member_is_named_with_its_reason(kind: type[LogProgress]) -> None:
    console = Console(file=StringIO(), width=120)
    kind(console, Config()).on_member_failure(
        MemberFailure(3, "ValueError", "odd sides", 3, origin="mine.py:7, in layers")
    )
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "WARNING member 3 was given up after 3 attempts. ValueError: odd sides (mine.py:7, in layers)" in text


def shown_by_the_callback(progress: ProgressCallback) -> None:
    progress.on_settings(FILES)
    progress.on_wait_for_directory("a line")
    progress.on_baseline_failure("knn", "no trial")


def test_the_public_callback_prints_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    shown_by_the_callback(ProgressCallback())
    output = capsys.readouterr()
    assert "  a line\n" in output.err
    assert "WARNING knn could not be fitted" in output.err
    assert output.out == ""


def test_the_public_callback_can_show_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown_by_the_callback(ProgressCallback(quiet=True))
    output = capsys.readouterr().err
    assert "WARNING knn could not be fitted" in output
    assert "a line" not in output


def test_progress_that_cannot_be_written_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    shown_by_the_callback(ProgressCallback())
