"""The exception that an error began with, wherever it was raised: in this process, or in one whose text alone came."""

import re
import textwrap
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

MAX_MESSAGE = 1000  # characters; some libraries print the state of their allocators

_ANSI = re.compile(r"\x1b\[[0-9;]*m")  # Ray colours the head of a traceback
_FRAME = re.compile(r'^ *File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)
_RAISED = re.compile(r"^(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)(?:: (.*))?$", re.MULTILINE)
_IN_HANDLING = "During handling of the above exception, another exception occurred:"
_DIRECT_CAUSE = "The above exception was the direct cause of the following exception:"
_TRACEBACK = "Traceback (most recent call last):"
_TENSORFLOW_TRACEBACK = "in user code:"  # the message of an error within tf.function; the traceback is indented
# Where libraries lie: a standard library, installed packages, compiled or generated code.
_LIBRARY = re.compile(r"/lib/python3\.\d+/|/(site|dist)-packages/|\.pyx$|^<")
_OWN = re.compile(r".*/(?=digits_ray/)")


@dataclass(frozen=True)
class Frame:
    """One line of a traceback."""

    file: str
    line: int
    function: str

    @property
    def is_of_library(self) -> bool:
        """Whether it is neither the user's nor ours."""
        return bool(_LIBRARY.search(self.file)) and not _OWN.match(self.file)

    def __str__(self) -> str:
        return f"{_OWN.sub('', self.file)}:{self.line}, in {self.function}"


@dataclass(frozen=True)
class ErrorCause:
    """The exception that an error began with."""

    error_type: str
    message: str  # on one line
    origin: str = ""  # the last line of the user's or our code that led to it: "my_network.py:12, in layers"

    def __str__(self) -> str:
        text = f"{self.error_type}: {self.message}" if self.message else self.error_type
        return f"{text} ({self.origin})" if self.origin else text


def root_cause(error: BaseException) -> ErrorCause:
    """Returns the exception that an error was raised from, and where.

    It follows `raise … from …`, Ray's wrappers, and tracebacks that are only text: Ray's, of a process that could not
    start, and TensorFlow's, of a library that could not be loaded.
    """
    chain = list(_chain(error))
    innermost = chain[-1]
    origin = _origin([frame for each in chain for frame in (*_frames(each), *_frames_in_text(str(each)))])
    inner = cause_in_text(str(innermost))
    if inner:
        return ErrorCause(inner.error_type, inner.message, origin)
    return ErrorCause(type(innermost).__name__, _one_line(str(innermost)), origin)


def cause_in_text(text: str) -> ErrorCause | None:
    """Returns the exception that the text of a traceback began with; None where there is no traceback."""
    text = _ANSI.sub("", text)
    if text.startswith(_TENSORFLOW_TRACEBACK):
        text = textwrap.dedent(text.removeprefix(_TENSORFLOW_TRACEBACK))
    elif _TRACEBACK not in text and "ray::" not in text:
        return None
    text = text.rpartition(_IN_HANDLING)[2].partition(_DIRECT_CAUSE)[0]
    frames = list(_FRAME.finditer(text))
    raised = _RAISED.search(text, frames[-1].end()) if frames else None
    if raised is None:
        return None
    return ErrorCause(raised[1], _one_line(raised[2] or ""), _origin(_frames_in_text(text)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, what it was raised from, and so on."""
    seen: set[int] = set()
    following: object = error
    while isinstance(following, BaseException) and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or getattr(following, "cause", None)  # the latter is Ray's


def _frames(error: BaseException) -> list[Frame]:
    return [Frame(frame.filename, frame.lineno or 0, frame.name) for frame in traceback.extract_tb(error.__traceback__)]


def _frames_in_text(text: str) -> list[Frame]:
    return [Frame(file, int(line), function) for file, line, function in _FRAME.findall(_ANSI.sub("", text))]


def _origin(frames: list[Frame]) -> str:
    """Returns the last line that is not of a library; without one, the last."""
    own = [frame for frame in frames if not frame.is_of_library] or frames
    return str(own[-1]) if own else ""


def _one_line(text: str) -> str:
    words = " ".join(_ANSI.sub("", text).split())
    return "".join(character for character in words if character.isprintable())[:MAX_MESSAGE]


def hiding_file(error: BaseException) -> str | None:
    """Returns the user's file that Python has imported in the place of a library: one of that name beside a script.

    Args:
        error: What the library's absence has led to.
    """
    module = getattr(error, "obj", None)  # what an AttributeError was raised for
    file = getattr(module, "__file__", None) or getattr(error, "path", None)  # the latter: of an ImportError
    name = getattr(module, "__name__", None) or getattr(error, "name", None)
    hides = file and not _LIBRARY.search(file) and PurePath(file).stem == name  # libraries of one file are rare
    return str(file) if hides else None
