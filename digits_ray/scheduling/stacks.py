"""How many members are one program, and which of those that wait go on together. No Ray here."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from digits_ray.config import ARCHITECTURES, Config
from digits_ray.scheduling.gpu_sharing import SHARING_MEMBERS, smallest_gpu_gib
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.retries import Attempt
from digits_ray.storage import SavedEpochs
from digits_ray.training import device, latest_state

# One process trains members of `fast` on an H100 on 347,487 images/s alone, 531,260 four, 646,660 ten in all (n = 1).
MOST_STACKED = 10
KILLED_BETWEEN = 1  # epochs that members of a stack can be apart: it may end while one has saved and the next has not


def stack_size(config: Config, plan: Plan, member_gib: float) -> int:
    """Returns how many members a process trains at once, so that all of the plan's slots have some; on a CPU one.

    Args:
        config: The run's.
        plan: Of single members or of stacks.
        member_gib: Of GPU memory that a member's tensors take.
    """
    if not plan.gpus_per_member or ARCHITECTURES.keys().isdisjoint(config.members.architectures):
        return 1
    requested = config.resources.members_per_program
    most = _most_stacked(config, plan, member_gib) if requested == "auto" else requested
    return min(most, math.ceil(config.members.count / plan.slots))


def stack_count(config: Config, size: int) -> int:
    """Returns how many stacks the members are; each is of one architecture, and of one member of a user's own."""
    members, architectures = config.members.count, config.members.architectures

    def stacks_of(kind: int) -> int:
        count = len(range(kind, members, len(architectures)))  # architectures go in turn
        return math.ceil(count / size) if architectures[kind] in ARCHITECTURES else count

    return sum(map(stacks_of, range(len(architectures))))


def _most_stacked(config: Config, plan: Plan, member_gib: float) -> int:
    """Returns how many members can be a stack and fit the GPU beside another stack."""
    recipe, gpus = config.members.recipe, config.resources.gpus_per_member
    if recipe.backend != "jax" or recipe.validation > 0 or plan.gpus_per_member > 1:
        return 1
    part = 1 / SHARING_MEMBERS if gpus == "auto" else gpus
    smallest = smallest_gpu_gib(node for node in plan.nodes if node.gpus >= 1)
    fitting = device.tensor_gib(part, smallest) / member_gib if member_gib else math.inf
    return max(1, int(min(MOST_STACKED, fitting)))


def with_stacks(plan: Plan, config: Config, member_gib: float) -> Plan:
    """Returns a plan for stacks, with the size of its stacks, or a line that says why it has none."""
    requested, size = config.resources.members_per_program, stack_size(config, plan, member_gib)
    if size > 1:
        reason = f"{plan.reason}; up to {size} members train as one program, a stack"
        plan = replace(plan, members_per_program=size, reason=reason)
    if requested in (1, "auto"):
        return plan
    alone = ""
    if not plan.gpus_per_member:
        alone = "there is no GPU, so each member trains by itself."
    elif not ARCHITECTURES.keys() >= set(config.members.architectures):
        alone = "members with a network of your own train by themselves."
    warning = f"resources.members_per_program={requested}: {alone}"
    return replace(plan, warnings=(*plan.warnings, warning)) if alone else plan


@dataclass(frozen=True)
class Stack:
    """Members that one process trains at once; most often a single one."""

    attempts: tuple[Attempt, ...]
    last_epoch: int | None = None  # that all have saved, from which they go on; None: each from its own latest


def next_stack(queue: deque[Attempt], size: int, saved_epochs: Callable[[Attempt], SavedEpochs]) -> Stack:
    """Takes the next member from the queue, and others that can be trained with it.

    Those can that are of one kind and as far as each other. A member that has failed by itself is trained alone: it
    must not cost others an attempt.

    Args:
        queue: Of waiting members, one at least.
        size: How many a stack has at most.
        saved_epochs: Returns where a member's epochs are saved.
    """
    first = queue.popleft()
    if size == 1 or first.failures or first.spec.architecture not in ARCHITECTURES:
        return Stack((first,))
    attempts, epochs = [first], [saved_epochs(first).latest_epoch()]
    for attempt in [other for other in queue if _kind(other) == _kind(first)]:
        epoch = saved_epochs(attempt).latest_epoch()
        if len(attempts) < size and max(epoch, *epochs) - min(epoch, *epochs) <= KILLED_BETWEEN:
            attempts.append(attempt)
            epochs.append(epoch)
            queue.remove(attempt)
        if len(attempts) == size:
            break
    return Stack(tuple(attempts), min(epochs))


def state_to_continue(epochs: SavedEpochs, last_epoch: int | None, backend: str) -> bytes | None:
    """Returns a member's saved state after `last_epoch` epochs; its latest for None, or where that one is damaged."""
    if last_epoch == 0:
        return None
    return latest_state(epochs.candidates(last_epoch), backend) or latest_state(epochs.candidates(), backend)


def _kind(attempt: Attempt) -> tuple[object, ...]:
    """Returns what members of a stack have in common; the steps of an epoch, the process that trains them compares."""
    spec = attempt.spec
    return spec.architecture, spec.recipe, spec.is_refit, attempt.resource_multiplier, attempt.failures
