"""The head of the page: the accuracy first, then what was trained on what, and how to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.config import architecture_name, own_network_words
from digits_ray.data import ARRAYS
from digits_ray.ensemble import Prediction
from digits_ray.pasteable import pasteable
from digits_ray.report import statistics
from digits_ray.report.distillation import distillation_lines
from digits_ray.report.formatting import BASELINE_TITLES, SIGNIFICANCE, best_of, duration, p_value_text, percent
from digits_ray.report.run_contents import RunContents, best_baseline
from digits_ray.report.which_networks import accuracy_on_test_rows, failed_refits, which_networks
from digits_ray.storage import joined, layout


@dataclass(frozen=True)
class Comparison:
    """A model, or several, that the ensemble is compared with."""

    name: str
    accuracy: str
    difference: str  # from the ensemble, and how certain it is


@dataclass(frozen=True)
class Summary:
    """What the head of the page shows."""

    accuracy: str | None
    title: str  # whose accuracy it is
    interval: str
    balanced: str  # "" where it is not known
    comparisons: list[Comparison]
    facts: list[tuple[str, str]]
    warnings: list[str]


def summarize(run: RunContents) -> Summary:
    """Returns the ensemble's accuracy, or the best baseline's where no network was trained, and facts of the run."""
    networks = run.networks_per_row
    title = f"accuracy of {networks}" if networks else f"{run.model_name} accuracy"
    scores = (run.metrics.get("ensemble") or {}).get("holdout")
    baseline = None if run.finished_members else best_baseline(run)
    if baseline:
        scores, title = baseline.result["holdout"], f"accuracy of the best baseline ({BASELINE_TITLES[baseline.name]})"
    return Summary(
        accuracy=percent(scores["accuracy"]) if scores else None,
        title=title,
        interval=_interval(scores) if scores else "",
        balanced=_balanced(scores) if scores else "",
        comparisons=comparisons(run) if scores and not baseline else [],
        facts=_run_facts(run),
        warnings=warnings(run),
    )


def comparisons(run: RunContents) -> list[Comparison]:
    """Returns the mean member, the best member and the best baseline, the latter two compared with the ensemble."""
    compared = []
    accuracies = [scored.accuracy for scored in run.scored_members if scored.accuracy is not None]
    member = run.member_beside_ensemble
    if member and len(accuracies) > 1:
        spread = f"what one network gives: ± {100 * np.std(accuracies, ddof=1):.2f} points (standard deviation)"
        compared.append(Comparison(f"mean of {len(accuracies)} members", percent(float(np.mean(accuracies))), spread))
    if member and member.accuracy is not None and (prediction := member.prediction):
        difference = "" if run.one_network_scores else _difference(run, prediction, best_of(len(accuracies), "members"))
        compared.append(Comparison(f"best member ({member.name})", percent(member.accuracy), difference))
    if baseline := best_baseline(run):
        choice = best_of(sum(bool(searched.result.get("holdout")) for searched in run.baselines), "baselines")
        difference = _difference(run, baseline.prediction, choice) if baseline.prediction else ""
        name = f"best baseline ({BASELINE_TITLES[baseline.name]})"
        compared.append(Comparison(name, percent(baseline.result["holdout"]["accuracy"]), difference))
    return compared


def _balanced(scores: Mapping[str, Any]) -> str:
    """Returns the ensemble's balanced accuracy and its lowest recall; "" of a run of an earlier release."""
    known = {name: recall for name, recall in scores.get("recall", {}).items() if recall["recall"] is not None}
    if not known:
        return ""
    worst = min(known, key=lambda name: known[name]["recall"])
    lowest = f"lowest: class {worst}, {percent(known[worst]['recall'])} of {known[worst]['rows']:,} rows"
    return f"balanced accuracy {percent(scores['balanced_accuracy'])}, the mean of the classes’ recalls; {lowest}"


def _difference(run: RunContents, prediction: Prediction, choice: str) -> str:
    """Returns how the ensemble and another model, chosen so, differ on the rows that both scored, with McNemar's p."""
    if run.holdout is None:
        return ""
    other = statistics.top_classes(prediction, run.holdout.row_ids)
    test = statistics.compare(run.holdout.proba.argmax(axis=1), other, run.holdout.labels)
    if test is None:
        return ""
    significant = "significant" if test.p_value < SIGNIFICANCE else "not significant"
    subject = "a row’s networks alone are" if run.networks_per_row else f"the {run.model_name} alone is"
    return (
        f"of {(other >= 0).sum():,} rows that both scored, {subject} right on {test.only_a_right:,}, "
        f"this alone on {test.only_b_right:,}: {significant} at {100 * SIGNIFICANCE:.0f} % "
        f"(McNemar’s {p_value_text(test.p_value)}){choice}"
    )


def _interval(scores: Mapping[str, Any]) -> str:
    low, high = scores["accuracy_ci95"]
    unseen = "" if scores.get("without_training_images") else ", each scored only by models that never saw it"
    return f"95 % interval {100 * low:.2f} to {100 * high:.2f} %, n = {scores['rows']:,} rows{unseen}"


def warnings(run: RunContents) -> list[str]:
    """Returns what a reader must know before he trusts a number or misses one."""
    texts = []
    if not run.metrics:
        texts.append("No member was finished when this page was drawn, so there are no results yet.")
    elif not run.finished_members and run.baselines:
        texts.append("Classical models alone: no network is trained. `digits-ray run` with this --out adds them.")
    elif run.metrics.get("status") != "done":
        texts.append(
            f"The run was not over when this page was drawn: {len(run.finished_members)} of {len(run.members)} members "
            "are finished. If it was stopped, the same command goes on."
        )
    failed = [member for member in run.members if member.status == "failed"]
    retry = "the same command tries it again"
    texts += [f"Member {member.spec.member_id} was given up ({retry}): {member.error}" for member in failed]
    texts += _trained_on_warning(run)
    texts += [
        f"Member {member['id']} could not be trained once more, so its first network votes ({retry}): "
        f"{member['refit']['error']}"
        for member in failed_refits(run.metrics)
    ]
    if run.config.split.scheme == "none":
        texts.append("No rows were held out (split.scheme: none), so accuracy is not known.")
    if run.metrics and not run.data.get("test_rows"):
        texts.append("There was no test file, so there is no submission.")
    if not run.baselines:
        texts.append(f"No baselines were fitted, so the {run.model_name} is not compared with classical models.")
    if run.dataset is None:
        texts.append("dataset.npz is missing: the run was made by an older version or stopped before training.")
    return texts


def _trained_on_warning(run: RunContents) -> list[str]:
    """Returns how accurate the ensemble is without those rows of a given holdout that it was trained on."""
    scores = (run.metrics.get("ensemble") or {}).get("holdout") or {}
    unseen = scores.get("without_training_images")
    if not unseen:
        return []
    low, high = unseen["accuracy_ci95"]
    return [
        f"{scores['rows'] - unseen['rows']:,} of the {scores['rows']:,} held-out images are training images too. "
        f"Without them, the ensemble’s accuracy is {percent(unseen['accuracy'])} (95 % interval {100 * low:.2f} to "
        f"{100 * high:.2f} %, n = {unseen['rows']:,})."
    ]


def _run_facts(run: RunContents) -> list[tuple[str, str]]:
    timing, environment = run.metrics.get("timing", {}), run.metrics.get("environment", {})
    facts = [("Trained", _trained(run)), ("On", _rows(run))]
    if networks := which_networks(run.metrics):
        facts.append(("Which networks", networks))
    if test := accuracy_on_test_rows(run.metrics):
        facts.append(("Test rows", test))
    facts += distillation_lines(run.metrics)
    if timing:
        members = f"the members’ training adds up to {duration(timing['member_seconds'])}"
        facts.append(("Time", f"{duration(timing['wall_seconds'])} without this report; {members}"))
    if environment.get("plan"):
        facts.append(("Machine", f"{environment['plan']}"))
    if layout.SUBMISSION in run.files:
        facts.append(("Submission", joined(_out(run), layout.SUBMISSION)))
    facts.append(("Same run again", repeat_command(run)))
    return facts


def _trained(run: RunContents) -> str:
    architectures = ", ".join(map(architecture_name, run.config.members.architectures))
    networks = f"{len(run.finished_members)} of {len(run.members)} networks ({architectures})"
    epochs = sorted({len(member.history) for member in run.finished_members})
    if not epochs:
        return networks
    span = f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]} to {epochs[-1]}"
    return f"{networks}, {span} {'epoch' if span == '1' else 'epochs'} each"


def _rows(run: RunContents) -> str:
    data, counts = run.data, run.metrics.get("data", {})
    origin = run.dataset_facts.get("train_source") or run.config.data.train or "built-in digits"
    if not data:
        return f"{origin}"
    size = f"{run.image_text}, {len(data['classes'])} classes"
    split = f" ({counts['train_rows']:,} trained on, {counts['holdout_rows']:,} scored)" if counts else ""
    labelled = f"{data['train_rows'] + data['holdout_rows']:,} labelled images"
    return f"{labelled}{split}, {data['test_rows']:,} test images; {size}; {origin}"


def repeat_command(run: RunContents) -> str:
    """Returns the command that gives the same run, or the call in Python where arrays went in."""
    config_file = joined(_out(run), layout.CONFIG)
    if run.metrics.get("distillation"):
        return distil_command(run)
    if run.data.get("source") == ARRAYS:
        more = ", test=images" if run.data["test_rows"] else ""
        more += ", holdout=(images, labels)" if run.data["holdout_rows"] else ""
        more += ", groups=groups" if run.data["groups_sha256"] else ""
        config = f'load_config(file="{config_file}", flags={{"out": "NEW_DIRECTORY"}})'
        return f"run({config}, train=(images, labels){more})"
    command = "run" if run.finished_members or not run.baselines else "tune"
    return pasteable("digits-ray", command, "--config", config_file, "--out", "NEW_DIRECTORY")


def distil_command(run: RunContents) -> str:
    """Returns the command that gives the same distilled network."""
    recipe, network = run.config.members.recipe, run.config.members.architectures[0]
    own = own_network_words([network]) or ["--architecture", network]
    words = ("digits-ray", "distil", run.metrics["distillation"]["run"], *own)
    return pasteable(*words, *(() if recipe.min_steps else ("--epochs", str(recipe.epochs))))


def _out(run: RunContents) -> str:
    """Returns the run directory as the user named it."""
    return run.config.out or run.directory.store.uri
