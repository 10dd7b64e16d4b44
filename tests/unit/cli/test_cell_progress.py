"""The progress of a run in the cell of a notebook."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from digits_ray.cli.terminal.cell_progress import CellDisplay, CellProgress, in_notebook
from digits_ray.cli.terminal.output import ProgressCallback
from digits_ray.config import Config
from digits_ray.progress import MemberStatus, Progress


class Output:
    """A cell's output, as IPython gives it."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: Any) -> None:
        self.shown.append(html.data)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    """What IPython's display shows."""
    import IPython.display

    cell = Output()

    def display(html: Any, display_id: bool) -> Output:
        assert display_id
        cell.update(html)
        return cell

    monkeypatch.setattr(IPython.display, "display", display)
    return cell


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_the_table_is_replaced_by_the_next_and_taken_away_at_the_end(output: Output) -> None:
    progress = CellProgress(Config())
    for epoch in (1.0, 2.0):
        progress.on_member_progress([MemberStatus(3, "training", 1, Progress(3, epoch, 20, 0.5, 1000.0, 9.0))])
    progress.on_run_end()
    first, second, last = output.shown
    assert "1.0/20" in first
    assert "2.0/20" in second
    assert "<pre" in second
    assert last == ""


def test_lines_are_printed_into_the_cell(capsys: pytest.CaptureFixture[str]) -> None:
    CellProgress(Config()).print_line("Training 10 of 10 members")
    assert "Training 10 of 10 members" in capsys.readouterr().out


def test_nothing_was_shown_and_nothing_is_taken_away(output: Output) -> None:
    CellDisplay().stop()
    assert output.shown == []


def test_a_script_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()


def test_a_notebook_s_run_shows_its_progress_in_the_cell(notebook: None) -> None:
    progress = ProgressCallback()
    progress.on_settings(Config())
    (shown,) = progress.callbacks
    assert isinstance(shown, CellProgress)
