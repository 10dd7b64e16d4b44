"""How many members share a GPU best: tried on one GPU for some seconds, where it is not configured."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure
from digits_ray.scheduling.retries import is_out_of_memory
from digits_ray.training import device

TRIAL_SECONDS = 2.0  # of training side by side, for each number of members
COMPILE_TIMEOUT_SECONDS = 300.0  # until the first step is compiled
MIN_GAIN = 1.05  # more members must train so much faster together; each of them costs memory and CPUs
BATCHES_PER_PASS = 20


@dataclass(frozen=True)
class Throughput:
    """What some members do together on one GPU."""

    members: int
    images_per_second: float

    def __str__(self) -> str:
        return f"{self.members}: {self.images_per_second:,.0f} images/s"


def best_throughput(throughputs: list[Throughput]) -> Throughput:
    """Returns that of the fewest members that are as fast together as any number, within `MIN_GAIN`.

    Args:
        throughputs: One or more, in any order.
    """
    fastest = max(each.images_per_second for each in throughputs)
    fast = [each for each in throughputs if each.images_per_second * MIN_GAIN >= fastest]
    return min(fast, key=lambda each: each.members)


def measure_throughputs(
    spec: MemberSpec, image_shape: tuple[int, int], num_classes: int, node_id: str, max_members: int
) -> list[Throughput]:
    """Trains 1, 2, 4, … members side by side on one GPU, on noise, as long as they fit.

    Args:
        spec: Of a member; its network and recipe are trained.
        image_shape: Height and width in pixels.
        num_classes: Of the labels.
        node_id: Of the node whose GPU is used, in hex.
        max_members: A power of two.

    Returns:
        What each number of members did together; empty when not even one could be trained, whatever the reason: the
        members themselves will report it.
    """
    try:
        while max_members:
            with _probes(spec, node_id, max_members) as probes:
                if _all_fit(probes, spec, image_shape, num_classes):
                    return list(_throughputs(probes))
            max_members //= 2
    except RayError:  # the GPU is taken by others, or an error of the member's own
        pass
    return []


def _throughputs(probes: list[Any]) -> Iterator[Throughput]:
    members = 1
    while members <= len(probes):
        end = time.time() + TRIAL_SECONDS
        trained = ray.get([probe.train.remote(end) for probe in probes[:members]], timeout=COMPILE_TIMEOUT_SECONDS)
        yield Throughput(members, sum(trained))
        members *= 2


@contextmanager
def _probes(spec: MemberSpec, node_id: str, members: int) -> Iterator[list[Any]]:
    """Starts processes with an equal part of a GPU each; Ray fills one GPU before it begins the next."""
    resources = device.DeviceResources(threads=1, gpus=1 / members, backend=spec.recipe.backend)
    node = NodeAffinitySchedulingStrategy(node_id, soft=False)
    options = _Probe.options(num_cpus=0, num_gpus=1 / members, scheduling_strategy=node)  # type: ignore[attr-defined]
    probes = [options.remote(resources) for _ in range(members)]
    try:
        yield probes
    finally:
        for probe in probes:
            ray.kill(probe)


def _all_fit(probes: list[Any], spec: MemberSpec, image_shape: tuple[int, int], num_classes: int) -> bool:
    """Returns whether all fit, once each has compiled its step."""
    try:
        ray.get(
            [probe.compile.remote(spec, image_shape, num_classes) for probe in probes], timeout=COMPILE_TIMEOUT_SECONDS
        )
        return True
    except RayTaskError as error:
        if is_out_of_memory(MemberFailure(spec.member_id, type(error.cause).__name__, str(error.cause), 1)):
            return False
        raise
    except RayActorError:  # killed for its memory
        return False


@ray.remote(max_restarts=0)
class _Probe:
    """A member's process without a member: trains on noise."""

    def __init__(self, resources: device.DeviceResources) -> None:
        device.claim(resources)

    def compile(self, spec: MemberSpec, image_shape: tuple[int, int], num_classes: int) -> None:
        """Builds the training step and runs it, which compiles it."""
        from digits_ray.training import compiled_step

        random, rows = np.random.default_rng(spec.seed), BATCHES_PER_PASS * spec.recipe.batch_size
        self.images = random.integers(0, 256, (rows, *image_shape), dtype=np.uint8)
        self.labels = np.eye(num_classes, dtype=np.float32)[random.integers(0, num_classes, rows)]
        self.batch_size = spec.recipe.batch_size
        self.network = compiled_step(
            spec.architecture, spec.recipe, image_shape, num_classes, BATCHES_PER_PASS, 1
        ).network
        self._fit(epochs=1)
        alone = self._fit(epochs=1)
        self.epochs = max(
            1, round(TRIAL_SECONDS / 4 / alone)
        )  # a call of fit() has costs of its own, which members do not

    def train(self, end: float) -> float:
        """Trains until this time (`time.time()`); returns images a second."""
        seconds = images = 0.0
        while not images or time.time() < end:
            seconds += self._fit(self.epochs)
            images += self.epochs * len(self.images)
        return images / seconds

    def _fit(self, epochs: int) -> float:
        """Returns the seconds it took."""
        started, batch = time.perf_counter(), self.batch_size
        self.network.fit(self.images, self.labels, batch_size=batch, epochs=epochs, shuffle=False, verbose=0)
        return time.perf_counter() - started
