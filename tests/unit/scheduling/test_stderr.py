"""What stays off the terminal."""

import os
import sys
import warnings
from contextlib import nullcontext

import pytest

from digits_ray.scheduling.stderr import captured_stderr, tolerated_warnings


def test_what_is_written_to_the_descriptor_itself_is_kept_from_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as text:
        os.write(2, b"from C++\n")
        assert text() == "from C++\n"
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no files in memory here")
def test_no_disk_is_needed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full_disk:
        full_disk.setattr("tempfile.TemporaryFile", None)
        with captured_stderr() as text:
            os.write(2, b"from C++\n")
            assert text() == "from C++\n"


def test_a_process_without_stderr_has_nothing_to_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a daemon's, that calls `run` or `predict`."""
    monkeypatch.setattr(sys, "stderr", None)
    with captured_stderr() as text:
        assert text() == ""


@pytest.mark.parametrize(
    ("options", "raised"), [(["error"], False), (["error::DeprecationWarning"], False), ([], True)]
)
def test_warnings_that_the_user_takes_for_errors_end_no_library(
    options: list[str], raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = pytest.raises(DeprecationWarning) if raised else nullcontext()
        with ends, tolerated_warnings():
            warnings.warn("Ray Data is deprecated by itself", DeprecationWarning, stacklevel=1)
        with pytest.raises(UserWarning):
            warnings.warn("of the user's own code", stacklevel=1)
