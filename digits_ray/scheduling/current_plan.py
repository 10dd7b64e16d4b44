"""The plan of a training while nodes come and go."""

import time
from collections.abc import Callable
from dataclasses import replace

from digits_ray.errors import RunError, UserError
from digits_ray.scheduling.resources import Plan

REPLAN_SECONDS = 5.0  # how often the driver looks for nodes that have joined or left


class CurrentPlan:
    """The latest plan. Where no node can hold a member any more it has no slots, and one is waited for a while."""

    def __init__(self, make_plan: Callable[[int], Plan], members: int, no_node_timeout: float) -> None:
        """Makes the first plan.

        Args:
            make_plan: Looks at the nodes and plans for so many members.
            members: How many are to be trained.
            no_node_timeout: Seconds without a node that could hold a member, after which the training ends.
        """
        self._make_plan, self._no_node_timeout = make_plan, no_node_timeout
        self.plan, self._made = make_plan(members), time.monotonic()
        self._without_node_since: float | None = None

    @property
    def is_old(self) -> bool:
        """Whether it is time to look at the nodes again."""
        return time.monotonic() - self._made > REPLAN_SECONDS

    def renew(self, unfinished: int, waiting: int) -> None:
        """Looks at the nodes again.

        Args:
            unfinished: Members that are not finished.
            waiting: How many of them no process trains yet.

        Raises:
            RunError: members wait, and for too long no node could hold one.
        """
        self._made = time.monotonic()
        try:
            self.plan, self._without_node_since = self._make_plan(unfinished), None
        except UserError as error:
            if waiting:
                self._wait_for_node(waiting, error)

    def _wait_for_node(self, waiting: int, error: UserError) -> None:
        self._without_node_since = self._without_node_since or time.monotonic()
        if time.monotonic() - self._without_node_since > self._no_node_timeout:
            members = "1 member waits" if waiting == 1 else f"{waiting} members wait"
            raise RunError(f"{members} and no node can hold one: {error}") from None
        self.plan = replace(self.plan, slots=0)
