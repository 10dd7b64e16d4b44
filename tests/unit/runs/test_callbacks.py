"""Callbacks: each is told of each event, in order, and of the run's end whatever happens."""

from typing import Any

import pytest
from recording_callback import EVENTS, RecordingCallback

from digits_ray.config import Config
from digits_ray.ensemble import MemberFailure
from digits_ray.runs.callbacks import CallbackList, RunCallback
from digits_ray.runs.pipeline import callback_list
from digits_ray.scheduling import Plan


class Fails(RunCallback):
    def on_run_begin(self) -> None:
        raise ValueError("a defect of the callback")


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_reaches_every_callback(event: str) -> None:
    first, second = RecordingCallback(), RecordingCallback()
    getattr(CallbackList([first, second]), event)("with", "this")
    assert first.calls == second.calls == [(event, ("with", "this"))]


def test_callbacks_are_told_in_the_order_in_which_they_were_given() -> None:
    first, second = RecordingCallback(), RecordingCallback()
    first.calls = second.calls
    first.on_baseline_failure = lambda *given: first.calls.append(("first", given))  # type: ignore[method-assign]
    CallbackList([first, second]).on_baseline_failure("knn", "why")
    assert second.events == ["first", "on_baseline_failure"]


def test_begin_and_end_enclose_the_run() -> None:
    callback = RecordingCallback()
    with CallbackList([callback]).running():
        assert callback.events == ["on_run_begin"]
    assert callback.events == ["on_run_begin", "on_run_end"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_end_is_told_after_an_error_too(error: type[BaseException]) -> None:
    callback = RecordingCallback()
    with pytest.raises(error), CallbackList([callback]).running():
        raise error
    assert callback.events == ["on_run_begin", "on_run_end"]


def test_the_end_is_told_to_all_when_the_beginning_fails_for_one() -> None:
    first, last = RecordingCallback(), RecordingCallback()
    running = CallbackList([first, Fails(), last]).running()
    with pytest.raises(ValueError, match="a defect of the callback"), running:
        pytest.fail("the run must not begin")
    assert first.events == ["on_run_begin", "on_run_end"]
    assert last.events == ["on_run_end"]


PLAN = Plan(slots=1, cpus_per_member=1, gpus_per_member=1, threads=1, reason="", warnings=("GPU 0 is in use",))
FAILURE = MemberFailure(1, "ValueError", "the loss is NaN", 3)
WARNED = [
    ("on_recipe_kept", (Config(), "preset 'fast' has changed"), "preset 'fast' has changed"),
    ("on_plan", (PLAN, 1, 1, "runs/first"), "GPU 0 is in use"),
    ("on_refit_begin", (PLAN, 1, 1), "GPU 0 is in use"),
    ("on_member_failure", (FAILURE,), "member 1 could not be trained. ValueError: the loss is NaN"),
    ("on_refit_failure", (FAILURE,), "member 1 could not be trained once more; its first network votes instead. Value"),
    ("on_baseline_failure", ("knn", "no trial"), "knn could not be fitted; the run goes on without it. no trial"),
    ("on_report_failure", ("OSError: disk full",), "report.html could not be drawn. OSError: disk full"),
    ("on_tracking_failure", ("no server",), "MLflow could not be written to: no server"),
]


@pytest.mark.parametrize(("event", "given", "text"), WARNED, ids=[event for event, *_ in WARNED])
@pytest.mark.parametrize("callbacks", [[], [RunCallback()], [RunCallback(), RunCallback()]], ids=len)
def test_what_must_not_go_unnoticed_warns_once_where_no_callback_shows_it(
    event: str, given: tuple[object, ...], text: str, callbacks: list[RunCallback]
) -> None:
    with pytest.warns(UserWarning) as caught:
        getattr(CallbackList(callbacks), event)(*given)
    (warning,) = caught
    assert str(warning.message).startswith(text)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("event", "given"), [case[:2] for case in WARNED], ids=[event for event, *_ in WARNED])
def test_what_a_callback_shows_warns_of_nothing_however_many_there_are(event: str, given: tuple[object, ...]) -> None:
    shows = RecordingCallback()
    getattr(CallbackList([RunCallback(), shows]), event)(*given)
    assert shows.events == [event]


def test_callbacks_given_as_before_0_2_still_count_and_warn() -> None:
    first, last = RunCallback(), RunCallback()
    with pytest.warns(DeprecationWarning, match=r"callbacks=\[…\]"):
        assert callback_list([first], last).callbacks == (first, last)
    with pytest.warns(DeprecationWarning, match=r"callbacks=\[…\]"):
        assert callback_list(first, None).callbacks == (first,)


@pytest.mark.filterwarnings("error")
def test_a_sequence_of_callbacks_warns_of_nothing() -> None:
    first, last = RunCallback(), RunCallback()
    assert callback_list((first, last), None).callbacks == (first, last)


@pytest.mark.parametrize("given", [RunCallback, [RunCallback], [None], "progress", 5])
def test_callbacks_that_are_none_are_refused_with_the_cure(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^callbacks=.*: a list of RunCallback instances is expected"):
        callback_list(given, None)
