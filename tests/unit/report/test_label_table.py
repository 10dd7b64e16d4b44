"""The audit of labels on the page."""

import csv
from pathlib import Path

from report_runs import make_run

from digits_ray.report.label_table import SHOWN, label_issues_table
from digits_ray.report.run_contents import RunContents, read_run


def contents(folder: Path, **settings: object) -> RunContents:
    return read_run(make_run(folder / "run", models=False, baselines=False, **settings))  # type: ignore[arg-type]


def test_the_table_begins_as_the_file_does_with_an_image_in_each_line(tmp_path: Path) -> None:
    run = contents(tmp_path, labelled=1000, skill=0.8, names=("<b>", "zwei", "c", "d"))
    with (tmp_path / "run" / "label_issues.csv").open() as file:
        lines = list(csv.DictReader(file))
    table = label_issues_table(run)
    assert table and len(table.rows) == SHOWN < len(lines)
    for shown, line in zip(table.rows, lines[:SHOWN], strict=True):
        assert [shown[0], shown[2], shown[3]] == [line["row"], line["label"], line["predicted"]]
        assert shown[1].startswith('<img src="data:image/png;base64,') and "<b>" not in shown[1]
    assert f"The most certain {SHOWN} of {len(lines):,}" in table.note and "All are in label_issues.csv" in table.note


def test_the_file_names_rows_that_the_ensemble_contradicts_and_no_others(tmp_path: Path) -> None:
    run = contents(tmp_path, labelled=1000)
    assert run.holdout
    predicted = run.holdout.proba.argmax(axis=1)
    wrong = run.holdout.row_ids[predicted != run.holdout.labels] + 1
    with (tmp_path / "run" / "label_issues.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert sorted(int(line["row"]) for line in lines) == wrong.tolist() != []
    confidences = [float(line["confidence"]) for line in lines]
    assert confidences == sorted(confidences, reverse=True)


def test_a_run_without_contradicted_labels_has_no_table(tmp_path: Path) -> None:
    assert label_issues_table(contents(tmp_path, skill=9.0)) is None


def test_a_run_without_held_out_rows_has_no_file(tmp_path: Path) -> None:
    assert label_issues_table(contents(tmp_path, split__scheme="none")) is None
    assert not (tmp_path / "run" / "label_issues.csv").exists()


def test_an_image_that_was_not_saved_costs_no_more_than_itself(tmp_path: Path) -> None:
    make_run(tmp_path / "run", models=False, baselines=False, labelled=1000)
    (tmp_path / "run" / "cases.npz").unlink()
    table = label_issues_table(read_run(str(tmp_path / "run")))
    assert table and {row[1] for row in table.rows} == {"–"}


def test_images_in_colour_are_shown_in_colour(tmp_path: Path) -> None:
    table = label_issues_table(contents(tmp_path, labelled=1000, colour=True))
    assert table and all(row[1].startswith("<img") for row in table.rows)
