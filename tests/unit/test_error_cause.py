"""What an error began with, and in which line of the user's or our own code."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest

from digits_ray.error_cause import ErrorCause, cause_in_text, hiding_file, root_cause

BROKEN_TENSORFLOW = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/tensorflow/python/pywrap_tensorflow.py", line 73, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
ImportError: libtensorflow_cc.so.2: cannot open shared object file: No such file or directory


Failed to load the native TensorFlow runtime.
See https://www.tensorflow.org/install/errors for some common causes and solutions."""

ACTOR_THAT_CANNOT_START = f"""The actor died because of an error raised in its creation task, \x1b[36mray::MemberActor\
.__init__()\x1b[39m (pid=12, ip=10.0.0.1, actor_id=0a, repr=<digits_ray.scheduling.actor.MemberActor object at 0x7>)
  File "/home/me/digits_ray/scheduling/actor.py", line 62, in __init__
    self.fit_member = resolve_name(inputs.prepare_fit)(resources)
                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/home/me/digits_ray/training/device/tensorflow.py", line 17, in limit_process
    import tensorflow as tf
ImportError: {BROKEN_TENSORFLOW}"""


def caught(raising: Callable[[], object]) -> BaseException:
    try:
        raising()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def user_code() -> None:
    raise ValueError("my network needs\n  three channels")


def rewrapped() -> None:
    try:
        user_code()
    except ValueError as error:
        raise RuntimeError("the graph failed") from error


def test_an_error_is_told_with_its_line_on_one_line() -> None:
    assert str(root_cause(caught(user_code))).startswith("ValueError: my network needs three channels (")
    assert root_cause(caught(user_code)).origin.endswith("test_error_cause.py:39, in user_code")


def test_what_an_error_was_raised_from_is_told_instead() -> None:
    assert root_cause(caught(rewrapped)) == root_cause(caught(user_code))


def test_an_error_within_a_library_is_told_with_the_line_that_called_it() -> None:
    cause = root_cause(caught(lambda: json.loads("{")))
    assert cause.error_type == "JSONDecodeError"
    assert cause.origin.endswith("in <lambda>")
    assert "test_error_cause.py" in cause.origin


def test_of_a_process_that_cannot_start_the_cause_is_read_from_its_text() -> None:
    cause = cause_in_text(ACTOR_THAT_CANNOT_START)
    assert cause is not None
    assert cause.error_type == "ImportError"
    assert cause.message == "libtensorflow_cc.so.2: cannot open shared object file: No such file or directory"
    assert cause.origin == "digits_ray/training/device/tensorflow.py:17, in limit_process"


def test_of_a_broken_tensorflow_the_missing_library_is_told() -> None:
    def load() -> None:
        raise ImportError(BROKEN_TENSORFLOW)

    cause = root_cause(caught(load))
    assert cause.message.startswith("libtensorflow_cc.so.2: cannot open")
    assert cause.origin.endswith("in load")


def test_of_an_error_within_a_function_of_tensorflow_s_the_error_itself_is_told() -> None:
    frames = '    File "/a/loop.py", line 50, in train  *\n        self.step()\n    File "b.py", line 3, in step  **\n'
    error = ValueError(f"in user code:\n\n{frames}\n    ValueError: No gradients provided\x00 for any variable.\n")
    assert (root_cause(error).error_type, root_cause(error).message) == (
        "ValueError",
        "No gradients provided for any variable.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    g()\nKeyError: 'x'", "KeyError: 'x' (a.py:3, in f)"),
        ("my.own.Refusal", "Refusal (a.py:3, in f)"),
    ],
)
def test_any_exception_s_name_is_read(text: str, message: str) -> None:
    assert str(cause_in_text(f'Traceback (most recent call last):\n  File "a.py", line 3, in f\n{text}')) == message


def test_of_two_errors_of_which_one_caused_the_other_the_first_is_told() -> None:
    first = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g()\nKeyError: 'x'\n\n"
    second = first.replace("KeyError: 'x'", "ValueError: no").replace("a.py", "b.py")
    caused = f"{first}The above exception was the direct cause of the following exception:\n\n{second}"
    assert str(cause_in_text(caused)) == "KeyError: 'x' (a.py:3, in f)"
    handled = f"{first}During handling of the above exception, another exception occurred:\n\n{second}"
    assert str(cause_in_text(handled)) == "ValueError: no (b.py:3, in f)"


def test_text_without_a_traceback_has_no_cause() -> None:
    assert cause_in_text("the actor died") is None


def test_an_error_without_a_message_is_its_name() -> None:
    assert str(ErrorCause("KeyboardInterrupt", "")) == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("file", "hiding"),
    [
        ("/home/me/keras.py", "/home/me/keras.py"),
        ("/usr/lib/python3.11/site-packages/keras/__init__.py", None),
        ("/home/me/src/keras/__init__.py", None),
        (None, None),
    ],
)
def test_the_file_that_is_imported_in_the_place_of_a_library_is_known_by_what_it_lacks(
    file: str | None, hiding: str | None
) -> None:
    module = ModuleType("keras")
    module.__file__ = file
    with pytest.raises(AttributeError) as lacking:
        module.ops  # noqa: B018
    assert hiding_file(lacking.value) == hiding
    assert hiding_file(ImportError("cannot import name 'ops'", name="keras", path=file)) == hiding


def test_an_error_without_a_module_is_of_no_file() -> None:
    assert hiding_file(ValueError("7")) is None
