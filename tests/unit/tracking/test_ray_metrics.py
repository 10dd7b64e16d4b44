"""The gauges in Ray's metrics."""

from digits_ray.progress import MemberStatus
from digits_ray.tracking.ray_metrics import RunGauges


def test_a_run_directory_of_any_letters_has_gauges() -> None:
    gauges = RunGauges("läufe/数 1")
    gauges.set_members([MemberStatus(0, "training")])  # Ray encodes tags as ASCII
