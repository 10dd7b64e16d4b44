"""A module that is imported while something else is done."""

import sys
import threading
from pathlib import Path

import pytest

from digits_ray.imports import importing_meanwhile


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module, still empty."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imported_meanwhile", raising=False)
    return tmp_path / "imported_meanwhile.py"


def test_a_module_is_complete_at_the_end_of_the_body(module: Path) -> None:
    module.write_text("import time; time.sleep(0.2); complete = True")
    with importing_meanwhile("imported_meanwhile"):
        pass
    assert sys.modules["imported_meanwhile"].complete


def test_a_module_that_cannot_be_imported_costs_the_body_nothing(module: Path) -> None:
    module.write_text("raise ImportError")
    done = []
    with importing_meanwhile("imported_meanwhile"):
        done.append(True)
    assert done
    assert "imported_meanwhile" not in sys.modules


def test_a_process_without_a_thread_to_spare_goes_on(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    module.write_text("")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    with importing_meanwhile("imported_meanwhile"):
        done.append(True)
    assert done


def test_an_error_of_the_body_is_raised(module: Path) -> None:
    module.write_text("")
    with pytest.raises(ZeroDivisionError), importing_meanwhile("imported_meanwhile"):
        1 / 0  # noqa: B018
