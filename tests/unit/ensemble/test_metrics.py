import numpy as np
import pytest

from digits_ray.ensemble.metrics import (
    Scores,
    accuracy_ci95,
    brier,
    check_probabilities,
    ece,
    mcnemar,
    nll,
    recalls,
    score,
)


def random_case(seed: int, rows: int = 400, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Draws probabilities of every confidence, and labels that follow them two times in three."""
    rng = np.random.default_rng(seed)
    sharpness = rng.uniform(0.1, 8.0, size=(rows, 1))
    odds = np.exp(sharpness * rng.standard_normal((rows, classes)))
    proba = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    follows = rng.random(rows) < 2 / 3
    return proba, np.where(follows, proba.argmax(axis=1), rng.integers(classes, size=rows))


def test_a_wilson_interval_of_a_known_case_has_the_published_bounds() -> None:
    # 81 of 263, 95 %: Newcombe 1998, table I, method 3
    assert accuracy_ci95(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_a_wilson_interval_holds_the_point_estimate_and_stays_within_0_and_1() -> None:
    rng = np.random.default_rng(0)
    for rows in [1, 2, *rng.integers(1, 50_000, size=60).tolist()]:
        for correct in (0, int(rng.integers(rows + 1)), rows):
            low, high = accuracy_ci95(correct, rows)
            assert 0 <= low <= correct / rows <= high <= 1
            assert low < high


def test_a_perfect_score_on_few_rows_still_has_a_wide_interval() -> None:
    low, high = accuracy_ci95(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)  # 1 / (1 + z² / n)
    assert high == 1.0


def test_more_rows_make_the_interval_narrower() -> None:
    widths = [np.diff(accuracy_ci95(99 * n, 100 * n))[0] for n in (1, 10, 100)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("correct", "rows"), [(0, 0), (-1, 10), (11, 10)])
def test_an_impossible_count_has_no_interval(correct: int, rows: int) -> None:
    with pytest.raises(ValueError, match=f"correct={correct}, rows={rows}"):
        accuracy_ci95(correct, rows)


def test_scores_of_four_rows_match_a_calculation_by_hand() -> None:
    proba = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [1.0, 0.0]], np.float32)
    scores = score(proba, np.array([0, 0, 0, 0]))
    assert scores.rows == 4
    assert scores.accuracy == 0.75  # the tie goes to class 0
    assert scores.accuracy_ci95 == accuracy_ci95(3, 4)
    assert scores.nll == pytest.approx(-np.log([0.75, 0.5, 0.25, 1.0]).mean())
    assert scores.brier == pytest.approx((0.125 + 0.5 + 1.125 + 0.0) / 4)
    # 0.75 twice in one bin: accuracy 1/2, gap 1/4; 0.5 right: gap 1/2; 1.0 right: no gap
    assert scores.ece == pytest.approx(0.25 * 2 / 4 + 0.5 * 1 / 4)


def test_scores_are_plain_numbers_that_json_can_write() -> None:
    scores = score(*random_case(1))
    assert all(type(x) is float for x in (scores.accuracy, *scores.accuracy_ci95, scores.nll, scores.brier))
    assert type(scores.rows) is int
    assert type(scores.ece) is float


def test_scoring_leaves_the_probabilities_as_they_were() -> None:
    proba, labels = random_case(2)
    before = proba.copy()
    score(proba, labels)
    np.testing.assert_array_equal(proba, before)


def test_a_certain_and_wrong_row_has_a_finite_cost() -> None:
    certain = np.array([[1.0, 0.0]], np.float32)
    assert nll(certain, np.array([1])) == pytest.approx(-np.log(1e-7))
    assert brier(certain, np.array([1])) == 2.0
    assert ece(certain, np.array([1])) == 1.0


def test_a_perfect_model_costs_nothing() -> None:
    proba, labels = np.eye(10, dtype=np.float32), np.arange(10)
    assert nll(proba, labels) == brier(proba, labels) == ece(proba, labels) == 0.0


def test_a_float32_confidence_a_hair_above_1_falls_into_the_last_bin() -> None:
    above = np.nextafter(np.float32(1), np.float32(2))
    proba = np.array([[above, 0.0], [0.96, 0.04]], np.float32)
    # in one bin, the modest right row makes up for a part of the certain wrong one
    assert ece(proba, np.array([1, 0])) == pytest.approx((1 - 0.04) / 2)


def ece_by_a_loop(proba: np.ndarray, labels: np.ndarray) -> float:
    confidence = proba.max(axis=1).astype(np.float64)
    right = proba.argmax(axis=1) == labels
    total = 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:], strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(labels)


def test_ece_equals_a_loop_over_its_fifteen_bins() -> None:
    for seed in range(20):
        proba, labels = random_case(seed, rows=50 + 17 * seed)
        assert ece(proba, labels) == pytest.approx(ece_by_a_loop(proba, labels), abs=1e-12)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    # 1/3 closes bin 5, and 0.35 is in bin 6; in one bin, right and wrong would cancel to a smaller error
    proba = np.array([[1 / 3, 1 / 3, 1 / 3], [0.35, 0.33, 0.32]])
    labels = np.array([0, 1])
    assert ece(proba, labels) == pytest.approx((2 / 3 + 0.35) / 2)


def test_row_order_does_not_change_a_score() -> None:
    proba, labels = random_case(3)
    order = np.random.default_rng(3).permutation(len(labels))
    shuffled, plain = score(proba[order], labels[order]), score(proba, labels)
    assert shuffled.accuracy == plain.accuracy
    assert shuffled.nll == pytest.approx(plain.nll)
    assert shuffled.brier == pytest.approx(plain.brier)
    assert shuffled.ece == pytest.approx(plain.ece)


@pytest.mark.parametrize("measure", [score, nll, brier, ece])
def test_no_rows_cannot_be_scored(measure) -> None:
    with pytest.raises(ValueError, match="no rows"):
        measure(np.zeros((0, 10), np.float32), np.zeros(0, np.int64))


@pytest.mark.parametrize("measure", [score, nll, brier, ece])
def test_nan_is_refused_and_its_row_is_named(measure) -> None:
    proba, labels = random_case(4)
    proba[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"1 of 400 rows \(the first at position 7\) with NaN"):
        measure(proba, labels)


def test_arrays_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="not logits"):
        check_probabilities(np.array([[3.0, -0.0], [0.5, 0.5]]))
    with pytest.raises(ValueError, match="negative"):
        check_probabilities(np.array([[1.5, -0.5]]))
    with pytest.raises(ValueError, match="infinity"):
        check_probabilities(np.array([[np.inf, 0.0]]))
    with pytest.raises(ValueError, match=r"member: shape \(3,\)"):
        check_probabilities(np.array([0.2, 0.3, 0.5]), "member")
    check_probabilities(np.array([[0.9995, 0.0]]))


@pytest.mark.parametrize(
    "labels",
    [np.array([0]), np.array([0, 2]), np.array([0, -1]), np.array([0.0, 1.0]), np.array([[0], [1]])],
    ids=["too few", "above the classes", "negative", "float", "a column"],
)
def test_labels_that_do_not_match_the_probabilities_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^labels: "):
        score(np.full((2, 2), 0.5, np.float32), labels)


def outcomes(only_a: int, only_b: int, both: int = 5) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([True, False, True], [only_a, only_b, both])
    return a, np.repeat([False, True, True], [only_a, only_b, both])


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (1, 0, 1.0),
        (0, 5, 2 / 32),
        (5, 1, 2 * (1 + 6) / 64),
        (9, 1, 2 * (1 + 10) / 1024),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_gives_the_binomial_p_value_worked_out_by_hand(only_a: int, only_b: int, p_value: float) -> None:
    result = mcnemar(*outcomes(only_a, only_b))
    assert (result.only_a_right, result.only_b_right) == (only_a, only_b)
    assert result.p_value == pytest.approx(p_value)


def test_mcnemar_swaps_sides_with_its_arguments() -> None:
    a, b = outcomes(8, 2)
    assert (mcnemar(b, a).only_a_right, mcnemar(b, a).only_b_right) == (2, 8)
    assert mcnemar(b, a).p_value == mcnemar(a, b).p_value


def test_rows_on_which_both_agree_do_not_move_mcnemar() -> None:
    assert mcnemar(*outcomes(8, 2, both=0)).p_value == mcnemar(*outcomes(8, 2, both=10_000)).p_value


def test_two_models_with_the_same_mistakes_do_not_differ() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right.copy()).p_value == 1.0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array([], bool), np.array([], bool)),
        (np.array([True]), np.array([True, False])),
        (np.array([1, 0]), np.array([True, False])),
    ],
    ids=["no rows", "unequal lengths", "integers, whose ~ is not a logical not"],
)
def test_mcnemar_refuses_outcomes_that_cannot_be_paired(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^correct_a"):
        mcnemar(a, b)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import balanced_accuracy_score

    for seed in range(5):
        proba, labels = random_case(seed)
        labels = np.where(labels > 6, labels - 5, labels)  # some classes have no rows, others many
        expected = balanced_accuracy_score(labels, proba.argmax(axis=1))
        assert score(proba, labels).balanced_accuracy == pytest.approx(expected)


def test_a_rare_class_counts_as_much_as_a_frequent_one() -> None:
    proba = np.tile(np.array([1.0, 0.0], np.float32), (100, 1))
    scores = score(proba, np.repeat([0, 1], [98, 2]))
    assert (scores.accuracy, scores.balanced_accuracy) == (0.98, 0.5)


def test_the_recall_of_each_class_has_its_rows_and_its_interval() -> None:
    proba = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 1, 3]]
    zero, one, two, three = recalls(proba, np.array([0, 0, 0, 1, 1, 1]))
    assert (zero.rows, zero.recall, zero.ci95) == (3, pytest.approx(2 / 3), accuracy_ci95(2, 3))
    assert (one.rows, one.recall, one.ci95) == (3, pytest.approx(2 / 3), accuracy_ci95(2, 3))
    assert (two.rows, two.recall, two.ci95) == (three.rows, three.recall, three.ci95) == (0, None, None)


def test_scores_of_an_earlier_release_are_read_without_what_it_did_not_compute() -> None:
    old = {"rows": 4, "accuracy": 0.75, "accuracy_ci95": [0.3, 0.95], "nll": 0.1, "brier": 0.2, "ece": 0.3}
    scores = Scores.from_json({**old, "recall": {}})
    assert (scores.accuracy_ci95, scores.balanced_accuracy) == ((0.3, 0.95), None)
