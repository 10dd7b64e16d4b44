"""A callback that remembers what it got."""

from collections.abc import Callable
from typing import Any

from digits_ray.runs.callbacks import RunCallback

EVENTS = [name for name in vars(RunCallback) if name.startswith("on_")]


class RecordingCallback(RunCallback):
    """Remembers every event with what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def events(self) -> list[str]:
        """The names of the events."""
        return [event for event, _ in self.calls]

    def given(self, event: str) -> tuple[Any, ...]:
        """What the first such event was given."""
        return next(given for name, given in self.calls if name == event)


def _recording(event: str) -> Callable[..., None]:
    return lambda callback, *given: callback.calls.append((event, given))


for _event in EVENTS:
    setattr(RecordingCallback, _event, _recording(_event))
