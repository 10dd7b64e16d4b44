"""The tour: the notebook is its script, executed."""

from pathlib import Path

import jupytext
import nbformat
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TEN_MEMBERS = '"out": OUT})'
THREE_MEMBERS = '"out": OUT, "members.count": 3})'
LARGEST = 1_000_000  # bytes, of the notebook with its pictures


def test_the_notebook_has_the_cells_of_its_script_and_outputs() -> None:
    """Else, run `python examples/build_tour.py`."""
    script, notebook = jupytext.read(EXAMPLES / "tour.py"), nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 20
    assert all(output.get("name") != "stderr" for output in outputs)
    assert (EXAMPLES / "tour.ipynb").stat().st_size < LARGEST


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_cell_of_the_tour_can_be_executed(tmp_path: Path) -> None:
    """Trains three members and searches; the notebook has ten, and its cells do the same."""
    from build_tour import executed

    source = (EXAMPLES / "tour.py").read_text(encoding="utf8")
    assert TEN_MEMBERS in source
    (tmp_path / "tour.py").write_text(source.replace(TEN_MEMBERS, THREE_MEMBERS), encoding="utf8")
    notebook = executed(tmp_path / "tour.py", str(tmp_path))
    texts = [str(output) for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("ensemble: " in text and "held-out rows" in text for text in texts)
    assert (tmp_path / "runs" / "tour" / "report.html").exists()
