"""A run's progress in the cell of a notebook: lines, and below them a table that is drawn again and again."""

import sys
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from digits_ray.cli.terminal.live_progress import LiveProgress
from digits_ray.config import Config

WIDTH, HEIGHT = 100, 40  # characters; the table shows at most as many members as fit
PREFORMATTED = '<pre style="white-space: pre; line-height: 1.25">{code}</pre>'


def in_notebook() -> bool:
    """Tells whether this process is the kernel of a notebook, which shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


class CellDisplay:
    """An output of the running cell that is replaced by the next one, as `rich.live.Live` does on a terminal."""

    def __init__(self) -> None:
        self._output: Any = None

    def start(self) -> None:
        """Nothing is shown before the first update."""

    def update(self, screen: RenderableType, *, refresh: bool) -> None:
        """Shows a screen in the place of the last one."""
        from IPython.display import HTML, display

        console = Console(
            file=StringIO(), record=True, force_jupyter=False, width=WIDTH, height=HEIGHT, highlight=False
        )
        console.print(screen)
        html = HTML(console.export_html(inline_styles=True, code_format=PREFORMATTED))
        if self._output is None:
            self._output = display(html, display_id=True)
        else:
            self._output.update(html)

    def stop(self) -> None:
        """Takes the last screen away; what comes next is shown below the lines printed meanwhile."""
        from IPython.display import HTML

        if self._output is not None:
            self._output.update(HTML(""))
            self._output = None


class CellProgress(LiveProgress):
    """The progress of a run in the cell that started it."""

    def __init__(self, config: Config, report: bool = True) -> None:
        lines = Console(
            file=sys.stdout, force_jupyter=False, force_terminal=False, width=WIDTH, height=HEIGHT, highlight=False
        )
        super().__init__(lines, config, CellDisplay(), report=report)
