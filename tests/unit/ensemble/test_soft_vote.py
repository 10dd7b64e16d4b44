from dataclasses import replace

import numpy as np
import pytest

from digits_ray.ensemble.predictions import Prediction
from digits_ray.ensemble.soft_vote import Combined, SoftVote, labels_of

LABELLED_ROWS, TEST_ROWS, CLASSES = 50, 30, 4
HOLDOUT = np.array([2, 3, 5, 7, 11, 13, 49])


def random_proba(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.dirichlet(np.ones(CLASSES), size=rows).astype(np.float32)


def member(seed: int, holdout: np.ndarray = HOLDOUT) -> Prediction:
    """A prediction whose rows come in an order of their own."""
    rng = np.random.default_rng(seed)
    return Prediction(
        model_id=f"member {seed:03d}",
        holdout_row_ids=rng.permutation(holdout),
        holdout_proba=random_proba(rng, len(holdout)),
        test_row_ids=rng.permutation(TEST_ROWS),
        test_proba=random_proba(rng, TEST_ROWS),
    )


def vote(*members: Prediction, same_holdout: bool = True) -> SoftVote:
    combined = SoftVote(LABELLED_ROWS, TEST_ROWS, CLASSES, same_holdout=same_holdout)
    for one in members:
        combined.add(one)
    return combined


def by_id(row_ids: np.ndarray, proba: np.ndarray) -> dict[int, np.ndarray]:
    return dict(zip(row_ids.tolist(), proba, strict=True))


def assert_same(left: Combined, right: Combined) -> None:
    for name in ("holdout_row_ids", "holdout_disagreement", "test_row_ids", "test_disagreement"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    np.testing.assert_allclose(left.holdout_proba, right.holdout_proba, rtol=1e-6)
    np.testing.assert_allclose(left.test_proba, right.test_proba, rtol=1e-6)


def test_soft_voting_is_the_plain_mean_of_each_row_whatever_the_row_order() -> None:
    members = [member(seed) for seed in range(5)]
    result = vote(*members).result()
    holdout = [by_id(m.holdout_row_ids, m.holdout_proba) for m in members]
    test = [by_id(m.test_row_ids, m.test_proba) for m in members]
    for row, proba in by_id(result.holdout_row_ids, result.holdout_proba).items():
        np.testing.assert_allclose(proba, np.mean([h[row] for h in holdout], axis=0), rtol=1e-6)
    for row, proba in by_id(result.test_row_ids, result.test_proba).items():
        np.testing.assert_allclose(proba, np.mean([t[row] for t in test], axis=0), rtol=1e-6)


def test_a_result_carries_ascending_ids_float32_rows_that_sum_to_1_and_its_models() -> None:
    result = vote(member(4), member(0)).result()
    assert result.model_ids == ("member 004", "member 000")
    assert result.holdout_row_ids.tolist() == HOLDOUT.tolist()
    assert result.test_row_ids.tolist() == list(range(TEST_ROWS))
    assert result.holdout_proba.dtype == result.test_proba.dtype == np.float32
    assert result.holdout_disagreement.dtype == result.test_disagreement.dtype == np.float32
    np.testing.assert_allclose(result.holdout_proba.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(result.test_proba.sum(axis=1), 1.0, atol=1e-6)


def test_the_order_in_which_models_finish_does_not_change_the_result() -> None:
    members = [member(seed) for seed in range(6)]
    assert_same(vote(*members).result(), vote(*reversed(members)).result())


def test_one_model_alone_is_its_own_ensemble_and_disagrees_with_nobody() -> None:
    alone = member(0)
    result = vote(alone).result()
    np.testing.assert_array_equal(result.test_proba, alone.test_proba[alone.test_row_ids.argsort()])
    assert not result.test_disagreement.any()
    assert not result.holdout_disagreement.any()


def test_a_weight_of_two_counts_as_two_models_in_the_mean_but_as_one_in_the_disagreement() -> None:
    first, second = member(0), member(1)
    weighted = vote()
    weighted.add(first, weight=2.0)
    weighted.add(second)
    doubled = vote(first, replace(first, model_id="twin"), second).result()
    np.testing.assert_allclose(weighted.result().test_proba, doubled.test_proba, rtol=1e-6)
    assert set(weighted.result().test_disagreement.tolist()) <= {0.0, 0.5, 1.0}


def test_disagreement_is_the_part_of_models_with_another_top_class_than_the_ensemble() -> None:
    members = [member(seed) for seed in range(7)]
    result = vote(*members).result()
    for row, top in enumerate(result.test_proba.argmax(axis=1)):
        own = [m.test_proba[m.test_row_ids == row][0].argmax() for m in members]
        assert result.test_disagreement[row] == pytest.approx(np.mean(own != top))
    assert 0 < result.test_disagreement.mean() < 1


def test_every_model_may_disagree_with_the_ensemble() -> None:
    halves = np.array([[0.51, 0.0, 0.0, 0.49], [0.0, 0.51, 0.0, 0.49]], np.float32)
    members = [replace(member(seed), test_proba=np.repeat(halves[[seed]], TEST_ROWS, axis=0)) for seed in range(2)]
    result = vote(*members).result()
    assert (result.test_proba.argmax(axis=1) == 3).all()
    assert (result.test_disagreement == 1.0).all()


def test_k_folds_cover_the_labelled_rows_each_scored_by_its_own_models() -> None:
    folds = [np.arange(fold, LABELLED_ROWS, 3) for fold in range(3)]
    members = [member(seed, folds[seed % 3]) for seed in range(7)]  # fold 0 has three models, the others two
    result = vote(*members, same_holdout=False).result()
    assert result.holdout_row_ids.tolist() == list(range(LABELLED_ROWS))
    for row in range(LABELLED_ROWS):
        own = [m.holdout_proba[m.holdout_row_ids == row][0] for m in members if row in m.holdout_row_ids]
        assert len(own) == (3 if row % 3 == 0 else 2)
        np.testing.assert_allclose(result.holdout_proba[row], np.mean(own, axis=0), rtol=1e-6)
        others = np.mean([p.argmax() != result.holdout_proba[row].argmax() for p in own])
        assert result.holdout_disagreement[row] == pytest.approx(others)


def test_with_folds_still_missing_only_the_scored_rows_come_back() -> None:
    result = vote(member(0, np.array([8, 1])), same_holdout=False).result()
    assert result.holdout_row_ids.tolist() == [1, 8]
    assert result.holdout_proba.shape == (2, CLASSES)


def test_models_can_be_added_after_a_result_was_taken() -> None:
    running = vote(member(0))
    early = running.result()
    running.add(member(1))
    assert early.model_ids == ("member 000",)
    assert_same(running.result(), vote(member(0), member(1)).result())
    assert_same(early, vote(member(0)).result())


def test_a_run_without_holdout_or_without_test_file_can_be_combined() -> None:
    no_rows, no_proba = np.zeros(0, np.int64), np.zeros((0, CLASSES), np.float32)
    no_holdout = replace(member(0), holdout_row_ids=no_rows, holdout_proba=no_proba)
    assert vote(no_holdout).result().holdout_proba.shape == (0, CLASSES)
    no_test = SoftVote(LABELLED_ROWS, 0, CLASSES, same_holdout=True)
    no_test.add(replace(member(0), test_row_ids=no_rows, test_proba=no_proba))
    assert no_test.result().test_proba.shape == (0, CLASSES)


def test_nothing_added_cannot_be_combined() -> None:
    with pytest.raises(ValueError, match="no model was added"):
        vote().result()


def test_a_model_counts_once() -> None:
    with pytest.raises(ValueError, match="model member 000: added twice"):
        vote(member(0), replace(member(1), model_id="member 000"))


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_a_weight_is_a_positive_number(weight: float) -> None:
    with pytest.raises(ValueError, match=r"member 000: weight="):
        vote().add(member(0), weight)


def test_members_of_a_plain_holdout_must_score_the_same_rows() -> None:
    other = member(1, np.array([2, 3, 5, 7, 11, 13, 48]))
    with pytest.raises(ValueError, match=r"model member 001, holdout: 2 row ids differ .* member 000"):
        vote(member(0), other)
    with pytest.raises(ValueError, match="1 row ids differ"):
        vote(member(0), member(1, HOLDOUT[:-1]))
    vote(member(0), other, same_holdout=False)


def broken(side: str, **changes: np.ndarray) -> Prediction:
    return replace(member(9), **{f"{side}_{name}": value for name, value in changes.items()})


def changed(array: np.ndarray, position: object, value: float) -> np.ndarray:
    copy = array.copy()
    copy[position] = value
    return copy


GOOD = member(9)
REFUSED = {
    "a test row missing": (
        broken("test", row_ids=GOOD.test_row_ids[1:], proba=GOOD.test_proba[1:]),
        "test: 1 of 30 rows are missing",
    ),
    "a test row twice": (
        broken("test", row_ids=changed(GOOD.test_row_ids, 0, GOOD.test_row_ids[1])),
        f"test: 1 row ids twice or more, e.g. {GOOD.test_row_ids[1]}",
    ),
    "a test row beyond the file": (
        broken("test", row_ids=GOOD.test_row_ids + 1),
        "test: 1 row ids outside 0 … 29, e.g. 30",
    ),
    "a negative row id": (
        broken("holdout", row_ids=changed(GOOD.holdout_row_ids, 0, -1)),
        "holdout: 1 row ids outside 0 … 49, e.g. -1",
    ),
    "a holdout row twice": (
        broken("holdout", row_ids=np.full(7, 3)),
        "holdout: 1 row ids twice or more, e.g. 3",
    ),
    "ids that are no integers": (
        broken("test", row_ids=GOOD.test_row_ids / 1.0),
        "test: row ids are float64",
    ),
    "more rows than ids": (
        broken("test", row_ids=GOOD.test_row_ids[1:]),
        r"test: probabilities of shape \(30",
    ),
    "a class too few": (
        broken("holdout", proba=np.full((7, 3), 1 / 3)),
        r"holdout: probabilities of shape \(7, 3\), expected \(7, 4\)",
    ),
    "NaN": (
        broken("test", proba=changed(GOOD.test_proba, (4, 1), np.nan)),
        "test: 1 of 30 .* position 4.* NaN",
    ),
    "a negative probability": (
        broken("test", proba=np.tile([1.5, -0.5, 0.0, 0.0], (30, 1))),
        "test: 30 of 30 rows .* negative",
    ),
    "rows that do not sum to 1": (
        broken("holdout", proba=GOOD.holdout_proba * 1.01),
        "holdout: 7 of 7 .* to 1",
    ),
}


@pytest.mark.parametrize(("prediction", "message"), REFUSED.values(), ids=REFUSED)
def test_a_faulty_prediction_is_refused_by_name_and_leaves_no_trace(prediction: Prediction, message: str) -> None:
    running = vote(member(0), same_holdout=False)
    with pytest.raises(ValueError, match=f"^model member 009, {message}"):
        running.add(prediction)
    assert_same(running.result(), vote(member(0)).result())
    running.add(GOOD)
    assert_same(running.result(), vote(member(0), GOOD).result())


def test_labels_of_gives_back_the_original_classes_and_a_tie_to_the_lowest() -> None:
    proba = np.array([[0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]], np.float32)
    assert labels_of(proba, ["cat", "dog", "eel"]) == ["eel", "cat", "dog"]
    assert labels_of(proba, [3, 5, 8]) == [8, 3, 5]


def test_labels_of_refuses_a_wrong_number_of_classes_and_nan() -> None:
    with pytest.raises(ValueError, match="2 columns for 3 classes"):
        labels_of(np.array([[0.5, 0.5]]), [0, 1, 2])
    with pytest.raises(ValueError, match="NaN"):
        labels_of(np.array([[np.nan, 0.5]]), [0, 1])
