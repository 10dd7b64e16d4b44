"""Whose the scores of held-out rows are under k folds."""

import pytest

from digits_ray.ensemble import NetworksPerRow, one_network_scores


@pytest.mark.parametrize(
    ("folds", "text"),
    [
        (range(10), "1 network a row, not the ensemble"),
        ([*range(10), *range(10)], "2 networks a row, not the ensemble"),
        ([0, 1, 2, 0], "1 to 2 networks a row, not the ensemble"),
    ],
)
def test_networks_of_several_folds_score_their_own_rows_alone(folds: list[int], text: str) -> None:
    assert str(NetworksPerRow.of(folds)) == text


def test_one_network_scores_a_row_where_each_has_a_fold_of_its_own_and_no_baseline_votes() -> None:
    assert one_network_scores(range(10), baselines_vote=False)
    assert not one_network_scores(range(10), baselines_vote=True)
    for folds in ([*range(10), 0], [0, 0], [0]):
        assert not one_network_scores(folds, baselines_vote=False)


@pytest.mark.parametrize("folds", [[], [3], [0, 0, 0]])
def test_networks_of_one_fold_score_all_rows_together(folds: list[int]) -> None:
    assert NetworksPerRow.of(folds) is None
