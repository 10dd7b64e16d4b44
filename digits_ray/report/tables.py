"""The tables of the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from digits_ray.config import architecture_name, loading
from digits_ray.report.formatting import duration, percent
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.run_contents import MemberContents, RunContents


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
        ("Test images", _test_images(run)),
        ("Size", f"{run.image_text}, values {low} to {high}"),
        ("Missing values", "none: files with missing values are refused"),
        ("Duplicates among labelled images", f"{duplicates['train']:,} (kept on one side of the split)"),
        ("Test images that are also labelled", f"{duplicates['train_test']:,}"),
        ("Duplicates among test images", f"{duplicates['test']:,}"),
        ("Equal images with different labels", f"{duplicates['conflicting_labels']:,}"),
        *(("Note", note) for note in facts["notes"]),
    ]
    return Table("Checked before training", ("What", "Found"), rows)


def _test_images(run: RunContents) -> str:
    rows, origin = run.data["test_rows"], run.dataset_facts["test_source"]
    return f"{rows:,}, from {origin}" if rows else "none"


def members_table(run: RunContents) -> Table:
    """One line for each member."""
    columns = ("Member", "Architecture", "Status", "Holdout accuracy", "NLL", "Images/s", "Attempts", "Time", "Seed")
    return Table("All members", columns, [_member_row(member) for member in run.members])


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
    columns = ("Rank", "Model", "Kind", "Rows", "Accuracy", "95 % interval", "NLL", "Brier", "ECE")
    note = "NLL: negative log-likelihood, nats a row. Brier: 0 to 2. ECE: expected calibration error. Lower is better."
    return Table("All models", columns, [_leaderboard_row(line) for line in run.leaderboard], note)


def _leaderboard_row(line: Mapping[str, str]) -> list[str]:
    low, high = 100 * float(line["accuracy_low"]), 100 * float(line["accuracy_high"])
    scores = [f"{float(line[name]):.4f}" for name in ("nll", "brier", "ece")]
    accuracy = f"{100 * float(line['accuracy']):.2f} %"
    return [line["rank"], line["model"], line["kind"], line["rows"], accuracy, f"{low:.2f}–{high:.2f} %", *scores]


def environment_tables(run: RunContents) -> list[Table | Code]:
    """Versions, fingerprints and the configuration."""
    tables: list[Table | Code] = []
    environment = {key: str(value) for key, value in run.metrics.get("environment", {}).items() if value is not None}
    if environment:
        tables.append(Table("Versions and machine", ("What", "Value"), list(environment.items())))
    fingerprints = {key: value for key, value in run.data.items() if key != "classes"}
    rows = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in fingerprints.items()]
    tables.append(Table("Fingerprints of the data and the split", ("What", "Value"), rows))
    text = yaml.safe_dump(loading.config_to_dict(run.config), sort_keys=False, allow_unicode=True)
    return [*tables, Code("Configuration (config.yaml)", text)]
