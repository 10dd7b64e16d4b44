"""The HTTP of the server without Ray, on loopback: the application, with a model in this process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import uvicorn

from digits_ray.data import DrawingForm
from digits_ray.serving.application import build_app
from digits_ray.serving.requests import RequestError
from digits_ray.serving.served_run import RunFacts, ServedRun, Votes
from digits_ray.serving.settings import ServeSettings

FORM = DrawingForm(28, 28, True, (0.0,), (255.0,), "longest side", (20.0, 20.0), "mass", (14.0, 14.0), 2.5, 1.0)


def facts_of(members: int = 3, shape: tuple[int, ...] = (28, 28), form: DrawingForm = FORM) -> RunFacts:
    """Facts of an invented run of ten classes."""
    return RunFacts("first", tuple(range(10)), shape, tuple(range(members)), 0.993, 144, form, None)


@dataclass
class LocalModel:
    """A model in this process: a run's ensemble, or one that sees the class in the brightness of the first pixel."""

    run: ServedRun | None = None
    known: RunFacts = field(default_factory=facts_of)
    failure: RequestError | None = None  # raised by every call
    seen: list[np.ndarray] = field(default_factory=list)  # what was voted on

    def start_anew(self, known: RunFacts) -> "LocalModel":
        """Forgets what an earlier test has asked and set."""
        self.failure, self.known = None, known
        self.seen.clear()
        return self

    async def votes(self, images: np.ndarray, level: float | None) -> Votes:
        """Returns the votes; sets hold the two best classes."""
        if self.failure:
            raise self.failure
        self.seen.append(images)
        votes = await asyncio.to_thread(self.run.votes, images) if self.run else self._invented(images)
        proba = votes.proba.mean(axis=0)
        return votes if level is None else Votes(votes.proba, votes.facts, proba >= np.sort(proba)[:, -2:-1])

    def _invented(self, images: np.ndarray) -> Votes:
        proba = np.full((len(self.known.members), len(images), 10), 0.02, np.float32)
        classes = images.reshape(len(images), -1)[:, 0] % 10
        proba[:, np.arange(len(images)), classes] = 0.82
        proba[0] = np.roll(proba[0], 1, axis=-1)  # the first member is always off by one
        return Votes(proba, self.known, None)

    async def facts(self) -> RunFacts:
        """Returns the facts of the run."""
        if self.failure:
            raise self.failure
        return self.run.facts if self.run else self.known

    known_facts = facts

    async def check_ready(self) -> None:
        """Raises the failure, where there is one."""
        await self.facts()

    async def reload(self) -> RunFacts:
        """Returns the facts of the run."""
        return await self.facts()


@contextmanager
def serving(model: LocalModel, settings: ServeSettings | None = None) -> Iterator[str]:
    """Serves on a free port of loopback; yields the URL of the page."""
    app = build_app(model, settings or ServeSettings("runs/first"))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()
