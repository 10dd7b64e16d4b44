"""A run's progress as a table that is drawn again and again, for people at a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from digits_ray.cli.terminal.log_progress import LogProgress
from digits_ray.cli.terminal.progress_lines import ensemble_line, search_line, state_counts, time_left
from digits_ray.config import SplitConfig
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep, percent
from digits_ray.runs import MemberRecord

BAR_WIDTH = 20  # characters
REASON_WIDTH = 60  # characters of why an attempt was lost
OTHER_LINES = 4  # of the terminal's height: the header, the counts, the ensemble, the cursor
MIN_ROWS = 3  # of the table, however low the terminal


class LiveProgress(LogProgress):
    """A table of the members that is drawn again twice a second; plain lines for what should stay on the screen."""

    def __init__(self, console: Console, split: SplitConfig) -> None:
        super().__init__(console, split)
        self._live = Live(console=console, auto_refresh=False, transient=True)
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
        self._show(self.members_screen(statuses))

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        self._records[member_id] = record
        self._ensemble = ensemble_line(metrics)
        self._print_notes(member_id, record)

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        self._ensemble = ensemble_line(metrics)

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        self._show(self._above_ensemble(*(Text(search_line(status)) for status in statuses)))

    def on_report_step(self, step: ReportStep) -> None:
        bar = ProgressBar(total=step.total, completed=step.done, width=BAR_WIDTH)
        line = Table.grid(padding=(0, 1))
        line.add_row("report", bar, Text(step.name, style="dim"))
        self._show(self._above_ensemble(line))

    def members_screen(self, statuses: list[MemberStatus]) -> RenderableType:
        """Returns a table of as many members as fit the terminal, the count of each state, the ensemble so far."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("member", "epoch", "", "loss", "images/s", "left", "holdout"):
            table.add_column(name, justify="left" if name in ("member", "") else "right", no_wrap=True)
        for status in _selected(statuses, max(MIN_ROWS, self.console.height - OTHER_LINES)):
            table.add_row(*self._row(status))
        return self._above_ensemble(table, Text(state_counts(statuses), style="dim"))

    def _row(self, status: MemberStatus) -> list[RenderableType]:
        name = str(status.member_id)
        if status.state == "done":
            return [name, "done", "", "", "", "", self._holdout_accuracy(status.member_id)]
        if status.state == "training" and status.progress:
            return [name, *_training_cells(status.progress), ""]
        lost = f" (attempt {status.attempt}: {status.last_failure[:REASON_WIDTH]})" if status.last_failure else ""
        return [name, "", Text(f"{status.state}{lost}", style="dim"), "", "", "", ""]

    def _holdout_accuracy(self, member_id: int) -> str:
        record = self._records.get(member_id)
        return percent(record.holdout.accuracy) if record and record.holdout else ""

    def _above_ensemble(self, *parts: RenderableType) -> RenderableType:
        return Group(*parts, Text(self._ensemble, style="bold"))

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
