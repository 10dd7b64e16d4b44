"""Whether Ray has found a node for an actor."""

from digits_ray.scheduling.ray_internals import has_process as has_process
