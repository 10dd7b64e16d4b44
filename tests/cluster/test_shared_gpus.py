"""Members that share GPUs: pretended ones, so that what Ray does with them can be tested anywhere."""

from pathlib import Path

import pytest
from factories import rows_of, spec_of
from training import results, train

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


@pytest.mark.slow
def test_members_for_whom_half_a_gpu_is_too_full_come_back_with_a_whole_one(
    ray_with_a_gpu: None, tmp_path: Path
) -> None:
    halves = plan(live_nodes(), members=4, gpus_per_member=0.5, cpus_per_member="auto")
    specs, told = [spec_of(number, seed=number, epochs=1) for number in range(4)], set[str]()

    def watch(statuses: list[MemberStatus]) -> None:
        told.update(status.last_failure for status in statuses if status.last_failure)

    outcomes = results(train(specs, tmp_path, rows_of(60, 12), halves, watch, prepare_fit="full_gpu:prepare_fit"))
    assert [outcomes[number].attempts for number in range(4)] == [1, 2, 2, 1]
    assert len(told) == 1
    (failure,) = told
    assert "Failed to get configs for: 20 out of 85 instructions (" in failure
    assert failure.endswith("). It gets 2 times the resources.")
