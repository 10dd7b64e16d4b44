"""Shows the cluster's autoscaler, where there is one, what a run still lacks."""

from typing import Any

import ray


class AutoscalerRequest:
    """Tasks of a member's size that wait for a node, and end as soon as one can run them.

    Ray's own `request_resources` is one request for a whole cluster: of two runs the second overwrites the first's, and
    it outlives both. Tasks that wait are counted as well, each run has its own, and they go with its driver. A request
    that shrinks may stay larger than it should be by nine (Ray sends for ten workers ahead); withdrawn, it is gone.
    """

    def __init__(self) -> None:
        self._waiting: list[Any] = []  # references

    def resize(self, bundles: list[dict[str, float]]) -> None:
        """Asks for resources for these members beside what there is, instead of what was asked for before.

        Args:
            bundles: What each needs, all alike.
        """
        if self._waiting:
            _, self._waiting = ray.wait(self._waiting, num_returns=len(self._waiting), timeout=0)
        for surplus in self._waiting[len(bundles) :]:
            ray.cancel(surplus)
        self._waiting = self._waiting[: len(bundles)]
        for bundle in bundles[len(self._waiting) :]:
            task = _placeholder.options(num_cpus=bundle["CPU"], num_gpus=bundle.get("GPU", 0.0))
            self._waiting.append(task.remote())

    def close(self) -> None:
        """Withdraws it."""
        self.resize([])


@ray.remote(max_retries=0)
def _placeholder() -> None:
    """Ends as soon as a node has had the resources for it."""
