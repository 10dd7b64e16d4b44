"""Members that share GPUs: pretended ones, so that what Ray does with them can be tested anywhere."""

from pathlib import Path

import pytest
from factories import rows_of, spec_of
from training import train

from digits_ray.ensemble.predictions import MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.scheduling.resources import plan
from digits_ray.scheduling.session import live_nodes


@pytest.mark.slow
def test_24_members_at_a_quarter_of_4_gpus_each_all_finish(ray_with_gpus: None, tmp_path: Path) -> None:
    a_plan = plan(live_nodes(), members=24, gpus_per_member=0.25, cpus_per_member="auto")
    assert a_plan.slots == 16
    most_at_once = 0

    def watch(statuses: list[MemberStatus]) -> None:
        nonlocal most_at_once
        most_at_once = max(most_at_once, sum(status.state in ("starting", "training") for status in statuses))

    specs = [spec_of(number, seed=number, epochs=1) for number in range(24)]
    outcomes = train(specs, tmp_path, rows_of(60, 12), a_plan, watch)
    assert all(isinstance(outcome, MemberResult) for outcome in outcomes.values())
    assert most_at_once == 16
