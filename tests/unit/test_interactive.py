"""`run`, `tune` and `distil` in Python: what they show where they are given no callbacks."""

from typing import Any

import pytest

import digits_ray
from digits_ray import ProgressCallback, runs
from digits_ray.config.schema import Config, MembersConfig
from digits_ray.interactive import with_progress


def given_callbacks(config: object, callbacks: Any = None, *, view: Any = None) -> Any:
    return callbacks


def test_the_progress_is_shown_where_no_callbacks_are_given() -> None:
    function = with_progress(given_callbacks)
    for (callback,) in (function("fast"), function("fast", None), function("fast", callbacks=None)):
        assert isinstance(callback, ProgressCallback)


def test_a_line_at_the_end_says_where_the_results_are(capsys: pytest.CaptureFixture[str]) -> None:
    def stages(config: object, callbacks: Any = None) -> str:
        return f"<Run runs/{config}: ensemble of 2: 97.22 %>"

    class Printed(str):
        def __repr__(self) -> str:
            return str(self)

    with_progress(lambda *given, **inputs: Printed(stages(*given, **inputs)))("first")
    assert capsys.readouterr().err == "Run runs/first: ensemble of 2: 97.22 %\n"
    with_progress(stages)("first", [])
    assert capsys.readouterr().err == ""


def test_a_third_argument_is_refused_and_not_lost() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        with_progress(given_callbacks)("fast", None, "train.csv")


def test_an_empty_list_of_callbacks_shows_nothing() -> None:
    function = with_progress(given_callbacks)
    assert function("fast", []) == function("fast", callbacks=[]) == []
    assert function("fast", view=digits_ray.RunCallback()) is None


@pytest.mark.parametrize(
    ("teachers", "call"),
    [(None, "the same call with out='runs/first' continues."), ("a" * 64, "the same call continues.")],
)
def test_an_interrupted_call_ends_with_how_to_go_on(teachers: str | None, call: str) -> None:
    def stages(config: object, callbacks: Any = None) -> None:
        (progress,) = callbacks
        progress.on_settings(Config(out="runs/first", members=MembersConfig(teachers=teachers)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        with_progress(stages)("fast")
    (note,) = interrupted.value.__notes__
    assert note.endswith(call)


@pytest.mark.parametrize("name", ["run", "tune", "distil"])
def test_the_functions_are_documented_as_in_the_package_that_has_them(name: str) -> None:
    assert getattr(digits_ray, name).__doc__ == getattr(runs, name).__doc__
