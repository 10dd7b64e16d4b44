"""Ctrl-C, wherever in the program it arrives."""

from pathlib import Path
from typing import Any

import pytest

from digits_ray.cli.main import main
from digits_ray.runs import pipeline


class PressesCtrlC:
    """Interrupts the definition of a class, as an import may be interrupted."""

    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_that_python_hides_in_another_error_is_still_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any) -> None:
        type("Imported", (), {"attribute": PressesCtrlC()})

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--out", str(tmp_path)])
    assert ended.value.code == 130
    assert "go on from their last saved epoch" in capsys.readouterr().err


def test_a_file_that_ends_too_soon_is_no_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any) -> None:
        raise EOFError("No data left in file")

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(EOFError, match="No data left"):
        main(["run", "--out", str(tmp_path)])


def test_any_other_error_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(RuntimeError, match="a defect"):
        main(["run", "--out", str(tmp_path)])
