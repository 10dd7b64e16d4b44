"""A member with several GPUs: they share its batches. Two CPU devices of TensorFlow's stand for them."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from factories import Kept, rows_of, spec_of

from digits_ray.config import loading
from digits_ray.ensemble.predictions import MemberResult
from digits_ray.errors import UserError

TWO = ("/cpu:0", "/cpu:1")


def split_cpu() -> None:
    """Lets TensorFlow see two CPU devices, in a new process."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope="module")
def process() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, get_context("spawn"), split_cpu) as executor:
        yield executor


def fits(architecture: str) -> tuple[int, int, list[MemberResult]]:
    """Trains one member on one device, on two, and on two again from its second epoch on."""
    from digits_ray.training import compiled_step, device, fit_member

    spec, rows, kept = spec_of(architecture=architecture, epochs=5), rows_of(300, 61, 13), Kept()
    with device.all_gpus():  # there are none here
        replicas_alone = device.num_replicas()
        results = [fit_member(spec, rows)]
    compiled_step.cache_clear()
    with device.all_gpus(TWO):
        replicas = device.num_replicas()
        results.append(fit_member(spec, rows, kept))
    with device.all_gpus(TWO):  # as an actor's next fit does, with the step that is compiled already
        results.append(fit_member(spec, rows, Kept({2: kept.states[2]})))
    return replicas_alone, replicas, results


@pytest.mark.parametrize("architecture", ["compact", "deotte_plain"])
def test_two_devices_share_the_batches_of_a_member_which_learns_the_same(process: Executor, architecture: str) -> None:
    replicas_alone, replicas, (alone, shared, resumed) = process.submit(fits, architecture).result()
    assert (replicas_alone, replicas) == (1, 2)
    assert shared.history[0]["loss"] == pytest.approx(alone.history[0]["loss"], rel=0.05)
    assert shared.history[-1]["loss"] < shared.history[0]["loss"] / 3
    labels = shared.prediction.holdout_row_ids % 3
    assert np.mean(shared.prediction.holdout_proba.argmax(1) == labels) > 0.95
    assert resumed.start_epoch == 2
    assert np.allclose(resumed.prediction.test_proba, shared.prediction.test_proba, atol=1e-4)


def test_a_member_on_jax_is_refused_a_second_gpu() -> None:
    with pytest.raises(UserError, match=r"^resources.gpus_per_member is 2, but a member on JAX trains on one GPU"):
        loading.load_config(flags={"resources.gpus_per_member": 2, "members.recipe.backend": "jax"})
