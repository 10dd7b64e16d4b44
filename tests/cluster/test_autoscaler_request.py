"""What a run lacks, as Ray tells it to an autoscaler."""

import pytest
import ray
from demands import cpus_asked_for
from waiting import eventually

from digits_ray.scheduling.autoscaler import AutoscalerRequest

pytestmark = pytest.mark.slow


def test_a_request_can_grow_and_be_withdrawn_and_another_stays(ray_here: None) -> None:
    address = ray.get_runtime_context().gcs_address
    first, other = AutoscalerRequest(), AutoscalerRequest()
    other.resize([{"CPU": 3.0}])
    first.resize([{"CPU": 4.0, "GPU": 1.0}] * 2)
    assert eventually(lambda: cpus_asked_for(address) == {3.0: 1, 4.0: 2})
    first.resize([{"CPU": 4.0, "GPU": 1.0}] * 20)
    assert eventually(lambda: cpus_asked_for(address) == {3.0: 1, 4.0: 20})
    first.close()
    assert eventually(lambda: cpus_asked_for(address) == {3.0: 1})
    other.close()


def test_a_request_that_is_met_takes_nothing(ray_here: None) -> None:
    request = AutoscalerRequest()
    request.resize([{"CPU": 2.0}] * 3)
    assert eventually(lambda: ray.available_resources().get("CPU") == 2 and not still_waiting(request))


def still_waiting(request: AutoscalerRequest) -> bool:
    return len(ray.wait(request._waiting, num_returns=len(request._waiting), timeout=0)[0]) < len(request._waiting)
