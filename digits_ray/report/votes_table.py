"""The table of the most disputed images: each with its label, the ensemble's class and every member's vote."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from digits_ray.report.plotting import FULL, HALF, LETTERS, VERMILLION, blank_axes, place_image

SMALLEST = 5.5  # points that can still be read


class VotesTable:
    """A figure with a line for each image; positions are inches from the top left."""

    LABEL, ENSEMBLE, LEFT, TOP, LINE = 0.95, 1.6, 2.0, 0.36, 0.52

    def __init__(self, names: Sequence[str], members: int, lines: int) -> None:
        """Lays out so many members and lines; `names` are those of the classes."""
        longest = max(map(len, names), default=1)
        cell_width = max(0.3, 0.075 * longest + 0.1)  # inches of a vote
        table_width = FULL if self.LEFT + members * cell_width > HALF else HALF
        self.cell = min(cell_width, (table_width - self.LEFT) / max(members, 1))
        self.size = min(8.0, LETTERS * (self.cell - 0.04) / longest)
        self.numbered = self.size < SMALLEST
        self.names, self.votes = names, names
        if self.numbered:  # the names do not fit: numbers in the order of the classes
            self.names = [f"{name}\n({number})" for number, name in enumerate(names, start=1)]
            self.votes = [str(number) for number in range(1, len(names) + 1)]
            self.size = min(8.0, LETTERS * (self.cell - 0.04) / len(self.votes[-1]))
        self.figure, self.axes = blank_axes(table_width, self.TOP + lines * self.LINE)

    def write_head(self, members: Sequence[str]) -> None:
        """Writes the columns' names."""
        self._write(self.LABEL, 0.24, "label")
        self._write(self.ENSEMBLE, 0.24, "ensemble")
        self.axes.text(self.LEFT, 0.09, "vote of member", va="center", fontsize=8)
        for number, member in enumerate(members):
            self._write(self.LEFT + (number + 0.5) * self.cell, 0.24, member, fontsize=min(8, 34 * self.cell))

    def draw_row(self, line: int, image: np.ndarray, label: int, winner: int, votes: Sequence[int]) -> None:
        """Draws one image, its label, the ensemble's class and each member's.

        Args:
            line: From 0 at the top.
            image: (height, width[, 3]) uint8.
            label: The image's class.
            winner: The ensemble's class.
            votes: Each member's class, -1 where it did not score the image.
        """
        top = self.TOP + line * self.LINE
        place_image(self.axes, image, 0.05, top, 0.92 * self.LINE)
        self._write(self.LABEL, top + 0.24, self.names[label])
        self._write_vote(self.ENSEMBLE, top + 0.24, self.names[winner], winner != label, 8.0, 0.66)
        for number, vote in enumerate(votes):
            if vote >= 0:
                x = self.LEFT + (number + 0.5) * self.cell
                self._write_vote(x, top + 0.24, self.votes[vote], vote != label, self.size, self.cell)

    def _write_vote(self, x: float, y: float, text: str, wrong: bool, size: float, width: float) -> None:
        if wrong:
            box = Rectangle((x - 0.47 * width, y - 0.19), 0.94 * width, 0.38, color=VERMILLION, alpha=0.28, lw=0)
            self.axes.add_patch(box)
        self._write(x, y, text, fontsize=size, weight="bold" if wrong else "normal")

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        self.axes.text(x, y, text, ha="center", va="center", **{"fontsize": 8, **style})
