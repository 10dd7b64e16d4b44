"""What a machine or cluster has, what a run would use, what is missing."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.doctor.checks import Findings, examine

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "checks": ["Findings", "examine"],
    },
)
