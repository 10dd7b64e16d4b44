"""The two deployments of Ray Serve: the model, which votes, and the ingress, which speaks HTTP."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray import serve
from ray.exceptions import RayActorError
from ray.serve import Application
from ray.serve.config import BackpressureConfig
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle, DeploymentResponse
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from digits_ray.errors import UserError
from digits_ray.runs import load_run
from digits_ray.scheduling.ray_internals import listen_on_no_rpc_port
from digits_ray.serving.application import build_app
from digits_ray.serving.requests import RequestError
from digits_ray.serving.resources import ModelResources
from digits_ray.serving.served_run import RunFacts, ServedRun, Votes
from digits_ray.serving.settings import MOST_IMAGES, REQUEST_SECONDS, RETRY_AFTER_SECONDS, ServeSettings
from digits_ray.training import DeviceResources, device
from digits_ray.training.network_files import NetworkFile, register_networks, registered_networks

BATCH_WAIT_SECONDS = 0.002  # that the first request of a batch waits for others
MODEL_ONGOING = 64  # requests that a replica of the model has at a time
MODEL_QUEUED = 64  # requests of each ingress that wait for one; more are refused
INGRESS_ONGOING = 256
INGRESS_REPLICAS = 2  # so that one may die
HEALTH_SECONDS = 2.0  # between two looks at whether a replica lives
GRACE_SECONDS = 5.0  # that a replica has to finish its requests when the server ends
FRESH_SECONDS = 5.0  # that an answer of the model counts as a sign that it is ready
RELOAD_SECONDS = REQUEST_SECONDS / 2  # that reloading waits for replicas that are starting
RELOAD_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class VoteRequest:
    """What is asked of the model at once."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8
    level: float | None  # of prediction sets; None: none


def count_rows(requests: Sequence[VoteRequest]) -> int:
    """Returns the images of all requests."""
    return sum(len(request.images) for request in requests)


class VotingReplica:
    """One process with the ensemble."""

    def __init__(self, run_dir: str, resources: ModelResources, networks: Sequence[NetworkFile]) -> None:
        """Loads and compiles the ensemble, with users' own networks; until then the replica is not ready."""
        listen_on_no_rpc_port()
        register_networks(networks)
        backend = device.installed_backend(load_run(run_dir).config.members.recipe.backend)
        device.claim(DeviceResources(resources.threads, resources.num_gpus, backend=backend))
        self._run_dir, self._run, self._reloading = run_dir, ServedRun(run_dir), asyncio.Lock()

    def facts(self) -> RunFacts:
        """Returns the facts of the run that votes now."""
        return self._run.facts

    async def votes(self, request: VoteRequest) -> Votes:
        """Returns the votes on the images of a request, alone or together with others'."""
        run, votes = await self._batch(request)
        return votes if request.level is None else run.with_sets(votes, request.level)

    @serve.batch(max_batch_size=MOST_IMAGES, batch_wait_timeout_s=BATCH_WAIT_SECONDS, batch_size_fn=count_rows)
    async def _batch(self, requests: list[VoteRequest]) -> list[tuple[ServedRun, Votes]]:
        run, images = self._run, np.concatenate([request.images for request in requests])
        votes = await asyncio.to_thread(run.votes, images)
        ends = np.cumsum([len(request.images) for request in requests]).tolist()
        return [(run, votes.rows(start, end)) for start, end in zip([0, *ends], ends, strict=False)]

    async def reload(self) -> RunFacts:
        """Loads the run directory again; what is asked meanwhile is answered by what was loaded before."""
        async with self._reloading:
            self._run = await asyncio.to_thread(ServedRun, self._run_dir)
        return self._run.facts


class RemoteModel:
    """The deployment of the model, as the application sees it."""

    def __init__(self, handle: DeploymentHandle, replicas: int) -> None:
        self._handle, self._replicas = handle, replicas
        self._known_facts: RunFacts | None = None
        self._last_answer = -math.inf  # time.monotonic()

    async def votes(self, images: np.ndarray, level: float | None) -> Votes:
        """Returns the votes on images; where a replica dies meanwhile, another is asked, once.

        Args:
            images: (rows, height, width[, 3]) uint8.
            level: Of prediction sets; None: none are wanted.
        """
        request = VoteRequest(images, level)
        return await self._answer_of_any(lambda: self._handle.votes.remote(request))

    async def facts(self) -> RunFacts:
        """Returns the facts of the run; where a replica dies meanwhile, another is asked, once."""
        self._known_facts = await self._answer_of_any(self._handle.facts.remote)
        return self._known_facts

    async def known_facts(self) -> RunFacts:
        """Returns the facts of the run as they were first asked for, or last."""
        return self._known_facts or await self.facts()

    async def check_ready(self) -> None:
        """Raises RequestError unless a replica has just answered, or does so now."""
        if time.monotonic() - self._last_answer > FRESH_SECONDS:
            try:
                await asyncio.wait_for(self.facts(), FRESH_SECONDS)
            except TimeoutError:
                raise RequestError(503, "the ensemble is not loaded yet.") from None

    async def reload(self) -> RunFacts:
        """Loads the run again in all replicas; waits for one that is starting, which may have read it before."""
        give_up, running = time.monotonic() + RELOAD_SECONDS, 0
        while time.monotonic() < give_up:
            running = len(await self._of_running("facts"))
            facts = await self._of_running("reload") if running >= self._replicas else []
            if len(facts) >= self._replicas:
                self._known_facts = facts[0]
                return facts[0]
            await asyncio.sleep(RELOAD_PAUSE_SECONDS)
        raise RequestError(
            503,
            f"{running} of {self._replicas} processes of the ensemble are running. Reload when all are, or start"
            " `digits-ray serve` again.",
        )

    async def _of_running(self, method: str) -> list[RunFacts]:
        """Returns what the method answers in every replica that runs; nothing where one of them died meanwhile."""
        try:
            return await self._handle.broadcast(method).results_async()
        except UserError as error:
            raise RequestError(409, f"the run was not loaded again: {_message(error)}") from None
        except (RayActorError, RayServeException):
            return []

    async def _answer_of_any(self, call: Callable[[], DeploymentResponse]) -> Any:
        try:
            return await self._answer(call())
        except ReplicaDiedError:
            return await self._answer(call())

    async def _answer(self, response: DeploymentResponse) -> Any:
        try:
            answer = await response
        except BackPressureError:
            raise RequestError(503, "the server is busy. Try again in a moment.") from None
        except UserError as error:
            raise RequestError(422, _message(error)) from None
        except RayActorError:
            raise ReplicaDiedError(503, "the process that computed this died. Try again in a moment.") from None
        except RayServeException:
            raise RequestError(503, "the ensemble cannot be loaded. The server's log says why.") from None
        self._last_answer = time.monotonic()
        return answer


class ReplicaDiedError(RequestError):
    """A replica of the model died while it computed the answer."""


def _message(error: UserError) -> str:
    """Returns the message of an error of a replica, which Ray raises here with the traceback in its text."""
    return str(getattr(error, "cause", error))


class Ingress:
    """One process that speaks HTTP."""

    def __init__(self, model: DeploymentHandle, settings: ServeSettings) -> None:
        listen_on_no_rpc_port()
        self._model, self._settings = RemoteModel(model, settings.replicas), settings

    def __serve_build_asgi_app__(self) -> ASGIApp:  # Ray Serve's name
        """Returns the application that answers the requests of this process."""
        return build_app(self._model, self._settings)


def bind_application(settings: ServeSettings, resources: ModelResources) -> Application:
    """Returns the application, as `serve.run` takes it.

    Args:
        settings: The server's.
        resources: Of each replica of the model.
    """
    common: dict[str, Any] = {
        "health_check_period_s": HEALTH_SECONDS,
        "graceful_shutdown_timeout_s": GRACE_SECONDS,
        "backpressure_config": BackpressureConfig(retry_after_s=RETRY_AFTER_SECONDS),
        "logging_config": LoggingConfig(log_level="WARNING", enable_access_log=False),
    }
    model = serve.deployment(
        VotingReplica, name="model", num_replicas=settings.replicas, ray_actor_options=resources.actor_options(),
        max_ongoing_requests=MODEL_ONGOING, max_queued_requests=MODEL_QUEUED, max_surge_percent=100, **common,
    )  # fmt: skip
    ingress = serve.deployment(
        serve.ingress()(Ingress), name="ingress", num_replicas=INGRESS_REPLICAS, ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=INGRESS_ONGOING, max_queued_requests=INGRESS_ONGOING, max_surge_percent=100, **common,
    )  # fmt: skip
    return ingress.bind(model.bind(settings.run_dir, resources, registered_networks()), settings)
