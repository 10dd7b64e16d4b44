"""The head of the page: the answer first, then what was trained on what, and how to get it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.report import facts
from digits_ray.report.formatting import TITLES, duration, p_text, percent
from digits_ray.report.source import BaselineRecord, Source
from digits_ray.storage import joined, layout

CHANCE = 0.05  # McNemar's p from which on a difference is called one that may be chance


@dataclass(frozen=True)
class Rival:
    """A model, or several, that the ensemble is held against."""

    name: str
    accuracy: str
    against: str  # how sure the difference is


@dataclass(frozen=True)
class Head:
    """What stands at the top of the page."""

    accuracy: str | None
    title: str  # whose accuracy it is
    interval: str
    rivals: list[Rival]
    facts: list[tuple[str, str]]
    warnings: list[str]


def head(source: Source) -> Head:
    """Returns the answer: the ensemble's accuracy, or the best baseline's where no network was trained."""
    scores, title = (source.metrics.get("ensemble") or {}).get("holdout"), "ensemble accuracy"
    baseline = None if source.done else best_baseline(source)
    if baseline:
        scores, title = baseline.result["holdout"], f"accuracy of the best baseline ({TITLES[baseline.name]})"
    return Head(
        accuracy=percent(scores["accuracy"]) if scores else None,
        title=title,
        interval=_interval(scores) if scores else "",
        rivals=rivals(source) if scores and not baseline else [],
        facts=_run_facts(source),
        warnings=warnings(source),
    )


def rivals(source: Source) -> list[Rival]:
    """Returns the best member, the mean member and the best baseline, each with its distance to the ensemble."""
    found = []
    if source.best and source.best.accuracy is not None and source.best.prediction:
        against = _against(source, source.best.prediction)
        found.append(Rival(f"best member ({source.best.name})", percent(source.best.accuracy), against))
        accuracies = [member.accuracy for member in source.scored if member.accuracy is not None]
        if len(accuracies) > 1:
            spread = f"± {100 * np.std(accuracies, ddof=1):.2f} points (standard deviation)"
            found.append(Rival(f"mean of {len(accuracies)} members", percent(float(np.mean(accuracies))), spread))
    best = best_baseline(source)
    if best:
        against = _against(source, best.prediction) if best.prediction else ""
        found.append(
            Rival(f"best baseline ({TITLES[best.name]})", percent(best.result["holdout"]["accuracy"]), against)
        )
    return found


def best_baseline(source: Source) -> BaselineRecord | None:
    """Returns the most accurate classical model; None without any that was scored."""
    scored = [one for one in source.baselines if one.result.get("holdout")]
    return max(scored, key=lambda one: one.result["holdout"]["accuracy"], default=None)


def _against(source: Source, prediction: Any) -> str:
    """Says how the ensemble and another model differ on the rows that both scored, with McNemar's p."""
    if source.holdout is None:
        return ""
    rows, proba, labels = source.holdout
    other = facts.aligned(prediction, rows)
    test = facts.compare(proba.argmax(axis=1), other, labels)
    if test is None:
        return ""
    chance = "hardly chance" if test.p_value < CHANCE else "may be chance"
    return (
        f"of {(other >= 0).sum():,} rows that both scored, the ensemble alone is right on {test.only_a_right:,}, "
        f"this alone on {test.only_b_right:,}: {chance} (McNemar’s {p_text(test.p_value)})"
    )


def _interval(scores: Mapping[str, Any]) -> str:
    low, high = scores["accuracy_ci95"]
    unseen = "each scored only by models that never saw it"
    return f"95 % interval {100 * low:.2f} to {100 * high:.2f} %, n = {scores['rows']:,} rows, {unseen}"


def warnings(source: Source) -> list[str]:
    """Returns what a reader must know before he trusts or misses something."""
    found = []
    if not source.metrics:
        found.append("No member was finished when this page was drawn, so there are no results yet.")
    elif not source.done and source.baselines:
        found.append("Classical models alone: no network is trained. `digits-ray run` with this --out adds them.")
    elif source.metrics.get("status") != "done":
        found.append(
            f"The run was not over when this page was drawn: {len(source.done)} of {len(source.members)} members are "
            "finished. If it was stopped, the same command goes on."
        )
    failed = [member for member in source.members if member.status == "failed"]
    retry = "the same command tries it again"
    found += [f"Member {member.spec.member_id} was given up ({retry}): {member.error}" for member in failed]
    if source.config.split.scheme == "none":
        found.append("No rows were held out (split.scheme: none), so accuracy is not known.")
    if source.metrics and not source.data.get("test_rows"):
        found.append("There was no test file, so there is no submission.")
    if not source.baselines:
        found.append("No baselines were fitted, so the ensemble is not held against classical models.")
    if source.dataset is None:
        found.append("dataset.npz is missing: the run was made by an older version or stopped before training.")
    return found


def _run_facts(source: Source) -> list[tuple[str, str]]:
    timing, environment = source.metrics.get("timing", {}), source.metrics.get("environment", {})
    epochs = sorted({len(member.history) for member in source.done})
    trained = f"{len(source.done)} of {len(source.members)} networks ({', '.join(source.config.members.architectures)})"
    if epochs:
        span = f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]} to {epochs[-1]}"
        trained += f", {span} {'epoch' if span == '1' else 'epochs'} each"
    found = [("Trained", trained), ("On", _rows(source))]
    if timing:
        together = f"the members’ training adds up to {duration(timing['member_seconds'])}"
        found.append(("Time", f"{duration(timing['wall_seconds'])} in all; {together}"))
    if environment.get("plan"):
        found.append(("Machine", f"{environment['plan']}"))
    place = _place(source)
    if layout.SUBMISSION in source.files:
        found.append(("Submission", joined(place, layout.SUBMISSION)))
    found.append(("Same run again", again(source)))
    return found


def _rows(source: Source) -> str:
    data, counts = source.data, source.metrics.get("data", {})
    where = source.facts.get("train_source") or source.config.data.train or "built-in digits"
    if not data:
        return f"{where}"
    size = f"{data['height']} × {data['width']} pixels, {len(data['classes'])} classes"
    split = f" ({counts['train_rows']:,} trained on, {counts['holdout_rows']:,} scored)" if counts else ""
    return f"{data['train_rows']:,} labelled images{split}, {data['test_rows']:,} test images; {size}; {where}"


def again(source: Source) -> str:
    """Returns the command that gives the same run."""
    command = "run" if source.done or not source.baselines else "tune"
    return f"digits-ray {command} --config {joined(_place(source), layout.CONFIG)} --out NEW_DIRECTORY"


def _place(source: Source) -> str:
    """Returns the run directory as the user named it."""
    return source.config.out or source.directory.store.uri
