"""What the page says under k folds, where an accuracy is not the whole ensemble's."""

from pathlib import Path
from typing import Any

from report_runs import make_run

from digits_ray.report.label_table import label_issues_table
from digits_ray.report.missing import missing_from_cases
from digits_ray.report.run_contents import RunContents, read_run
from digits_ray.report.summary import summarize


def run_with(folder: Path, members: int, **flags: Any) -> RunContents:
    return read_run(make_run(folder / "run", members=members, models=False, split__folds=3, **flags))


def test_of_several_networks_a_row_the_page_says_how_many_and_compares_them(tmp_path: Path) -> None:
    summary = summarize(run_with(tmp_path, 6, split__scheme="kfold"))
    assert summary.title == "accuracy of 2 networks a row, not the ensemble"
    _, best_member, _ = summary.comparisons
    assert "a row’s networks alone are right on" in best_member.difference
    assert "McNemar" in best_member.difference


def test_one_network_a_row_is_neither_compared_with_itself_nor_in_agreement(tmp_path: Path) -> None:
    run = run_with(tmp_path, 3, split__scheme="kfold")
    summary = summarize(run)
    assert summary.title == "accuracy of 1 network a row, not the ensemble"
    _, best_member, baseline = summary.comparisons
    assert best_member.difference == ""
    assert "McNemar" in baseline.difference
    table = label_issues_table(run)
    assert table is not None
    assert {row[table.columns.index("Models agreeing")] for row in table.rows} == {""}
    assert "One network scored each held-out image: none is disputed." in missing_from_cases(run, "")


def test_after_a_holdout_the_accuracy_is_the_ensembles(tmp_path: Path) -> None:
    summary = summarize(run_with(tmp_path, 6))
    assert summary.title == "ensemble accuracy"
    _, best_member, _ = summary.comparisons
    assert "the ensemble alone is right on" in best_member.difference
