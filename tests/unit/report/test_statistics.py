"""The numbers behind the report's figures."""

import numpy as np
import pytest

from digits_ray.ensemble.metrics import ECE_BINS, ece
from digits_ray.ensemble.predictions import Prediction
from digits_ray.report import statistics
from digits_ray.report.formatting import duration, p_value_text, percent
from digits_ray.report.report_data import class_means
from digits_ray.report.search_curves import search_curves
from digits_ray.report.size_curve import ORDERS, accuracy_by_size

NO_ROWS = np.zeros(0, np.int64)


def proba_of(tops: list[int], sure: float = 0.8, classes: int = 3) -> np.ndarray:
    proba = np.full((len(tops), classes), (1 - sure) / (classes - 1), np.float32)
    proba[np.arange(len(tops)), tops] = sure
    return proba


def prediction(rows: list[int], tops: list[int], sure: float = 0.8) -> Prediction:
    return Prediction("m", np.array(rows, np.int64), proba_of(tops, sure), NO_ROWS, proba_of([]))


def test_class_counts_separate_training_rows_from_scored_ones() -> None:
    training, scored = statistics.class_counts(np.array([0, 0, 1, 2, 2]), np.array([-1, 0, -1, 0, 0]), 4)
    assert training.tolist() == [1, 1, 0, 0]
    assert scored.tolist() == [1, 0, 2, 0]


def test_top_classes_are_ordered_by_row_id_and_missing_rows_are_minus_one() -> None:
    assert statistics.top_classes(prediction([9, 4], [2, 1]), np.array([4, 7, 9])).tolist() == [1, -1, 2]


def test_the_size_curve_of_a_single_member_is_its_accuracy() -> None:
    curve = accuracy_by_size([prediction([0, 1], [0, 1])], 1, np.array([0, 1]), np.array([0, 2]))
    assert curve.mean.tolist() == [0.5] and curve.orders == 1 and curve.rows == 2


def test_the_size_curve_ends_at_the_ensembles_accuracy_in_every_order() -> None:
    members = [prediction([0, 1], [0, 1], 0.9), prediction([0, 1], [1, 1], 0.7), prediction([1, 0], [2, 0], 0.6)]
    curve = accuracy_by_size(members, len(members), np.array([0, 1]), np.array([0, 1]))
    assert curve.low[-1] == curve.high[-1] == curve.mean[-1] == 1.0
    assert curve.low[0] == 0.5 and curve.high[0] == 1.0


def test_the_size_curve_begins_at_the_mean_of_all_members() -> None:
    members = [prediction([0, 1], [0, 1], 0.9), prediction([0, 1], [1, 0], 0.7), prediction([1, 0], [2, 2], 0.6)]
    curve = accuracy_by_size(members, len(members), np.array([0, 1]), np.array([0, 1]))
    assert curve.orders >= ORDERS and curve.mean[0] == pytest.approx(1 / 3)


def test_with_folds_the_size_curve_counts_only_rows_that_some_member_scored() -> None:
    curve = accuracy_by_size([prediction([0], [0]), prediction([1], [1])], 2, np.array([0, 1]), np.array([0, 1]))
    assert curve.mean.tolist() == [1.0, 1.0]


def test_agreement_counts_common_rows_and_leaves_the_others_unknown() -> None:
    matrix = statistics.agreement(np.array([[0, 1, 2, -1], [0, 2, -1, -1], [-1, -1, -1, 5]]))
    assert matrix[0, 1] == matrix[1, 0] == 0.5 and matrix[0, 0] == 1.0
    assert np.isnan(matrix[0, 2])


def test_reliability_bins_give_back_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    proba, labels = rng.dirichlet(np.ones(4), 500).astype(np.float32), rng.integers(0, 4, 500)
    bins = statistics.reliability(proba, labels)
    assert bins.rows.sum() == 500 and len(bins.rows) <= ECE_BINS
    assert (np.abs(bins.accuracy - bins.confidence) * bins.rows).sum() / 500 == pytest.approx(ece(proba, labels))


def test_precision_and_recall_are_undefined_for_a_class_that_is_never_there() -> None:
    precision, recall, rows = statistics.precision_recall(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert precision[:2].tolist() == [0.5, 1.0] and recall[:2].tolist() == [1.0, 0.5]
    assert np.isnan(precision[2]) and np.isnan(recall[2]) and rows.tolist() == [1, 2, 0]


def test_accuracy_rises_as_the_unsure_are_set_aside() -> None:
    proba = np.concatenate([proba_of([0, 1], 0.9), proba_of([2], 0.5)])
    coverage, accuracy = statistics.risk_coverage(proba, np.array([0, 1, 0]))
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1]) and accuracy.tolist() == pytest.approx([1, 1, 2 / 3])


def test_the_most_frequent_mistakes_come_first_and_hits_are_none() -> None:
    mistakes = statistics.frequent_mistakes(np.array([[50, 1, 0], [3, 40, 0], [0, 0, 9]]), 5)
    assert [(mistake.label, mistake.predicted, mistake.rows) for mistake in mistakes] == [(1, 0, 3), (0, 1, 1)]


def test_models_are_compared_on_common_rows_only() -> None:
    test = statistics.compare(np.array([0, 1, 1, 2]), np.array([1, 1, -1, 1]), np.array([0, 1, 1, 1]))
    assert test and (test.only_a_right, test.only_b_right) == (1, 1)
    assert statistics.compare(np.array([0]), np.array([-1]), np.array([0])) is None


def test_mean_images_are_black_where_a_class_has_none() -> None:
    images = np.array([[[10, 20]], [[20, 40]]], np.uint8)
    assert class_means(images, np.array([1, 1]), 2).tolist() == [[[0, 0]], [[15, 30]]]


def test_trials_become_a_curve_for_each_setting_that_varies() -> None:
    lines = [
        {"n_neighbors": k, "weights": weights, "pca": "0", "state": "done", "accuracy": accuracy, "seconds": "1"}
        for k, weights, accuracy in (("3", "uniform", "0.9"), ("1", "uniform", "0.8"), ("1", "distance", "0.7"))
    ]
    search = search_curves(
        "knn", [*lines, {"n_neighbors": "", "weights": "", "pca": "0", "state": "failed", "accuracy": ""}]
    )
    assert search
    assert (search.winner_x, search.winner_accuracy) == (3.0, 0.9)
    assert search.winner == {"n_neighbors": "3", "weights": "uniform", "pca": "0"}
    assert [(curve.name, curve.x, curve.has_winner) for curve in search.curves] == [
        ("uniform", [1.0, 3.0], True), ("distance", [1.0], False),
    ]  # fmt: skip
    assert (search.scored, search.failed) == (3, 1)


def test_a_search_in_which_all_trials_failed_has_no_curves() -> None:
    assert search_curves("forest", [{"trees": "", "state": "failed", "accuracy": "", "error": "x"}]) is None


def test_numbers_are_written_for_people() -> None:
    assert percent(0.98613) == "98.61 %" and p_value_text(0.0231) == "p = 0.023" and p_value_text(1e-9) == "p < 0.0001"
    assert [duration(seconds) for seconds in (12.4, 600, 9000)] == ["12 s", "10.0 min", "2.5 h"]
