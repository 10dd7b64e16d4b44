"""The report knows every kind of baseline."""

from digits_ray.config import BASELINE_KINDS
from digits_ray.report.formatting import TITLES
from digits_ray.report.trials import SWEPT


def test_every_baseline_has_a_title_and_a_swept_setting() -> None:
    assert tuple(TITLES) == tuple(SWEPT) == BASELINE_KINDS
