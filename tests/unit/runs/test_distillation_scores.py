"""How the speed of a distilled network and of its ensemble is measured."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from digits_ray.runs import distillation_scores
from digits_ray.runs.distillation_scores import TIMED_ROUNDS, measure_speed


def test_both_predict_in_turn_after_a_call_that_is_not_timed() -> None:
    seconds, calls = [0.0], list[str]()

    def run_of(name: str, takes: list[float]) -> Any:
        def predict_proba(images: np.ndarray) -> None:
            calls.append(name)
            assert len(images) == 1000
            seconds[0] += takes[calls.count(name) - 1]

        return SimpleNamespace(predict_proba=predict_proba, member_ids=[0, 1, 2])

    clock = SimpleNamespace(perf_counter=lambda: seconds[0])
    images = np.zeros((1200, 2, 2), np.uint8)
    with mock.patch.object(distillation_scores, "time", clock):
        speed = measure_speed(run_of("one", [9.0, 0.5, 2.0, 1.0]), run_of("all", [9.0, 4.0, 4.0, 8.0]), images)
    assert calls == ["one", "all"] * (1 + TIMED_ROUNDS)
    assert (speed.distilled, speed.ensemble) == pytest.approx((1000.0, 250.0))
    assert (speed.members, speed.rows, speed.rounds) == (3, 1000, TIMED_ROUNDS)
