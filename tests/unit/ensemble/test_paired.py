"""The difference of two models on the same rows, with its interval."""

import numpy as np
import pytest

from digits_ray.ensemble import paired_difference


def of_cells(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def test_the_interval_of_a_paired_difference_has_the_published_bounds() -> None:
    # 36, 12, 2, 0: Newcombe 1998, "… based on paired data", method 10
    found = paired_difference(*of_cells(36, 12, 2, 0))
    assert found.difference == pytest.approx(0.2)
    assert found.ci95 == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_a_paired_difference_swaps_sign_with_its_arguments_and_stays_within_its_bounds() -> None:
    rng = np.random.default_rng(0)
    for rows in rng.integers(1, 300, size=60):
        a, b = of_cells(*rng.multinomial(rows, rng.dirichlet(np.full(4, 0.5))))
        there, back = paired_difference(a, b), paired_difference(b, a)
        assert there.difference == pytest.approx(-back.difference)
        assert there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))
        assert -1 - 1e-9 <= there.ci95[0] <= there.difference <= there.ci95[1] <= 1 + 1e-9


def test_the_interval_holds_the_true_difference_19_times_in_20() -> None:
    rng, chances = np.random.default_rng(0), (0.96, 0.02, 0.01, 0.01)
    hits = 0
    for _ in range(300):
        low, high = paired_difference(*of_cells(*rng.multinomial(500, chances))).ci95
        hits += low <= chances[1] - chances[2] <= high
    assert 0.93 < hits / 300 < 0.99
