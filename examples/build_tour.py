"""Executes tour.py and writes it with its outputs as tour.ipynb: `python examples/build_tour.py`; two minutes."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
SOURCE, NOTEBOOK = FOLDER / "tour.py", FOLDER / "tour.ipynb"
CELL_SECONDS = 600  # of which the run's is by far the longest


def executed(source: Path, folder: str) -> nbformat.NotebookNode:
    """Returns the notebook of a percent script, executed in a working folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell has failed; the message shows it.
    """
    notebook = jupytext.read(source)
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # else random, and each build would differ
        cell.metadata.pop("execution", None)  # times
    return notebook


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        nbformat.write(executed(SOURCE, folder), NOTEBOOK)
    print(NOTEBOOK, f"{NOTEBOOK.stat().st_size / 1e6:.2f} MB", file=sys.stderr)
