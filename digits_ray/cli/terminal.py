"""What the terminal shows: a live table for people, plain lines for logs, and the last screen."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from digits_ray.baselines import describe
from digits_ray.config import Config, SplitConfig
from digits_ray.data import TRAIN_ONLY, Data, DataCheck
from digits_ray.ensemble import MemberFailure
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep, duration, percent
from digits_ray.runs import RunCallback, RunStatus, age
from digits_ray.scheduling import Plan
from digits_ray.storage import layout

LOG_SECONDS = 30  # between two progress lines in a log
SHOWN_CLASSES = 20  # more are summed up by the rarest and the most frequent


class LogView(RunCallback):
    """Plain lines on stderr, one an event and one every half minute."""

    def __init__(self, console: Console, split: SplitConfig) -> None:
        self.console, self.split = console, split
        self.total = 0
        self._last_line = time.monotonic()
        self._waiting = False
        self._told: set[tuple[int, int]] = set()  # lost attempts, by member and the attempt that follows

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        self.split = config.split
        self.warn(reason)

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        self.console.print(facts_table(data_facts(data, check, folds, self.split)))

    def on_plan(self, plan: Plan, members: int, missing: int, place: str) -> None:
        self.total = members
        kept = f" ({members - missing} are finished already)" if missing < members else ""
        self.say(f"Training {missing} of {members} members{kept}: {plan.reason}.")
        self.say(f"RunState go to {place}")

    def on_gpu_sharing_trial(self, most: int) -> None:
        self.say(
            f"Trying how many members share a GPU best, up to {most}; --gpus-per-member 1 would give each its own."
        )

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        if not self._waiting:
            self.say(f"Waiting up to {minutes:g} minutes for a node. {reason}")
        self._waiting = True

    def on_wait_for_directory(self, reason: str) -> None:
        self.say(reason)

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        self._warn_of_losses(statuses)
        if time.monotonic() - self._last_line < LOG_SECONDS:
            return
        self._last_line = time.monotonic()
        self.say(progress_line(statuses))

    def on_member_end(self, member_id: int, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        self._last_line = time.monotonic()
        speed = f", {record['images_per_second']:,.0f} images/s" if record["images_per_second"] else ""
        seconds = f"{record['fit_seconds']:.0f} s{speed}"
        scored = f" · {percent(record['holdout']['accuracy'])}" if record["holdout"] else ""
        self.say(f"member {member_id} done{scored} · {seconds} · {ensemble_line(metrics)}")
        for note in record["notes"]:
            self.warn(f"member {member_id}: {note}")

    def on_member_failure(self, failure: MemberFailure) -> None:
        times = "attempt" if failure.attempts == 1 else "attempts"
        self.warn(
            f"member {failure.member_id} was given up after {failure.attempts} {times}. "
            f"{failure.error_type}: {failure.message}"
        )

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        if time.monotonic() - self._last_line < LOG_SECONDS:
            return
        self._last_line = time.monotonic()
        for status in statuses:
            if status.done < status.trials:
                self.say(search_line(status))

    def on_baseline_end(self, kind: str, record: Mapping[str, Any]) -> None:
        self._last_line = time.monotonic()
        self.say(f"{kind} done · {baseline_line(record)}")

    def on_baseline_failure(self, kind: str, error: str) -> None:
        self.warn(f"{kind}: every trial failed. {error}")

    def on_report_step(self, step: ReportStep) -> None:
        if step.done == 0:
            self.say("drawing the report")

    def on_report_failure(self, error: str) -> None:
        self.warn(f"report.html could not be drawn: {error}. All other results are there.")

    def on_tracking_failure(self, error: str) -> None:
        self.warn(f"MLflow was not told, the run goes on: {error}")

    def _warn_of_losses(self, statuses: list[MemberStatus]) -> None:
        for status in statuses:
            again = (status.member_id, status.attempt)
            if status.trouble and status.state != "failed" and again not in self._told:
                self._told.add(again)
                self.warn(f"member {status.member_id}: {status.trouble} Attempt {status.attempt} follows.")

    def say(self, line: str) -> None:
        """Prints one line."""
        self.console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)

    def warn(self, line: str) -> None:
        """Prints one line that should be noticed."""
        self.console.print(Text(f"{time.strftime('%H:%M:%S')}  WARNING {line}", style="yellow"), soft_wrap=True)


class QuietView(LogView):
    """Warnings alone."""

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """Tells nothing."""

    def say(self, line: str) -> None:
        """Tells nothing."""


class LiveView(LogView):
    """A table of the members that is drawn again twice a second."""

    def __init__(self, console: Console, split: SplitConfig) -> None:
        super().__init__(console, split)
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.records: dict[int, Mapping[str, Any]] = {}
        self.so_far = ""

    def __exit__(self, *exception: object) -> None:
        self.live.stop()

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        self._warn_of_losses(statuses)
        self.live.start()
        self.live.update(self._picture(statuses), refresh=True)

    def on_member_end(self, member_id: int, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        self.records[member_id] = record
        self.so_far = ensemble_line(metrics)
        for note in record["notes"]:
            self.warn(f"member {member_id}: {note}")

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        self.so_far = ensemble_line(metrics)

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        self.live.start()
        lines = [Text(search_line(status)) for status in statuses]
        self.live.update(Group(*lines, Text(self.so_far, style="bold")), refresh=True)

    def on_report_step(self, step: ReportStep) -> None:
        bar = ProgressBar(total=step.total, completed=step.done, width=20)
        line = Table.grid(padding=(0, 1))
        line.add_row("report", bar, Text(step.name, style="dim"))
        self.live.start()
        self.live.update(Group(line, Text(self.so_far, style="bold")), refresh=True)

    def _picture(self, statuses: list[MemberStatus]) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("member", "epoch", "", "loss", "images/s", "left", "holdout"):
            table.add_column(name, justify="left" if name in ("member", "") else "right", no_wrap=True)
        room = max(3, self.console.height - 4)
        for status in _most_telling(statuses, room):
            table.add_row(*self._row(status))
        return Group(table, Text(_tally(statuses), style="dim"), Text(self.so_far, style="bold"))

    def _row(self, status: MemberStatus) -> list[RenderableType]:
        name, progress = f"{status.member_id}", status.progress
        if status.state == "done":
            record = self.records.get(status.member_id)
            scored = percent(record["holdout"]["accuracy"]) if record and record["holdout"] else ""
            return [name, "done", "", "", "", "", scored]
        if status.state != "training" or progress is None:
            again = f" (attempt {status.attempt}: {status.trouble[:60]})" if status.trouble else ""
            return [name, "", Text(f"{status.state}{again}", style="dim"), "", "", "", ""]
        bar = ProgressBar(total=progress.epochs, completed=progress.epoch, width=20)
        loss = f"{progress.loss:.3f}" if progress.loss is not None else ""
        return [name, f"{progress.epoch:.1f}/{progress.epochs}", bar, loss, *_speed(status), ""]


def _speed(status: MemberStatus) -> tuple[str, str]:
    progress = status.progress
    if progress is None or not progress.images_per_second:
        return "", ""
    return f"{progress.images_per_second:,.0f}", _left(progress).removesuffix(" left")


def _left(progress: Progress) -> str:
    """Returns how long the member will still train, or that it has come to predicting."""
    if progress.epoch >= progress.epochs:
        return "predicting"
    return f"{duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""


def _most_telling(statuses: list[MemberStatus], room: int) -> list[MemberStatus]:
    """Returns as many members as there is room for: those at work first, then the last ones done, by id."""
    order = {"training": 0, "starting": 1, "failed": 2, "done": 3, "waiting": 4}
    chosen = sorted(statuses, key=lambda s: (order[s.state], -s.member_id if s.state == "done" else s.member_id))
    return sorted(chosen[:room], key=lambda status: status.member_id)


def _tally(statuses: list[MemberStatus]) -> str:
    states = [status.state for status in statuses]
    counts = {name: states.count(name) for name in ("done", "training", "starting", "waiting", "failed")}
    return " · ".join(f"{count} {name}" for name, count in counts.items() if count)


def progress_line(statuses: list[MemberStatus]) -> str:
    """Returns one line on the members at work, for a log."""
    working = [
        f"{s.member_id}: epoch {s.progress.epoch:.1f}/{s.progress.epochs}"
        + (f", loss {s.progress.loss:.3f}" if s.progress.loss is not None else "")
        + (f", {left}" if (left := _left(s.progress)) else "")
        for s in statuses
        if s.state == "training" and s.progress
    ]
    more = f" · and {len(working) - 4} more" if len(working) > 4 else ""
    return " · ".join([_tally(statuses), *working[:4]]) + more


def search_line(status: SearchStatus) -> str:
    """Returns one line on a search: trials, the best so far and its accuracy on the validation rows."""
    failed = f", {status.failed} failed" if status.failed else ""
    best = f" · best {100 * status.best_accuracy:.2f} %: {status.best}" if status.best_accuracy is not None else ""
    return f"{status.kind}: {status.done} of {status.trials} trials{failed}{best}"


def baseline_line(record: Mapping[str, Any]) -> str:
    """Returns a found baseline's accuracy on the rows that chose it and on the held-out rows, kept apart."""
    chosen = record["validation"]
    scored = f"{percent_with_interval(record['holdout'])}" if record["holdout"] else "no held-out rows"
    choice = f"chosen at {percent(chosen['accuracy'])} of {chosen['rows']:,} validation rows"
    return f"{scored} · {choice} · {describe(record['best'])}"


def ensemble_line(metrics: Mapping[str, Any]) -> str:
    """Returns "ensemble of 4: 98.61 % (95.1–99.6 %, n = 144)"."""
    ensemble = metrics["ensemble"]
    scored = f": {percent_with_interval(ensemble['holdout'])}" if ensemble["holdout"] else ""
    return f"ensemble of {ensemble['members_used']}{scored}"


def percent_with_interval(scores: Mapping[str, Any]) -> str:
    """Returns an accuracy with its 95 % interval and its rows."""
    low, high = scores["accuracy_ci95"]
    return f"{percent(scores['accuracy'])} ({100 * low:.2f}–{100 * high:.2f} %, n = {scores['rows']:,})"


def data_facts(data: Data, check: DataCheck, folds: np.ndarray, split: SplitConfig) -> list[tuple[str, str]]:
    """Returns what is known of the data before training, as names and texts."""
    source = ", ".join(dict.fromkeys([data.train_source, data.test_source or data.train_source]))
    _, height, width = data.images.shape
    low, high = check.value_range
    missing = f"{check.missing_values} missing values" if check.missing_values else "no missing values"
    return [
        ("data", source),
        ("rows", _rows_fact(data, folds, split)),
        ("images", f"{height}×{width}, values {low} to {high}, {missing}"),
        ("classes", _classes_fact(check)),
        ("duplicates", _duplicates_fact(check, bool(len(data.test_images)))),
        *(("note", note) for note in data.notes),
    ]


def _rows_fact(data: Data, folds: np.ndarray, split: SplitConfig) -> str:
    scored = int((folds != TRAIN_ONLY).sum())
    parts = {
        "holdout": f"{len(folds) - scored:,} to train on, {scored:,} held out",
        "kfold": f"each held out once, in {split.folds} folds",
        "none": "all to train on: no accuracy will be known",
    }
    test = f" · {len(data.test_images):,} test" if len(data.test_images) else " · no test rows: no submission"
    return f"{len(folds):,} labelled ({parts[split.scheme]}){test}"


def _classes_fact(check: DataCheck) -> str:
    counts = check.class_counts
    if len(counts) <= SHOWN_CLASSES:
        return f"{len(counts)}: " + ", ".join(f"{name} ×{count:,}" for name, count in counts.items())
    rare, often = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return f"{len(counts)}: from {counts[rare]:,} rows ({rare}) to {counts[often]:,} ({often})"


def _duplicates_fact(check: DataCheck, has_test: bool) -> str:
    found = check.duplicates
    parts = [f"{found['train']:,} in the labelled rows"]
    if has_test:
        parts += [f"{found['test']:,} in the test rows", f"{found['train_test']:,} of the test rows in the labelled"]
    if found["conflicting_labels"]:
        parts.append(f"{found['conflicting_labels']:,} images with conflicting labels")
    return ", ".join(parts)


def facts_table(facts: list[tuple[str, str]]) -> Table:
    """Lays names and texts out in two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, Text(text))
    return table


def last_screen(metrics: Mapping[str, Any], place: str) -> RenderableType:
    """Returns what a finished run shows last: accuracies, files, what to do next."""
    parts: list[RenderableType] = [Text()]
    if scored_models(metrics):
        parts += [_accuracies(metrics), Text()]
        comparison = metrics["ensemble"]["against_best_member"]
        if comparison and metrics["ensemble"]["members_used"] > 1:
            parts += [Text(_comparison(comparison)), Text()]
    failed = [str(member["id"]) for member in metrics["members"] if member["status"] == "failed"]
    if failed:
        line = f"WARNING {len(failed)} of {len(metrics['members'])} members failed: {', '.join(failed)}"
        parts += [Text(f"{line}. The same command tries them again.", style="yellow"), Text()]
    return Group(*parts, facts_table(_files(metrics, place)))


def _accuracies(metrics: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True)
    for name in ("holdout accuracy", "95 % interval", "NLL", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, scores, seconds in scored_models(metrics):
        style = "bold" if name.startswith("ensemble") else None
        table.add_row(*_score_cells(name, scores, seconds), style=style)
    return table


def scored_models(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], float]]:
    """Returns name, held-out scores and seconds of each baseline, each member and the ensemble, as far as there are."""
    found = [(kind, one.get("holdout"), one.get("fit_seconds", 0.0)) for kind, one in metrics["baselines"].items()]
    found += [(f"member {one['id']}", one.get("holdout"), one.get("fit_seconds", 0.0)) for one in metrics["members"]]
    ensemble, seconds = metrics["ensemble"], metrics["timing"]["wall_seconds"]
    found.append((f"ensemble of {ensemble['members_used']}", ensemble["holdout"], seconds))
    return [(name, scores, seconds) for name, scores, seconds in found if scores]


def _score_cells(name: str, scores: Mapping[str, Any], seconds: float) -> list[str]:
    low, high = scores["accuracy_ci95"]
    interval = f"{100 * low:.2f}–{100 * high:.2f} %"
    return [name, percent(scores["accuracy"]), interval, f"{scores['nll']:.4f}", f"{seconds:,.0f}"]


def _comparison(comparison: Mapping[str, Any]) -> str:
    return (
        f"On {comparison['rows']:,} held-out rows the ensemble alone is right on {comparison['only_ensemble_right']}, "
        f"its best member ({comparison['member']}) alone on {comparison['only_member_right']}: "
        f"McNemar's p = {comparison['p_value']:.3g}."
    )


def _files(metrics: Mapping[str, Any], place: str) -> list[tuple[str, str]]:
    files = [("results", place), ("report", f"{place}/{layout.REPORT}")]
    if metrics["data"]["test_rows"] and metrics["ensemble"]["members_used"]:
        files.append(("submission", f"{place}/{layout.SUBMISSION}"))
    files.append(("scores", f"{place}/{layout.METRICS}, {place}/{layout.LEADERBOARD}"))
    if metrics["ensemble"]["members_used"]:
        files.append(("next", f"digits-ray predict {place} --input IMAGES.csv --output LABELS.csv"))
    return files


def status_screen(status: RunStatus) -> RenderableType:
    """Returns how far a run is: a row per member, then what is there."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("member", "state", "network"):
        table.add_column(name, no_wrap=True)
    for name in ("epochs", "attempts", "holdout accuracy"):
        table.add_column(name, justify="right", no_wrap=True)
    for member in status.members:
        spec, accuracy = member.spec, percent(member.holdout["accuracy"]) if member.holdout else ""
        epochs, attempts = str(member.epoch or ""), str(member.attempts or "")
        table.add_row(str(spec.member_id), member.state, spec.architecture, epochs, attempts, accuracy)
    return Group(table, Text(), facts_table(_status_facts(status)))


def _status_facts(status: RunStatus) -> list[tuple[str, str]]:
    facts = [("run", status.path), ("members", f"{status.done} of {len(status.members)} done")]
    if status.metrics.get("ensemble", {}).get("members_used"):
        facts.append(("so far", ensemble_line(status.metrics)))
    facts.append(("baselines", ", ".join(status.baselines) or "none yet"))
    if status.has_submission:
        facts.append(("submission", f"{status.path}/{layout.SUBMISSION}"))
    if status.last_write:
        facts.append(("last write", f"{age(status.last_write)} ({status.last_write:%Y-%m-%d %H:%M:%S} UTC)"))
    return facts
