"""The tables of the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from digits_ray.config import architecture_name, config_to_dict
from digits_ray.ensemble import Prediction, Recall, recalls
from digits_ray.report.formatting import duration, percent
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.run_contents import MemberContents, RunContents, best_baseline

SHOWN_RECALLS = 62  # classes in a table; EMNIST's letters and digits


@dataclass(frozen=True)
class Table:
    """A table of the page; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Code:
    """A text to copy."""

    title: str
    text: str


def data_table(run: RunContents) -> Table:
    """What the checks before training counted in the data."""
    facts = run.dataset_facts
    duplicates, (low, high) = facts["duplicates"], facts["value_range"]
    rows = [
        ("Labelled images", f"{run.data['train_rows']:,}, from {facts['train_source']}"),
        *_given_holdout(run),
        ("Test images", _test_images(run)),
        ("Size", f"{run.image_text}, values {low} to {high}"),
        ("Missing values", "none: files with missing values are refused"),
        *_groups(run),
        ("Duplicates among labelled images", f"{duplicates['train']:,} (kept on one side of the split)"),
        ("Test images that are also labelled", f"{duplicates['train_test']:,}"),
        ("Duplicates among test images", f"{duplicates['test']:,}"),
        ("Equal images with different labels", f"{duplicates['conflicting_labels']:,}"),
        *(("Note", note) for note in facts["notes"]),
    ]
    return Table("Checked before training", ("What", "Found"), rows)


def _given_holdout(run: RunContents) -> list[tuple[str, str]]:
    rows, facts = run.data.get("holdout_rows"), run.dataset_facts
    if not rows:
        return []
    trained_on = f"{facts['duplicates']['train_holdout']:,}"
    return [
        ("Held-out images, given", f"{rows:,}, from {facts['holdout_source']}"),
        ("Held-out images that are trained on too", trained_on),
    ]


def _groups(run: RunContents) -> list[tuple[str, str]]:
    groups = run.dataset_facts.get("groups")
    return [("Groups", f"{groups:,} (each kept on one side of every split)")] if groups else []


def _test_images(run: RunContents) -> str:
    rows, origin = run.data["test_rows"], run.dataset_facts["test_source"]
    return f"{rows:,}, from {origin}" if rows else "none"


def members_table(run: RunContents) -> Table:
    """One line for each member."""
    columns = ["Member", "Architecture", "Status", "Holdout accuracy", "NLL", "Images/s", "Attempts", "Time", "Seed"]
    rows = [_member_row(member) for member in run.members]
    metrics = {member["id"]: member for member in run.metrics.get("members", [])}
    recorded = [metrics.get(member.spec.member_id, {}) for member in run.members]
    if any("test" in member for member in recorded):
        columns.append("Test accuracy")
        rows = [[*row, _test_accuracy(member) or "–"] for row, member in zip(rows, recorded, strict=True)]
    if run.config.members.refit_on_all:
        columns.append("Trained once more")
        rows = [[*row, _refit_cell(member.get("refit", {}))] for row, member in zip(rows, recorded, strict=True)]
    return Table("All members", columns, rows)


def _refit_cell(refit: Mapping[str, Any]) -> str:
    if refit.get("status") != "done":
        return str(refit.get("status", "waiting"))
    test = f", test accuracy {_test_accuracy(refit)}" if "test" in refit else ""
    return f"done, {duration(refit['fit_seconds'])}{test}"


def _test_accuracy(fit: Mapping[str, Any]) -> str:
    return percent(fit["test"]["accuracy"]) if "test" in fit else ""


def _member_row(member: MemberContents) -> list[str]:
    result = member.result or {}
    scores = result.get("holdout") or {}
    return [
        str(member.spec.member_id),
        architecture_name(member.spec.architecture),
        member.status,
        percent(scores["accuracy"]) if scores else "–",
        f"{scores['nll']:.4f}" if scores else "–",
        f"{result['images_per_second']:,.0f}" if result else "–",
        str(result.get("attempts", "–")),
        duration(result["fit_seconds"]) if result else "–",
        str(member.spec.seed),
    ]


def layers_table(inspection: Inspection, member: MemberContents) -> Table:
    """The layers of one model."""
    rows = [(layer.name, layer.kind, layer.shape, f"{layer.parameters:,}") for layer in inspection.layers]
    total = sum(layer.parameters for layer in inspection.layers)
    title = f"The network of {member.name} ({architecture_name(member.spec.architecture)}): {total:,} parameters"
    without = (
        "" if inspection.convolutions else "It has no convolution layers, so no filters or feature maps are shown."
    )
    return Table(title, ("Layer", "Kind", "Output", "Parameters"), rows, without)


def leaderboard_table(run: RunContents) -> Table | None:
    """leaderboard.csv for people; None without scored rows."""
    if not run.leaderboard:
        return None
    columns = ("Rank", "Model", "Kind", "Rows", "Accuracy", "95 % interval", "Balanced", "NLL", "Brier", "ECE")
    note = (
        "Balanced: the mean of the classes’ recalls, so that a rare class counts as much as a frequent one. NLL: "
        "negative log-likelihood, nats a row. Brier: 0 to 2. ECE: expected calibration error. Of these three, lower is "
        "better."
    )
    lines = [line for line in run.leaderboard if not run.is_single_network or line["kind"] != "ensemble"]
    return Table("All models", columns, [_leaderboard_row(rank, line) for rank, line in enumerate(lines, 1)], note)


def _leaderboard_row(rank: int, line: Mapping[str, str]) -> list[str]:
    low, high = 100 * float(line["accuracy_low"]), 100 * float(line["accuracy_high"])
    scores = [f"{float(line[name]):.4f}" for name in ("nll", "brier", "ece")]
    accuracy, interval = percent(float(line["accuracy"])), f"{low:.2f}–{high:.2f} %"
    balanced = percent(float(line["balanced_accuracy"])) if line.get("balanced_accuracy") else "–"
    return [str(rank), line["model"], line["kind"], line["rows"], accuracy, interval, balanced, *scores]


def recalls_table(run: RunContents) -> Table | None:
    """The recall of each class, the lowest first; None without scored rows."""
    if run.holdout is None:
        return None
    in_order = recalls(run.holdout.proba, run.holdout.labels)
    scored = [
        (name, recall) for name, recall in zip(run.class_names, in_order, strict=True) if recall.recall is not None
    ]
    scored.sort(key=lambda named: (named[1].recall, -named[1].rows))
    others = {title: _recalls_of(run, prediction) for title, prediction in _compared_models(run)}
    rows = [
        [
            name,
            f"{recall.rows:,}",
            percent(recall.recall or 0),
            _interval(recall),
            *(other[name] for other in others.values()),
        ]
        for name, recall in scored[:SHOWN_RECALLS]
    ]
    shown = f" The {SHOWN_RECALLS} lowest of {len(scored)} classes are shown." if len(scored) > SHOWN_RECALLS else ""
    of_folds = " Member and baseline: of the rows that they scored." if run.config.split.scheme == "kfold" else ""
    note = f"Recall: of the class’s held-out rows, those predicted as it. The lowest comes first.{of_folds}{shown}"
    columns = ("Class", "Rows", run.model_name.capitalize(), "95 % interval", *others)
    return Table("Recall of each class", columns, rows, note)


def _compared_models(run: RunContents) -> list[tuple[str, Prediction]]:
    """Returns the best member and the best baseline, as far as they were scored."""
    models = [("Best member", run.member_beside_ensemble), ("Best baseline", best_baseline(run))]
    return [(title, prediction) for title, model in models if model and (prediction := model.prediction)]


def _recalls_of(run: RunContents, prediction: Prediction) -> dict[str, str]:
    """Returns a model's recall of each class on the rows that it scored, by the class's name."""
    assert run.dataset is not None
    labels = run.dataset["labels"][prediction.holdout_row_ids]
    if len(labels) == 0:
        return dict.fromkeys(run.class_names, "–")
    in_order = recalls(prediction.holdout_proba, labels)
    texts = ["–" if recall.recall is None else percent(recall.recall) for recall in in_order]
    return dict(zip(run.class_names, texts, strict=True))


def _interval(recall: Recall) -> str:
    low, high = recall.ci95 or (0.0, 1.0)
    return f"{100 * low:.2f}–{100 * high:.2f} %"


def environment_tables(run: RunContents) -> list[Table | Code]:
    """Versions, fingerprints and the configuration."""
    tables: list[Table | Code] = []
    environment = {key: str(value) for key, value in run.metrics.get("environment", {}).items() if value is not None}
    if environment:
        tables.append(Table("Versions and machine", ("What", "Value"), list(environment.items())))
    fingerprints = {key: value for key, value in run.data.items() if key != "classes"}
    rows = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in fingerprints.items()]
    tables.append(Table("Fingerprints of the data and the split", ("What", "Value"), rows))
    text = yaml.safe_dump(config_to_dict(run.config), sort_keys=False, allow_unicode=True)
    return [*tables, Code("Configuration (config.yaml)", text)]
