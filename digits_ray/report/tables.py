"""The tables of the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from digits_ray.config import loading
from digits_ray.report.formatting import duration, percent
from digits_ray.report.network import Inspection
from digits_ray.report.source import MemberRecord, Source


@dataclass(frozen=True)
class Table:
    """A table of the page; the first column names the line."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Code:
    """A text to copy."""

    title: str
    text: str


def data_table(source: Source) -> Table:
    """What was found in the data before training."""
    found = source.facts
    same, (low, high) = found["duplicates"], found["value_range"]
    rows = [
        ("Labelled images", f"{source.data['train_rows']:,}, from {found['train_source']}"),
        ("Test images", _test_images(source)),
        ("Size", f"{source.data['height']} × {source.data['width']} pixels, values {low} to {high}"),
        ("Missing values", "none: files with missing values are refused"),
        ("Duplicates among labelled images", f"{same['train']:,} (kept on one side of the split)"),
        ("Test images that are also labelled", f"{same['train_test']:,}"),
        ("Duplicates among test images", f"{same['test']:,}"),
        ("Equal images with different labels", f"{same['conflicting_labels']:,}"),
        *(("Note", note) for note in found["notes"]),
    ]
    return Table("Checked before training", ("What", "Found"), rows)


def _test_images(source: Source) -> str:
    rows, where = source.data["test_rows"], source.facts["test_source"]
    return f"{rows:,}, from {where}" if rows else "none"


def members_table(source: Source) -> Table:
    """One line for each member."""
    columns = ("Member", "Architecture", "Status", "Holdout accuracy", "NLL", "Images/s", "Attempts", "Time", "Seed")
    return Table("All members", columns, [_member_row(member) for member in source.members])


def _member_row(member: MemberRecord) -> list[str]:
    result = member.result or {}
    scores = result.get("holdout") or {}
    return [
        str(member.spec.member_id),
        member.spec.architecture,
        member.status,
        percent(scores["accuracy"]) if scores else "–",
        f"{scores['nll']:.4f}" if scores else "–",
        f"{result['images_per_second']:,.0f}" if result else "–",
        str(result.get("attempts", "–")),
        duration(result["fit_seconds"]) if result else "–",
        str(member.spec.seed),
    ]


def summary_table(inspection: Inspection, member: MemberRecord) -> Table:
    """The layers of one model."""
    rows = [(layer.name, layer.kind, layer.shape, f"{layer.parameters:,}") for layer in inspection.layers]
    total = sum(layer.parameters for layer in inspection.layers)
    title = f"The network of {member.name} ({member.spec.architecture}): {total:,} parameters"
    return Table(title, ("Layer", "Kind", "Output", "Parameters"), rows)


def leaderboard_table(source: Source) -> Table | None:
    """leaderboard.csv for people; None without scored rows."""
    lines = source.leaderboard
    if not lines:
        return None
    columns = ("Rank", "Model", "Kind", "Rows", "Accuracy", "95 % interval", "NLL", "Brier", "ECE")
    note = "NLL: negative log-likelihood, nats a row. Brier: 0 to 2. ECE: expected calibration error. Lower is better."
    return Table("All models", columns, [_leader_row(line) for line in lines], note)


def _leader_row(line: Mapping[str, str]) -> list[str]:
    low, high = 100 * float(line["accuracy_low"]), 100 * float(line["accuracy_high"])
    scores = [f"{float(line[name]):.4f}" for name in ("nll", "brier", "ece")]
    accuracy = f"{100 * float(line['accuracy']):.2f} %"
    return [line["rank"], line["model"], line["kind"], line["rows"], accuracy, f"{low:.2f}–{high:.2f} %", *scores]


def environment_parts(source: Source) -> list[Table | Code]:
    """Versions, fingerprints and the whole configuration."""
    parts: list[Table | Code] = []
    environment = {key: str(value) for key, value in source.metrics.get("environment", {}).items() if value is not None}
    if environment:
        parts.append(Table("Versions and machine", ("What", "Value"), list(environment.items())))
    prints = {key: value for key, value in source.data.items() if key != "classes"}
    rows = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in prints.items()]
    parts.append(Table("Fingerprints of the data and the split", ("What", "Value"), rows))
    text = yaml.safe_dump(loading.config_to_dict(source.config), sort_keys=False, allow_unicode=True)
    return [*parts, Code("Configuration (config.yaml)", text)]
