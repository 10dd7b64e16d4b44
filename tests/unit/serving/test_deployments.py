"""The model as the ingress sees it: what it does when replicas die, refuse or are not there yet."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from local_server import facts_of
from ray.exceptions import ActorDiedError, RayActorError
from ray.serve._private import replica
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from digits_ray.errors import UserError
from digits_ray.scheduling.ray_internals import listen_on_no_rpc_port
from digits_ray.serving import deployments
from digits_ray.serving.deployments import RemoteModel, VoteRequest, count_rows
from digits_ray.serving.requests import RequestError
from digits_ray.serving.served_run import Votes

IMAGES = np.zeros((2, 28, 28), np.uint8)
FACTS = facts_of()
VOTES = Votes(np.full((3, 2, 10), 0.1, np.float32), FACTS, None)


class Method:
    """A method of a handle, each call of which comes to what is next."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes, self.calls = outcomes, 0

    def remote(self, *given: Any) -> Coroutine[Any, Any, Any]:
        self.calls += 1
        return self._outcome(self.outcomes.pop(0))

    async def _outcome(self, outcome: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return await outcome() if callable(outcome) else outcome


class Broadcast:
    """What all replicas that run come to."""

    def __init__(self, outcome: list[Any] | Exception) -> None:
        self.outcome = outcome

    async def results_async(self) -> list[Any]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Handle:
    """A handle of Ray Serve."""

    def __init__(
        self, votes: Sequence[Any] = (), facts: Sequence[Any] = (), broadcasts: Sequence[tuple[str, Any]] = ()
    ) -> None:
        self.votes, self.facts = Method(list(votes)), Method(list(facts))
        self.broadcasts = list(broadcasts)  # methods and what their calls come to, in turn

    def broadcast(self, method: str) -> Broadcast:
        expected, outcome = self.broadcasts.pop(0)
        assert method == expected
        return Broadcast(outcome)


def outcome(call: Callable[[RemoteModel], Coroutine[Any, Any, Any]], handle: Handle) -> Any:
    """What a call comes to: its result, or the status that it is refused with."""
    try:
        return asyncio.run(call(RemoteModel(handle, replicas=2)))
    except RequestError as error:
        return error.status, str(error)


def vote(model: RemoteModel) -> Coroutine[Any, Any, Votes]:
    return model.votes(IMAGES, None)


@pytest.mark.parametrize(("call", "method", "answer"), [(vote, "votes", VOTES), (RemoteModel.facts, "facts", FACTS)])
def test_a_replica_that_dies_is_replaced_by_another_once(call: Any, method: str, answer: Any) -> None:
    handle = Handle(**{method: [ActorDiedError(), answer]})
    assert outcome(call, handle) is answer
    handle = Handle(**{method: [RayActorError(), ActorDiedError(), answer]})
    assert outcome(call, handle) == (503, "the process that computed this died. Try again in a moment.")
    assert getattr(handle, method).calls == 2


def test_a_full_queue_and_a_refusal_are_not_asked_again() -> None:
    handle = Handle(votes=[BackPressureError(num_queued_requests=64, max_queued_requests=64), VOTES])
    assert outcome(vote, handle) == (503, "the server is busy. Try again in a moment.")
    assert handle.votes.calls == 1
    assert outcome(vote, Handle(votes=[UserError("prediction sets: no.")])) == (422, "prediction sets: no.")


def test_facts_are_asked_for_once_where_old_ones_will_do() -> None:
    async def twice(model: RemoteModel) -> list[Any]:
        return [await model.known_facts(), await model.known_facts()]

    handle = Handle(facts=[facts_of()])
    assert outcome(twice, handle) == [facts_of()] * 2
    assert handle.facts.calls == 1


def test_a_model_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.serving.deployments.FRESH_SECONDS", 0.01)
    ready = RemoteModel.check_ready
    handle = Handle(facts=[lambda: asyncio.sleep(20)])
    assert outcome(ready, handle) == (503, "the ensemble is not loaded yet.")
    assert outcome(ready, Handle(facts=[facts_of()])) is None


def test_a_batch_is_as_large_as_its_images_are_many() -> None:
    assert count_rows([VoteRequest(IMAGES, None), VoteRequest(IMAGES[:1], 0.99)]) == 3


def test_a_replica_opens_no_port_and_refuses_to_start_where_it_cannot_be_told_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica, "add_port_to_grpc_server", replica.add_port_to_grpc_server)
    listen_on_no_rpc_port()
    assert replica.add_port_to_grpc_server(None, "[::]:0") == 0
    monkeypatch.delattr(replica, "add_port_to_grpc_server")
    with pytest.raises(RuntimeError, match="opens its ports in another way"):
        listen_on_no_rpc_port()


OLD, NEW = facts_of(members=1), facts_of(members=2)


@pytest.mark.parametrize(
    "broadcasts",
    [
        [("facts", [OLD, OLD]), ("reload", [NEW, NEW])],
        [
            ("facts", DeploymentUnavailableError(DeploymentID("model"))),
            ("facts", [OLD]),
            ("facts", [OLD, OLD]),
            ("reload", [NEW, NEW]),
        ],
        [("facts", [OLD, OLD]), ("reload", [NEW]), ("facts", [NEW, OLD]), ("reload", [NEW, NEW])],
        [("facts", [OLD, OLD]), ("reload", ActorDiedError()), ("facts", [NEW, OLD]), ("reload", [NEW, NEW])],
    ],
    ids=["both run", "one starts", "one is skipped", "one dies"],
)
def test_reloading_ends_when_every_replica_has_done_it(
    monkeypatch: pytest.MonkeyPatch, broadcasts: list[tuple[str, Any]]
) -> None:
    monkeypatch.setattr(deployments, "RELOAD_PAUSE_SECONDS", 0)
    handle = Handle(broadcasts=broadcasts)
    assert outcome(RemoteModel.reload, handle) is NEW
    assert handle.broadcasts == []


def test_where_a_replica_does_not_come_nothing_is_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments, "RELOAD_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(deployments, "RELOAD_SECONDS", 0.1)
    assert outcome(RemoteModel.reload, Handle(broadcasts=[("facts", [OLD])] * 50)) == (
        503, "1 of 2 processes of the ensemble are running. Reload when all are, or start `digits-ray serve` again."
    )  # fmt: skip


def test_a_run_that_cannot_be_loaded_again_is_told_in_words() -> None:
    handle = Handle(broadcasts=[("facts", [OLD, OLD]), ("reload", UserError("no member is finished."))])
    assert outcome(RemoteModel.reload, handle) == (409, "the run was not loaded again: no member is finished.")
