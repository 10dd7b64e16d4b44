"""What a replica gets of a cluster."""

import pytest

from digits_ray.scheduling.resources import NodeTotals
from digits_ray.serving.resources import ModelResources, model_resources


def nodes(*cpus_and_gpus: tuple[float, float]) -> list[NodeTotals]:
    return [NodeTotals(f"node {number}", cpus, gpus, None) for number, (cpus, gpus) in enumerate(cpus_and_gpus)]


@pytest.mark.parametrize(
    ("given", "replicas", "expected"),
    [
        (nodes((2, 0)), 1, ModelResources(1.0, 0.0, 2)),
        (nodes((2, 0)), 2, ModelResources(0.5, 0.0, 1)),
        (nodes((2, 0)), 3, ModelResources(1 / 3, 0.0, 1)),
        (nodes((16, 1)), 1, ModelResources(1.0, 0.5, 16)),
        (nodes((16, 4)), 2, ModelResources(1.0, 1.0, 8)),
        (nodes((8, 1), (8, 1), (8, 1)), 3, ModelResources(1.0, 0.5, 8)),
    ],
)
def test_replicas_get_equal_parts_that_fit_twice(
    given: list[NodeTotals], replicas: int, expected: ModelResources
) -> None:
    assert model_resources(given, replicas) == expected
