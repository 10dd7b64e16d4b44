"""When an exported file counts."""

import numpy as np
import pytest

from digits_ray.errors import RunError
from digits_ray.export.agreement import Agreement, check_agreement

PROBA = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2]], np.float32)
TIED = PROBA.copy()
TIED[2] += (0, 0.0005, -0.0005)  # another label, within what the two best differ by


def test_equal_probabilities_agree() -> None:
    assert check_agreement(PROBA, PROBA, PROBA, strict=True) == Agreement(3, 0.0, 0)


def test_a_changed_label_of_a_tie_is_counted_and_no_error() -> None:
    agreement = check_agreement(TIED, PROBA, PROBA, strict=True)
    assert agreement.changed_labels == 1
    assert agreement.largest_difference == pytest.approx(0.0005, rel=1e-3)


@pytest.mark.parametrize("wrong", [PROBA + np.float32(0.002), PROBA * np.float32("nan"), PROBA[:, :2], PROBA[:2]])
def test_other_probabilities_are_an_error(wrong: np.ndarray) -> None:
    with pytest.raises(RunError, match="the exported file"):
        check_agreement(wrong, PROBA, PROBA, strict=True)


def test_other_labels_than_those_of_predict_are_an_error_unless_that_computes_in_bfloat16() -> None:
    with pytest.raises(RunError, match="other labels than predict's on 1 of 3 rows"):
        check_agreement(PROBA, PROBA, PROBA[[1, 1, 2]], strict=True)
    assert check_agreement(PROBA, PROBA, PROBA[[1, 1, 2]], strict=False).changed_labels == 1
