"""The audit of labels."""

import numpy as np

from digits_ray.ensemble.label_audit import COLUMNS, label_issues, label_issues_csv

PROBA = np.array([[0.9, 0.1], [0.3, 0.7], [0.99, 0.01], [0.2, 0.8]], np.float32)


def test_contradicted_labels_come_by_certainty_and_confirmed_ones_not_at_all() -> None:
    issues = label_issues(np.array([4, 7, 9, 12]), PROBA, np.array([0, 0.5, 0.25, 0]), np.array([0, 0, 1, 1]))
    assert [(issue.row_id, issue.label, issue.predicted) for issue in issues] == [(9, 1, 0), (7, 0, 1)]
    assert [issue.agreement for issue in issues] == [0.75, 0.5]
    assert [issue.is_likely_wrong for issue in issues] == [True, True]


def test_the_file_counts_rows_from_one_and_has_labels_as_they_were_given() -> None:
    issues = label_issues(np.array([4, 7]), PROBA[2:], np.array([0.25, 0]), np.array([1, 1]))
    head, line = label_issues_csv(issues, ("a,b", "zwei"), lambda row_id: row_id + 1).splitlines()
    assert head.split(",") == list(COLUMNS)
    assert line == '5,zwei,"a,b",0.990000,0.010000,0.750000,false'


def test_without_held_out_rows_there_are_no_issues() -> None:
    none = np.zeros(0, int)
    issues = label_issues(none, np.zeros((0, 2), np.float32), np.zeros(0), none)
    assert label_issues_csv(issues, (0, 1), lambda row_id: row_id) == ",".join(COLUMNS) + "\n"
