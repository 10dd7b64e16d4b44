"""What people read while a run goes on: lines in a log, a live table at a terminal."""

from io import StringIO

import pytest
from metrics_files import MEMBER, metrics_of, shown
from rich.console import Console

from digits_ray.cli.terminal import LiveProgress, LogProgress, QuietProgress, log_progress
from digits_ray.cli.terminal.progress_lines import members_line, search_line
from digits_ray.config.schema import SplitConfig
from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.scheduling.resources import Plan


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
    progress.on_member_end(0, MEMBER | {"notes": []}, metrics_of([MEMBER]))
    progress.on_training_end(metrics_of([MEMBER, MEMBER]))
    assert "ensemble of 2: " in shown(progress.members_screen([training(0)]), width=80)


@pytest.mark.parametrize("kind", [LogProgress, QuietProgress, LiveProgress])
def test_a_failed_member_is_named_with_its_reason(kind: type[LogProgress]) -> None:
    console = Console(file=StringIO(), width=120)
    kind(console, SplitConfig()).on_member_failure(MemberFailure(3, "FloatingPointError", "the loss is nan", 3))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "WARNING member 3 was given up after 3 attempts. FloatingPointError: the loss is nan" in text
