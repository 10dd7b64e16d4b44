"""A table that leaves out columns where the terminal is too narrow: a number is shown in full or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    is_text: bool = False  # to the left, and wrapped where even the table's first columns are too wide
    rank: int = 0  # those of the greatest are left out first; of 0, never


@dataclass
class FittingTable:
    """Rows of cells under columns."""

    columns: Sequence[Column]
    rows: list[tuple[Sequence[RenderableType], str | None]] = field(default_factory=list)  # cells, and their style

    def add_row(self, *cells: RenderableType, style: str | None = None) -> None:
        """Adds a row; a cell for each column."""
        self.rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the table of as many columns as fit."""
        for rank in sorted({column.rank for column in self.columns}, reverse=True):
            table = self._table(rank)
            if rank == 0 or Measurement.get(console, options.update(width=10_000), table).maximum <= options.max_width:
                yield table
                return

    def _table(self, most_rank: int) -> Table:
        shown = [number for number, column in enumerate(self.columns) if column.rank <= most_rank]
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in (self.columns[number] for number in shown):
            table.add_column(column.name, justify="left" if column.is_text else "right", no_wrap=not column.is_text)
        for cells, style in self.rows:
            table.add_row(*(cells[number] for number in shown), style=style)
        return table
