"""Names and texts in two columns, and the facts about the data that are shown before training."""

import numpy as np
from rich.table import Table
from rich.text import Text

from digits_ray.config import SplitConfig
from digits_ray.data import TRAIN_ONLY, Data, DataCheck, channels_of

SHOWN_CLASSES = 20  # more are summed up by the rarest and the most frequent


def facts_table(facts: list[tuple[str, str]]) -> Table:
    """Lays names and texts out in two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, Text(text))
    return table


def facts_lines(facts: list[tuple[str, str]]) -> Text:
    """Lays names and texts out in two columns, each in one line however long it is."""
    width = max(len(name) for name, _ in facts) + 2
    return Text("\n").join(Text.assemble((name.ljust(width), "dim"), text) for name, text in facts)


def data_facts(data: Data, check: DataCheck, folds: np.ndarray, split: SplitConfig) -> list[tuple[str, str]]:
    """Returns what is known of the data before training, as names and texts.

    Args:
        data: The run's data.
        check: Counts of the data.
        folds: (labelled_rows,) int, from `split`.
        split: How the rows were split.
    """
    sources = [data.train_source, data.holdout_source or data.train_source, data.test_source or data.train_source]
    source = ", ".join(dict.fromkeys(sources))
    height, width = data.images.shape[1:3]
    colour = ", in colour" if channels_of(data.images.shape[1:]) > 1 else ""
    low, high = check.value_range
    return [
        ("data", source),
        ("rows", _rows_fact(data, folds, split)),
        ("images", f"{height}×{width}{colour}, values {low} to {high}, no missing values"),
        ("classes", _classes_fact(check)),
        ("duplicates", _duplicates_fact(check, bool(len(data.test_images)))),
        *_holdout_facts(data, check),
        *_group_facts(data),
        *(("note", note) for note in data.notes),
    ]


def _rows_fact(data: Data, folds: np.ndarray, split: SplitConfig) -> str:
    scored = int((folds != TRAIN_ONLY).sum())
    usage = {
        "holdout": f"{len(folds) - scored:,} to train on, {scored:,} held out",
        "kfold": f"each held out once, in {split.folds} folds",
        "none": "all to train on: no accuracy will be known",
    }
    test = f" · {len(data.test_images):,} test" if len(data.test_images) else " · no test rows: no submission"
    return f"{len(folds):,} labelled ({usage[split.scheme]}){test}"


def _holdout_facts(data: Data, check: DataCheck) -> list[tuple[str, str]]:
    trained_on = check.duplicates.get("train_holdout", 0)
    if not trained_on:
        return []
    text = f"{trained_on:,} of the {data.holdout_rows:,} held-out images are training images too"
    return [("WARNING", f"{text}, so the accuracy may be too high; that without them follows at the end")]


def _group_facts(data: Data) -> list[tuple[str, str]]:
    if data.groups is None:
        return []
    groups = len(np.unique(data.groups[: data.train_rows]))
    return [("groups", f"{groups:,}: the rows of each stay on one side of every split")]


def _classes_fact(check: DataCheck) -> str:
    counts = check.class_counts
    if len(counts) <= SHOWN_CLASSES:
        return f"{len(counts)}: " + ", ".join(f"{name} ×{count:,}" for name, count in counts.items())
    rarest, commonest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return f"{len(counts)}: from {counts[rarest]:,} rows ({rarest}) to {counts[commonest]:,} ({commonest})"


def _duplicates_fact(check: DataCheck, has_test: bool) -> str:
    counts = check.duplicates
    texts = [f"{counts['train']:,} in the labelled rows"]
    if has_test:
        texts += [f"{counts['test']:,} in the test rows", f"{counts['train_test']:,} of the test rows in the labelled"]
    if counts["conflicting_labels"]:
        texts.append(f"{counts['conflicting_labels']:,} images with conflicting labels")
    return ", ".join(texts)
