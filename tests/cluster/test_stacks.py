"""Stacks of members on real Ray actors: one process trains all of a stack, and a kill costs each an epoch or two."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import spec_of
from gate import HELD_AFTER, Fault
from processes import kill, member_actors
from training import TWO_SLOTS, results, train
from waiting import eventually

pytestmark = pytest.mark.slow

STACKS = "gate:prepare_numpy_stacks"
ONE_STACK = replace(TWO_SLOTS, slots=1, members_per_program=3)


def test_a_killed_stack_goes_on_together_and_ends_with_the_numbers_of_members_alone(
    ray_here: None, tmp_path: Path
) -> None:
    specs = [spec_of(number, seed=number, epochs=12) for number in range(3)]
    alone = results(train(specs, tmp_path / "alone"))
    assert eventually(lambda: not member_actors())
    killed: list[int] = []

    def kill_all() -> None:
        killed.extend(member_actors())
        for process in killed:
            kill(process)

    stacked = results(train(specs, tmp_path / "stack", None, ONE_STACK, Fault(kill_all), prepare_fit=STACKS))
    assert len(killed) == 1
    assert {result.attempts for result in stacked.values()} == {2}
    [start_epoch] = {result.start_epoch for result in stacked.values()}
    assert start_epoch >= HELD_AFTER - 1
    for number, expected in alone.items():
        assert np.array_equal(stacked[number].prediction.test_proba, expected.prediction.test_proba)
