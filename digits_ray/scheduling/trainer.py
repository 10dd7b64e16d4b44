"""Many fits: a queue of members, a window of live actors, a fresh actor for each one that dies.

An actor trains one member at a time, or a stack of them that goes through the queue together where it can.

The driver replaces what died, not Ray's restart counter, which can burn out before the loss of a node is noticed; the
successor resumes from the last saved epoch.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import ray

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.scheduling.actor import ActorInputs, MemberActor, Outcome
from digits_ray.scheduling.current_plan import CurrentPlan
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.retries import Attempt, RetryPolicy, StartFailures, next_attempt
from digits_ray.scheduling.running_fit import RunningFit, updates
from digits_ray.scheduling.stacks import Stack, next_stack, state_to_continue
from digits_ray.storage import SavedEpochs, layout
from digits_ray.training import DeviceResources

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # how often the driver looks at its actors


def fit_members(
    specs: list[MemberSpec],
    inputs: ActorInputs,
    plan: Callable[[int], Plan],
    policy: RetryPolicy,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
) -> Generator[Outcome, None, None]:
    """Trains members on a window of actors and yields each as it ends, in any order.

    Args:
        specs: The members to train.
        inputs: What every actor is given.
        plan: Called again, with the number of unfinished members, so that a node that joins late helps at once.
        policy: When to give up.
        on_status: Called with the status of every member, about twice a second.

    Raises:
        RunError: members are waiting and for too long no node could hold one.
    """
    window, last_poll = _Window(specs, inputs, plan, policy), 0.0
    try:
        while window.unfinished():
            window.fill()
            yield from window.wait()
            if time.monotonic() - last_poll >= POLL_SECONDS:  # members may end much faster than that
                last_poll = time.monotonic()
                window.poll()
                on_status(window.statuses())
        on_status(window.statuses())
    finally:
        window.close()


class _Window:
    """The queue, the live actors and what each is doing."""

    def __init__(
        self, specs: list[MemberSpec], inputs: ActorInputs, plan: Callable[[int], Plan], policy: RetryPolicy
    ) -> None:
        self.queue = deque(Attempt(spec) for spec in specs)
        self.inputs, self.policy = inputs, policy
        self.current = CurrentPlan(plan, len(specs), policy.no_node_timeout)
        self.running: dict[Any, RunningFit] = {}  # by the reference of its result
        self.start_failures = StartFailures()
        self.status = {spec.member_id: MemberStatus(spec.member_id, "waiting") for spec in specs}

    @property
    def plan(self) -> Plan:
        return self.current.plan

    def unfinished(self) -> int:
        return len(self.queue) + sum(len(fit.attempts) for fit in self.running.values())

    def fill(self) -> None:
        """Starts actors until every slot of the plan is taken or no member waits."""
        if self.current.is_old:  # even if none waits: it also shows whether Ray still answers
            self._look_at_nodes()
        if self.start_failures.in_doubt and self.running:
            return  # until these have started or failed too
        while self.queue and len(self.running) < self.plan.slots:
            self._start_new_actor()

    def wait(self) -> Iterator[Outcome]:
        """Waits for a moment or until a member ends; yields those that did, and sends their actors on to the next."""
        if not self.running:
            time.sleep(POLL_SECONDS)
            return
        fits = list(self.running)
        ray.wait(fits, timeout=POLL_SECONDS)
        finished, _ = ray.wait(fits, num_returns=len(fits), timeout=0)
        for reference in finished:
            fit = self.running.pop(reference)
            yield from self._end(fit, fit.outcomes(reference))
        yield from self._replace_hanging()

    def _end(self, fit: RunningFit, outcomes: list[Outcome]) -> Iterator[Outcome]:
        failures = [outcome for outcome in outcomes if isinstance(outcome, MemberFailure)]
        if not failures:
            self._start_next(fit)
        for outcome in outcomes:
            if isinstance(outcome, MemberResult):
                self.status[outcome.member_id] = replace(self.status[outcome.member_id], state="done")
                yield outcome
        if failures:
            yield from self._retry_or_give_up(fit, failures)

    def statuses(self) -> list[MemberStatus]:
        return list(self.status.values())

    def close(self) -> None:
        """Ends every actor at once: their GPUs and CPUs are free for others."""
        for fit in self.running.values():
            ray.kill(fit.actor)
        self.running.clear()

    def _look_at_nodes(self) -> None:
        """Looks for nodes that have joined or left, and for processes that have started."""
        not_started = sum(len(fit.attempts) for fit in self.running.values() if fit.last_heartbeat is None)
        self.current.renew(self.unfinished(), len(self.queue) + not_started)
        for fit in self.running.values():
            fit.look_for_process()

    def _new_actor(self, attempt: Attempt) -> Any:
        plan = self.plan.with_multiplier(attempt.resource_multiplier)
        backend = attempt.spec.recipe.backend
        limits = (plan.threads, plan.gpus_per_member, plan.data_gib_per_member)
        resources = DeviceResources(*limits, backend, self.inputs.compilation_cache)
        options = MemberActor.options(  # type: ignore[attr-defined]  # ray.remote has no types here
            num_cpus=plan.cpus_per_member,
            num_gpus=plan.gpus_per_member,
            scheduling_strategy="SPREAD",
            max_concurrency=2,  # fit, and its updates meanwhile
        )
        return options.remote(self.inputs, resources)

    def _start_new_actor(self) -> None:
        stack = self._next_stack()
        self._start(self._new_actor(stack.attempts[0]), stack)

    def _next_stack(self) -> Stack:
        return next_stack(self.queue, self.plan.members_per_program, self._saved_epochs)

    def _saved_epochs(self, attempt: Attempt, name: str = "") -> SavedEpochs:
        return SavedEpochs(self.inputs.store, attempt.member_id, name, attempt.spec.is_refit)

    def _start(self, actor: Any, stack: Stack) -> None:
        attempts = stack.attempts
        name = layout.attempt_name(attempts[0].number, uuid.uuid4().hex[:8])
        states = [
            state_to_continue(self._saved_epochs(attempt), stack.last_epoch, attempt.spec.recipe.backend)
            for attempt in attempts
        ]
        reference = actor.fit.remote([attempt.spec for attempt in attempts], name, states)
        self.running[reference] = RunningFit(actor, attempts[0].resource_multiplier, attempts, name)
        for attempt in attempts:
            before = self.status[attempt.member_id]
            self.status[attempt.member_id] = replace(before, state="starting", attempt=attempt.number, progress=None)

    def _start_next(self, ended: RunningFit) -> None:
        """Gives the actor the next member or stack; with none left, its last handle goes and so does the process."""
        if not self.queue or len(self.running) >= self.plan.slots:
            return
        if self.queue[0].resource_multiplier == ended.resource_multiplier:
            self._start(ended.actor, self._next_stack())

    def _retry_or_give_up(self, fit: RunningFit, failures: list[MemberFailure]) -> Iterator[Outcome]:
        """Puts members back into the queue, or gives them up; all failed in the same process, perhaps not alike."""
        ray.kill(fit.actor)  # whatever state it is in, and it may only be cut off
        if fit.last_heartbeat is None:
            self.start_failures.add(failures[0])
        else:
            self.start_failures.any_started = True
        for failure in reversed(failures):  # the first is to be the queue's first again
            log.info("member %03d, %s: %s", failure.member_id, fit.attempt_name, failure.details or failure.message)
            if not self._retry(fit, failure):
                yield self._give_up(failure)
        if self.start_failures.rules_out(failures[0]) and not self.running:
            yield from [self._give_up(replace(failures[0], member_id=each.member_id)) for each in self.queue]
            self.queue.clear()

    def _retry(self, fit: RunningFit, failure: MemberFailure) -> bool:
        """Returns whether the member is tried again, and is in the queue."""
        attempt = fit.attempt_at(failure.member_id)
        assert attempt is not None
        again = next_attempt(attempt, failure, fit.epochs(attempt), self.policy.max_failures)
        if again is None or self.start_failures.rules_out(failure):
            return False
        self.queue.appendleft(again)
        reason = _with_resources(failure.reason, attempt, again)
        self.status[attempt.member_id] = MemberStatus(attempt.member_id, "waiting", again.number, last_failure=reason)
        return True

    def _give_up(self, failure: MemberFailure) -> MemberFailure:
        status = MemberStatus(failure.member_id, "failed", failure.attempts, last_failure=failure.reason)
        self.status[failure.member_id] = status
        return failure

    def _replace_hanging(self) -> Iterator[Outcome]:
        """Retries the member of an actor that does not get on. If that comes back, its files disturb nothing."""
        if not self._hanging():
            return
        self.poll()  # perhaps it was the driver that was held up, and updates have been waiting for it
        for reference, failures in self._hanging().items():
            yield from self._retry_or_give_up(self.running.pop(reference), failures)

    def _hanging(self) -> dict[Any, list[MemberFailure]]:
        hangs = {reference: fit.hang(self.policy) for reference, fit in self.running.items()}
        return {reference: failures for reference, failures in hangs.items() if failures}

    def poll(self) -> None:
        """Records what the actors tell of themselves."""
        for fit, update in updates(self.running.values()):
            self.start_failures.any_started = True
            fit.record_update(update, self._saved_epochs)
            for progress in update.progress:
                if fit.attempt_at(progress.member_id):  # else of the fit before
                    before = self.status[progress.member_id]
                    self.status[progress.member_id] = replace(before, state="training", progress=progress)


def _with_resources(reason: str, before: Attempt, again: Attempt) -> str:
    """Returns the reason, and a sentence where the next attempt gets more resources."""
    times = again.resource_multiplier
    more = times > before.resource_multiplier
    return f"{reason.rstrip('.')}. It gets {times} times the resources." if more else reason
