"""What the program writes to where nobody can read it: a full disk, a pipe whose reader has gone, a closed stream."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

_UNWRITABLE = (OSError, ValueError)  # of stderr: full, without a reader; closed


class StdoutError(Exception):
    """Standard output cannot be written. Not an OSError: rich and click would end the process at a broken pipe."""

    def __init__(self, cause: OSError) -> None:
        """Takes what the operating system says."""
        super().__init__(f"stdout cannot be written: {cause.strerror}. Send it elsewhere.")
        self.reader_has_gone = isinstance(cause, BrokenPipeError)


class _Stream:
    """A text stream of the process; everything but writing is passed on to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def write(self, text: str) -> int:
        raise NotImplementedError


class _Stdout(_Stream):
    """Raises StdoutError where it cannot be written: the command's results are lost."""

    def write(self, text: str) -> int:
        with _as_stdout_error():
            return self._stream.write(text)

    def flush(self) -> None:
        with _as_stdout_error():
            self._stream.flush()


class LossyStderr(_Stream):
    """Drops what cannot be written: progress that nobody sees must not end the run that it is about."""

    def write(self, text: str) -> int:
        with suppress(*_UNWRITABLE):
            try:
                self._stream.write(text)
            except UnicodeEncodeError as error:  # a file in ASCII
                self._stream.write(text.encode(error.encoding, "replace").decode(error.encoding))
        return len(text)

    def flush(self) -> None:
        with suppress(*_UNWRITABLE):
            self._stream.flush()


def open_closed_streams() -> None:
    """Opens /dev/null for each of stdin, stdout and stderr that the parent process has closed, as a daemon's are.

    Otherwise the next files that are opened get their numbers, and what libraries print ends in these files.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Runs the body with streams whose failures neither end it nor leave a traceback.

    Raises:
        StdoutError: stdout cannot be written.
    """
    with ExitStack() as streams:
        if sys.stdout is not None:  # None: closed by the parent process
            streams.enter_context(redirect_stdout(cast(TextIO, _Stdout(sys.stdout))))
        if sys.stderr is not None:
            streams.enter_context(redirect_stderr(cast(TextIO, LossyStderr(sys.stderr))))
        yield
        if sys.stdout is not None:
            sys.stdout.flush()


def discard_unwritable() -> None:
    """Sends nowhere what stdout and stderr still hold and cannot write: Python would exit with 120 because of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, StdoutError):  # full, closed
            _discard(stream)


@contextmanager
def _as_stdout_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StdoutError(error) from None


def _discard(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # closed, or no file of the system's
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
