"""What the report says of members that were trained once more: whose accuracies these are, and whose labels."""

import json
from pathlib import Path

from report_runs import make_run

from digits_ray.report.run_contents import read_run
from digits_ray.report.summary import summarize
from digits_ray.report.tables import members_table
from digits_ray.report.which_networks import which_networks


def test_the_report_says_which_networks_the_accuracies_are_of_and_which_the_labels(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", models=False, members__refit_on_all=True))
    facts = dict(summarize(run).facts)
    assert facts["Which networks"].startswith("All held-out accuracies are those of the first networks")
    assert "come from the 3 networks that were trained once more on all labelled rows." in facts["Which networks"]
    assert members_table(run).columns[-1] == "Trained once more"
    assert [row[-1] for row in members_table(run).rows] == ["done, 6 s"] * 3


def test_the_report_tells_the_accuracy_of_labelled_test_rows(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", models=False, test_labels=True, members__refit_on_all=True))
    assert " of 30 labelled test rows (95 % interval " in dict(summarize(run).facts)["Test rows"]
    table = members_table(run)
    assert table.columns[-2:] == ["Test accuracy", "Trained once more"]
    assert all(row[-2].endswith(" %") and "test accuracy" in row[-1] for row in table.rows)


def test_a_report_without_refits_says_nothing_of_them(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", models=False))
    assert "Which networks" not in dict(summarize(run).facts)
    assert "Test rows" not in dict(summarize(run).facts)
    assert members_table(run).columns[-1] == "Seed"


def test_a_refit_that_was_given_up_is_warned_of_with_its_reason(tmp_path: Path) -> None:
    place = make_run(tmp_path / "run", models=False, members__refit_on_all=True)
    file = Path(place, "metrics.json")
    metrics = json.loads(file.read_text())
    metrics["members"][1]["refit"] = {"status": "failed", "attempts": 3, "error": "ValueError: odd sides"}
    metrics["ensemble"]["refitted"] = [0, 2]
    file.write_text(json.dumps(metrics))
    run = read_run(place)
    assert any(
        text.startswith("Member 1 could not be trained once more, so its first network votes")
        and text.endswith("ValueError: odd sides")
        for text in summarize(run).warnings
    )
    assert members_table(run).rows[1][-1] == "failed"


def test_until_all_refits_are_done_the_first_networks_label_too() -> None:
    text = which_networks({"ensemble": {"members_used": 3, "refitted": []}})
    assert text.endswith("No refit votes yet: the same networks label the submission and predict.")
