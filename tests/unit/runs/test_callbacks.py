"""Callbacks: each is told of each event, in order, and of the run's end whatever happens."""

import pytest
from recording_callback import EVENTS, RecordingCallback

from digits_ray.runs.callbacks import CallbackList, RunCallback
from digits_ray.runs.pipeline import callback_list


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


@pytest.mark.parametrize("callbacks", [[], [RunCallback()]])
def test_failures_that_must_not_go_unnoticed_warn_where_no_callback_shows_them(callbacks: list[RunCallback]) -> None:
    with pytest.warns(UserWarning, match="report.html could not be drawn. OSError: disk full"):
        CallbackList(callbacks).on_report_failure("OSError: disk full")
    with pytest.warns(UserWarning, match="MLflow was not told. no server"):
        CallbackList(callbacks).on_tracking_failure("no server")


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
