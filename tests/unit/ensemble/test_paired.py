"""Two models on the same rows: their difference, its interval and the test."""

import numpy as np
import pytest

from digits_ray.ensemble import compare_paired, mcnemar


def of_cells(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def test_the_interval_is_made_of_the_exact_limits_of_both_parts() -> None:
    # 95 % limits by Clopper and Pearson: 12 of 14 are 0.5719 … 0.9822, 14 of 50 are 0.1623 … 0.4249
    found = compare_paired(*of_cells(36, 12, 2, 0))
    assert found.difference == pytest.approx(0.2)
    assert found.difference_ci95 == pytest.approx((0.1623 * (2 * 0.5719 - 1), 0.4249 * (2 * 0.9822 - 1)), abs=2e-4)
    assert (found.rows, found.only_a_right, found.only_b_right) == (50, 12, 2)
    assert found.p_value == mcnemar(*of_cells(36, 12, 2, 0)).p_value


def test_models_that_are_right_on_the_same_rows_differ_by_no_more_than_so_few_rows_can_hide() -> None:
    found = compare_paired(*of_cells(140, 0, 0, 4))
    assert (found.difference, found.p_value) == (0, 1)
    most = 1 - 0.025 ** (1 / 144)  # of rows where they differ, when none of 144 does
    assert found.difference_ci95 == pytest.approx((-most, most))


def test_a_comparison_swaps_sign_with_its_arguments_and_stays_within_its_bounds() -> None:
    rng = np.random.default_rng(0)
    for rows in rng.integers(1, 300, size=60):
        a, b = of_cells(*rng.multinomial(rows, rng.dirichlet(np.full(4, 0.5))))
        forth, back = compare_paired(a, b), compare_paired(b, a)
        assert forth.difference == pytest.approx(-back.difference)
        assert forth.difference_ci95 == pytest.approx((-back.difference_ci95[1], -back.difference_ci95[0]))
        assert -1 <= forth.difference_ci95[0] <= forth.difference <= forth.difference_ci95[1] <= 1


@pytest.mark.parametrize("rows", [30, 4200])
def test_the_interval_leaves_out_zero_just_where_the_test_is_significant(rows: int) -> None:
    for only_a in range(13):
        for only_b in range(13):
            found = compare_paired(*of_cells(rows - only_a - only_b, only_a, only_b, 0))
            low, high = found.difference_ci95
            assert (low > 0 or high < 0) == (found.p_value < 0.05), (only_a, only_b)


def test_the_interval_holds_the_true_difference_at_least_19_times_in_20() -> None:
    rng, chances = np.random.default_rng(0), (0.96, 0.02, 0.01, 0.01)
    hits = 0
    for _ in range(300):
        low, high = compare_paired(*of_cells(*rng.multinomial(500, chances))).difference_ci95
        hits += low <= chances[1] - chances[2] <= high
    assert hits / 300 >= 0.95
