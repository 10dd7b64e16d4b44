"""A run's progress as a table that is drawn again and again, for people at a terminal."""

from collections.abc import Mapping
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from digits_ray.cli.terminal.fitting_table import Column, FittingTable
from digits_ray.cli.terminal.log_progress import LONG_SECONDS, LogProgress
from digits_ray.cli.terminal.progress_lines import search_line, state_counts, time_left
from digits_ray.cli.terminal.time_estimate import clock_time, rounded
from digits_ray.config import Config
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep, ensemble_line, percent
from digits_ray.runs import MemberRecord
from digits_ray.scheduling import Plan

BAR_WIDTH = 20  # characters
OTHER_LINES = 8  # of the terminal's height: the header, the counts, ensemble and end on two each, the cursor
MIN_ROWS = 3  # of the table, however low the terminal
MEMBER_COLUMNS = (
    Column("member", is_text=True),
    Column("epoch"),
    Column("", is_text=True, rank=3),
    Column("loss", rank=1),
    Column("images/s", rank=2),
    Column("left"),
    Column("holdout"),
)


class Display(Protocol):
    """Where the table is drawn: a terminal, or another that replaces what it shows."""

    def start(self) -> None: ...

    def update(self, renderable: RenderableType, /, *, refresh: bool) -> None: ...

    def stop(self) -> None: ...


class LiveProgress(LogProgress):
    """A table of the members that is drawn again twice a second; plain lines for what should stay on the screen."""

    def __init__(
        self, console: Console, config: Config, display: Display | None = None, *, report: bool = True
    ) -> None:
        super().__init__(console, config, report)
        self._live: Display = display or Live(console=console, auto_refresh=False, transient=True)
        self._records: dict[int, MemberRecord] = {}  # result.json of finished members
        self._ensemble = ""  # the line on the ensemble so far

    def on_run_end(self) -> None:
        self._live.stop()

    def on_data_progress(self, done: int, total: int) -> None:
        if done == total:
            self._live.stop()
            return
        line = Table.grid(padding=(0, 1))
        line.add_row("pictures", ProgressBar(total=total, completed=done, width=BAR_WIDTH), f"{done:,} of {total:,}")
        self._show(line)

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        self._warn_of_lost_attempts(statuses)
        self.estimate.record_members(statuses)
        if (self.estimate.seconds_left() or 0.0) > LONG_SECONDS:
            self._announce_first_look()
        self._show(self.members_screen(statuses))

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        self._records[member_id] = record
        self.estimate.record_member_end(record.fit_seconds, metrics)
        self._ensemble = ensemble_line(metrics)
        self._print_notes(member_id, record)

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        self.estimate.record_training_end()
        self._ensemble = ensemble_line(metrics)

    def on_refit_begin(self, plan: Plan, members: int, missing: int) -> None:
        super().on_refit_begin(plan, members, missing)
        self._records = {}  # no row is left that could score a refit

    def on_refit_end(self, member_id: int, record: MemberRecord) -> None:
        self.estimate.record_refit_end(record.fit_seconds)
        self._print_notes(member_id, record)

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        self.estimate.record_searches(statuses)
        self._show(self._above_summary(*(Text(search_line(status)) for status in statuses)))

    def on_report_step(self, step: ReportStep) -> None:
        self.estimate.record_report(step)
        bar = ProgressBar(total=step.total, completed=step.done, width=BAR_WIDTH)
        line = Table.grid(padding=(0, 1))
        line.add_row("report", bar, Text(step.name, style="dim"))
        self._show(self._above_summary(line))

    def members_screen(self, statuses: list[MemberStatus]) -> RenderableType:
        """Returns a table of as many members as fit the terminal, the count of each state, the ensemble so far."""
        table = FittingTable(MEMBER_COLUMNS)
        for status in _selected(statuses, max(MIN_ROWS, self.console.height - OTHER_LINES)):
            table.add_row(*self._row(status))
        return self._above_summary(table, Text(f"{'refits: ' * self._refitting}{state_counts(statuses)}", style="dim"))

    def _row(self, status: MemberStatus) -> list[RenderableType]:
        name = str(status.member_id)
        if status.state == "done":
            return [name, "done", "", "", "", "", self._holdout_accuracy(status.member_id)]
        if status.state == "training" and status.progress:
            return [name, *_training_cells(status.progress), ""]
        attempt = f"attempt {status.attempt}" if status.last_failure and status.state != "failed" else ""
        return [name, Text(status.state, style="dim"), Text(attempt, style="dim"), "", "", "", ""]

    def _holdout_accuracy(self, member_id: int) -> str:
        record = self._records.get(member_id)
        return percent(record.holdout.accuracy) if record and record.holdout else ""

    def _above_summary(self, *parts: RenderableType) -> RenderableType:
        """Puts parts above the ensemble so far and the end of the whole run."""
        left = self.estimate.seconds_left()
        end = ""
        if left is not None:
            end = f"all done in about {rounded(left)}, at {clock_time(left)}{self.estimate.included}"
        return Group(*parts, *filter(None, (Text(self._ensemble, style="bold"), Text(end))))

    def _show(self, screen: RenderableType) -> None:
        self._live.start()
        self._live.update(screen, refresh=True)


def _training_cells(progress: Progress) -> list[RenderableType]:
    """Returns epoch, bar, loss, images a second and the time left."""
    bar = ProgressBar(total=progress.epochs, completed=progress.epoch, width=BAR_WIDTH)
    loss = f"{progress.loss:.3f}" if progress.loss is not None else ""
    speed = f"{progress.images_per_second:,.0f}" if progress.images_per_second else ""
    left = time_left(progress).removesuffix(" left") if speed else ""
    return [f"{progress.epoch:.1f}/{progress.epochs}", bar, loss, speed, left]


def _selected(statuses: list[MemberStatus], limit: int) -> list[MemberStatus]:
    """Returns at most `limit` members, by id: those at work come before those done last, then those that wait."""
    order = {"training": 0, "starting": 1, "failed": 2, "done": 3, "waiting": 4}
    ranked = sorted(statuses, key=lambda s: (order[s.state], -s.member_id if s.state == "done" else s.member_id))
    return sorted(ranked[:limit], key=lambda status: status.member_id)
