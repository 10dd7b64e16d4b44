"""Members in numpy that find their part of a pretended GPU full, as cuDNN says it, and train on a whole one."""

from collections.abc import Callable
from typing import Any

import numpy_fit

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberResult

CROWDED = (1, 2)  # the members that a part of a GPU does not hold


def prepare_fit(resources: Any) -> Callable[..., MemberResult]:
    def fit(spec: MemberSpec, *given: Any) -> MemberResult:
        if spec.member_id in CROWDED and resources.gpus < 1:
            raise RuntimeError("INTERNAL: Failed to get configs for: 20 out of 85 instructions")
        return numpy_fit.fit(spec, *given)

    return fit
