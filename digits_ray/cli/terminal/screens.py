"""What `digits-ray run` shows last, and what `digits-ray status` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from digits_ray.cli.terminal.facts import facts_lines, facts_table
from digits_ray.cli.terminal.fitting_table import Column, FittingTable
from digits_ray.config import architecture_name, own_network_words
from digits_ray.pasteable import pasteable
from digits_ray.report import (
    accuracy_on_test_rows,
    best_of,
    distillation_lines,
    duration,
    ensemble_line,
    failed_refits,
    is_single_network,
    networks_per_row,
    percent,
    scored_networks,
    which_networks,
)
from digits_ray.runs import ComparedRun, Comparison, RunStatus, age
from digits_ray.storage import layout

RETRY = "The same command tries them again."


@dataclass(frozen=True)
class ScoredModel:
    """One line of the table of accuracies."""

    name: str
    holdout: Mapping[str, Any]  # its scores on held-out rows
    seconds: float  # of fitting; for the ensemble, of all its members


def last_screen(metrics: Mapping[str, Any]) -> RenderableType:
    """Returns what a finished run shows last, before its files: accuracies, and what failed.

    Args:
        metrics: What metrics.json holds.
    """
    parts: list[RenderableType] = [Text()]
    models = scored_models(metrics)
    if models:
        parts += [_accuracy_table(models), Text()]
        if unseen := (metrics["ensemble"]["holdout"] or {}).get("without_training_images"):
            parts += [Text(trained_on_warning(metrics["ensemble"]["holdout"]["rows"], unseen), style="yellow"), Text()]
        if one_network := _mean_member(metrics):
            parts += [Text(one_network), Text()]
        comparison = metrics["ensemble"]["against_best_member"]
        if comparison and metrics["ensemble"]["members_used"] > 1:
            subject = "a row's networks alone are" if networks_per_row(metrics) else "the ensemble alone is"
            choice = best_of(len(_member_accuracies(metrics)), "members")
            parts += [Text(f"{_comparison(comparison, subject)}{choice}."), Text()]
    if lines := distillation_lines(metrics):
        parts += [facts_table([(name.lower(), text) for name, text in lines]), Text()]
    if networks := which_networks(metrics):
        parts += [Text(networks), Text()]
    if test := accuracy_on_test_rows(metrics):
        parts += [Text(f"Test: {test}"), Text()]
    parts += [Text(f"The run took {duration(metrics['timing']['wall_seconds'])}, without its report."), Text()]
    failed = [str(member["id"]) for member in metrics["members"] if member["status"] == "failed"]
    if failed:
        line = f"WARNING {len(failed)} of {len(metrics['members'])} members failed: {', '.join(failed)}"
        parts += [Text(f"{line}. {RETRY}", style="yellow"), Text()]
    refits = [str(member["id"]) for member in failed_refits(metrics)]
    if refits:
        line = f"WARNING {len(refits)} of {len(metrics['members'])} members could not be trained once more"
        parts += [Text(f"{line}: {', '.join(refits)}. Their first networks vote. {RETRY}", style="yellow"), Text()]
    return Group(*parts)


def trained_on_warning(rows: int, unseen: Mapping[str, Any]) -> str:
    """Returns how accurate the ensemble is without those rows of a given holdout that it was trained on.

    Args:
        rows: Of the holdout.
        unseen: `ensemble.holdout.without_training_images` of metrics.json.
    """
    low, high = unseen["accuracy_ci95"]
    return (
        f"WARNING {rows - unseen['rows']:,} of the {rows:,} held-out images are training images too. Without them, the "
        f"ensemble's accuracy is {percent(unseen['accuracy'])} "
        f"({100 * low:.2f}–{100 * high:.2f} %, n = {unseen['rows']:,})."
    )


def scored_models(metrics: Mapping[str, Any]) -> list[ScoredModel]:
    """Returns those of the baselines, the members and the ensemble that have been scored on held-out rows."""
    records = [(kind, record) for kind, record in metrics["baselines"].items()]
    records += [(f"member {member['id']}", member) for member in metrics["members"]]
    models = [
        ScoredModel(name, record["holdout"], record.get("fit_seconds", 0.0))
        for name, record in records
        if record.get("holdout")
    ]
    ensemble = metrics["ensemble"]
    if ensemble["holdout"] and not is_single_network(metrics):
        seconds = sum(member.get("fit_seconds") or 0.0 for member in metrics["members"])
        models.append(ScoredModel(scored_networks(metrics), ensemble["holdout"], seconds))
    return models


def _accuracy_table(models: list[ScoredModel]) -> FittingTable:
    columns = [Column("model", is_text=True), Column("accuracy"), Column("95 % interval"), Column("balanced", rank=3)]
    table = FittingTable([*columns, Column("NLL", rank=2), Column("seconds", rank=1)])
    for model in models:
        low, high = model.holdout["accuracy_ci95"]
        balanced = model.holdout.get("balanced_accuracy")  # None: scored by an earlier release
        table.add_row(
            model.name,
            percent(model.holdout["accuracy"]),
            f"{100 * low:.2f}–{100 * high:.2f} %",
            percent(balanced) if balanced is not None else "",
            f"{model.holdout['nll']:.4f}",
            f"{model.seconds:,.0f}",
            style="bold" if "ensemble" in model.name else None,
        )
    return table


def _member_accuracies(metrics: Mapping[str, Any]) -> list[float]:
    return [member["holdout"]["accuracy"] for member in metrics["members"] if member.get("holdout")]


def _mean_member(metrics: Mapping[str, Any]) -> str:
    """Returns the accuracy to be expected of a single network; "" where only one was scored."""
    accuracies = _member_accuracies(metrics)
    if len(accuracies) < 2:
        return ""
    spread = f"{percent(mean(accuracies))} ± {100 * stdev(accuracies):.2f} points"
    return f"One network alone: {spread} (mean and standard deviation of {len(accuracies)} members)."


def _comparison(comparison: Mapping[str, Any], subject: str) -> str:
    return (
        f"On {comparison['rows']:,} held-out rows {subject} right on {comparison['only_ensemble_right']}, "
        f"the best member ({comparison['member']}) alone on {comparison['only_member_right']}: "
        f"McNemar's p = {comparison['p_value']:.3g}"
    )


def files_written(metrics: Mapping[str, Any], out: str, architectures: Sequence[str] = ()) -> Text:
    """Returns the files of a finished run and what to do next, to be printed unbroken: they are pasted elsewhere.

    Args:
        metrics: What metrics.json holds.
        out: The run directory, a path or URI.
        architectures: Of the members; predicting with networks of the user's own may need their files.
    """
    files = [("results", out), ("report", f"{out}/{layout.REPORT}")]
    if metrics["data"]["test_rows"] and metrics["ensemble"]["members_used"]:
        files.append(("submission", f"{out}/{layout.SUBMISSION}"))
    files.append(("scores", f"{out}/{layout.METRICS}, {out}/{layout.LEADERBOARD}"))
    if metrics["ensemble"]["members_used"]:
        words = ["digits-ray", "predict", out, "--input", "IMAGES", "--output", "LABELS.csv"]
        words += own_network_words(architectures)
        files.append(("next", pasteable(*words)))
    return facts_lines(files)


def status_screen(status: RunStatus) -> RenderableType:
    """Returns how far a run is: a row per member, then the run's results so far."""
    columns = [Column("member", is_text=True), Column("state", is_text=True), Column("network", is_text=True, rank=1)]
    columns += [Column("epochs", rank=2), Column("attempts", rank=3), Column("accuracy")]
    table = FittingTable([*columns, Column("refit", is_text=True)] if status.refits else columns)
    refits = {refit.spec.member_id: refit.state for refit in status.refits}
    for member in status.members:
        spec, accuracy = member.spec, percent(member.holdout["accuracy"]) if member.holdout else ""
        epochs, attempts = str(member.epoch or ""), str(member.attempts or "")
        cells = [str(spec.member_id), member.state, architecture_name(spec.architecture), epochs, attempts, accuracy]
        table.add_row(*cells, *([refits[spec.member_id]] if refits else []))
    return Group(table, Text(), facts_table(_status_facts(status)))


def _status_facts(status: RunStatus) -> list[tuple[str, str]]:
    facts = [("run", status.path), ("members", f"{status.done} of {len(status.members)} done")]
    if status.refits:
        facts.append(("refits", f"{status.refitted} of {len(status.refits)} done"))
    if status.metrics.get("ensemble", {}).get("members_used"):
        facts.append(("so far", ensemble_line(status.metrics)))
    facts.append(("baselines", ", ".join(status.baselines) or "none yet"))
    if status.has_submission:
        facts.append(("submission", f"{status.path}/{layout.SUBMISSION}"))
    if status.last_write:
        facts.append(("last write", f"{age(status.last_write)} ({status.last_write:%Y-%m-%d %H:%M:%S} UTC)"))
    return facts


def comparison_screen(comparison: Comparison) -> RenderableType:
    """Returns what `digits-ray compare` shows: both accuracies, their difference and what follows."""
    a, b, rows = comparison.a, comparison.b, comparison.rows
    low, high = comparison.difference_ci95
    facts = [
        ("rows", f"{rows:,} in common, of {a.scored_rows:,} and {b.scored_rows:,} that each scored"),
        (escape(a.run), _compared_accuracy(a)),
        (escape(b.run), _compared_accuracy(b)),
        ("difference", f"{100 * comparison.difference:+.2f} points (95 %: {100 * low:+.2f} to {100 * high:+.2f})"),
        ("right alone", f"{a.run} on {comparison.only_a_right:,} rows, {b.run} on {comparison.only_b_right:,}"),
    ]
    return Group(facts_table(facts), Text(), Text(comparison.conclusion))


def _compared_accuracy(run: ComparedRun) -> str:
    low, high = run.accuracy_ci95
    members = "1 member" if run.members == 1 else f"{run.members} members"
    return f"{percent(run.accuracy)} ({100 * low:.2f}–{100 * high:.2f} %), {members}"
