"""Members whose data exceed their memory budget, on real Ray actors."""

from dataclasses import replace
from pathlib import Path

import pytest
import ray
from factories import rows_of, same, spec_of
from gate import Fault
from processes import kill, member_actors
from training import ONE_SLOT, REAL, TWO_SLOTS, inputs_at, train

from digits_ray.ensemble.predictions import MemberResult
from digits_ray.scheduling.actor import MemberActor
from digits_ray.training.device import DeviceResources

pytestmark = pytest.mark.slow

NO_MEMORY = replace(TWO_SLOTS, data_gib_per_member=0)


def test_an_actor_streams_only_what_exceeds_its_budget(ray_here: None, tmp_path: Path) -> None:
    inputs = inputs_at(tmp_path, rows_of(rows_per_block=11))
    for gib, expected in ((0, "StreamedRows"), (1, "Rows")):
        actor = MemberActor.remote(inputs, DeviceResources(1, data_gib=gib))  # type: ignore[attr-defined]
        assert ray.get(actor.__ray_call__.remote(lambda self: type(self.rows).__name__)) == expected


def test_streamed_members_that_are_killed_end_bit_for_bit_as_those_that_trained_from_memory(
    ray_here: None, tmp_path: Path
) -> None:
    """Real networks."""
    rows, specs = rows_of(rows_per_block=11), [spec_of(number, seed=number, epochs=12) for number in range(2)]
    in_memory = train(specs, tmp_path / "memory", rows, ONE_SLOT, prepare_fit=REAL)
    killed: list[int] = []

    def kill_all() -> None:
        killed.extend(member_actors())
        for process in killed:
            kill(process)

    streamed = train(specs, tmp_path / "stream", rows, NO_MEMORY, Fault(kill_all), prepare_fit=REAL)
    assert len(killed) == 2
    for number in range(2):
        one, other = streamed[number], in_memory[number]
        assert isinstance(one, MemberResult)
        assert isinstance(other, MemberResult)
        assert same(one, other)
    assert max(result.attempts for result in streamed.values()) == 2
