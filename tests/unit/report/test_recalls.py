"""Balanced accuracy and recalls, a given holdout and groups, as the page tells of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
from report_runs import _data, _fill, make_run, state_at

from digits_ray.data.holdout import Holdout, add_holdout
from digits_ray.ensemble import recalls
from digits_ray.report import draw_cases, tables
from digits_ray.report.label_table import label_issues_table
from digits_ray.report.run_contents import RunContents, read_run
from digits_ray.report.summary import repeat_command, summarize
from digits_ray.storage import layout


@pytest.fixture
def run(tmp_path: Path) -> RunContents:
    return read_run(make_run(tmp_path / "run", models=False))


def test_the_table_of_recalls_has_every_class_with_its_interval_the_lowest_first(run: RunContents) -> None:
    table = tables.recalls_table(run)
    assert table is not None and run.holdout is not None
    assert table.columns == ("Class", "Rows", "Ensemble", "95 % interval", "Best member", "Best baseline")
    expected = recalls(run.holdout.proba, run.holdout.labels)
    shown = [float(row[2].removesuffix(" %")) for row in table.rows]
    assert shown == sorted(shown)
    assert sorted(row[0] for row in table.rows) == run.class_names
    for name, rows, recall, interval, *_ in table.rows:
        one = expected[run.class_names.index(name)]
        assert one.recall is not None and one.ci95 is not None
        low, high = one.ci95
        assert (rows, recall) == (str(one.rows), f"{100 * one.recall:.2f} %")
        assert interval == f"{100 * low:.2f}–{100 * high:.2f} %"


def test_of_very_many_classes_the_lowest_recalls_are_shown(run: RunContents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHOWN_RECALLS", 2)
    table = tables.recalls_table(run)
    assert table is not None
    assert len(table.rows) == 2
    assert table.note.endswith("The 2 lowest of 4 classes are shown.")


def test_the_head_names_balanced_accuracy_and_the_lowest_recall(run: RunContents) -> None:
    scores = run.metrics["ensemble"]["holdout"]
    worst = min(scores["recall"], key=lambda name: scores["recall"][name]["recall"])
    balanced = summarize(run).balanced
    assert f"balanced accuracy {100 * scores['balanced_accuracy']:.2f} %" in balanced
    assert f"lowest: class {worst}, " in balanced


def test_the_leaderboard_has_the_balanced_accuracy_of_every_model_but_those_of_earlier_releases(
    run: RunContents,
) -> None:
    table = tables.leaderboard_table(run)
    assert table is not None
    column = table.columns.index("Balanced")
    assert all(row[column].endswith(" %") for row in table.rows)
    for line in run.leaderboard:
        del line["balanced_accuracy"]
    table = tables.leaderboard_table(run)
    assert table is not None
    assert {row[column] for row in table.rows} == {"–"}


def test_a_run_without_scores_has_no_recalls(tmp_path: Path) -> None:
    unscored = read_run(make_run(tmp_path / "run", models=False, split__scheme="none"))
    assert tables.recalls_table(unscored) is None
    assert summarize(unscored).balanced == ""


@pytest.fixture
def with_holdout(tmp_path: Path) -> RunContents:
    """A run with groups, of whose 60 given held-out images 20 are trained on."""
    data = _data(4, 8, 240, 30, None)
    train = slice(200)
    groups = (np.arange(200) // 10).astype(np.int32)
    parts = {"images": data.images[train], "labels": data.labels[train], "groups": groups}
    holdout = Holdout("holdout.csv", data.images[180:], data.labels[180:], data.classes)
    state = state_at(tmp_path / "with_holdout", 2, add_holdout(type(data)(**vars(data) | parts), holdout))
    _fill(state, 0.5, 2, None, 2, baselines=False, models=False)
    state.directory.close()
    return read_run(state.directory.store.uri)


def test_held_out_images_that_are_trained_on_are_warned_of_with_the_accuracy_without_them(
    with_holdout: RunContents,
) -> None:
    summary = summarize(with_holdout)
    (warning,) = [text for text in summary.warnings if "training images too" in text]
    unseen = with_holdout.metrics["ensemble"]["holdout"]["without_training_images"]
    assert warning.startswith("20 of the 60 held-out images are training images too. Without them, ")
    assert f"accuracy is {100 * unseen['accuracy']:.2f} % (95 % interval" in warning
    assert "never saw" not in summary.interval


def test_the_table_of_the_data_counts_a_given_holdout_and_the_groups(with_holdout: RunContents) -> None:
    rows = dict(tables.data_table(with_holdout).rows)
    assert rows["Labelled images"] == "200, from train.csv"
    assert rows["Held-out images, given"] == "60, from holdout.csv"
    assert rows["Held-out images that are trained on too"] == "20"
    assert rows["Groups"] == "20 (each kept on one side of every split)"


def test_a_held_out_row_is_named_by_its_number_in_its_own_file(with_holdout: RunContents, run: RunContents) -> None:
    assert [with_holdout.row_number(row) for row in (0, 199, 200, 259)] == [1, 200, 1, 60]
    assert run.row_number(239) == 240
    assert with_holdout.holdout is not None
    (case,) = draw_cases._cases(with_holdout, np.array([with_holdout.case_images["rows"][0] - 200]))  # type: ignore[index]
    assert 1 <= case.row_number <= 60


def test_contradicted_labels_too_are_named_by_their_rows_in_the_given_holdout(with_holdout: RunContents) -> None:
    file = Path(with_holdout.directory.store.uri, "label_issues.csv").read_text()
    written = [line["row"] for line in csv.DictReader(file.splitlines())]
    table = label_issues_table(with_holdout)
    assert table is not None
    assert [row[0] for row in table.rows] == written[: len(table.rows)]
    assert all(1 <= int(row) <= 60 for row in written)


def test_the_same_run_on_arrays_needs_them_all_again(with_holdout: RunContents) -> None:
    with_holdout.data["source"] = "arrays"  # type: ignore[index]
    call = repeat_command(with_holdout)
    assert call.endswith("train=(images, labels), test=images, holdout=(images, labels), groups=groups)")
    assert layout.CONFIG in call
