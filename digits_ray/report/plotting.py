"""What the figures are made with: colours, sizes, axes, grids of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

# Okabe and Ito 2008, "Color universal design": distinct for every kind of colour vision. The yellow is left out, as
# it cannot be seen on white.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7"
INK = "#1f2428"  # becomes the page's text colour, light or dark
GREY = "#8a9096"  # reads on white and on black

# From nothing to blue: the page's own background shines through, light or dark.
FADE = LinearSegmentedColormap.from_list("fade", [(0.0, 0.45, 0.7, 0.0), (0.0, 0.45, 0.7, 1.0)])

HALF, FULL = 4.3, 8.9  # inches: one of two columns, or the whole page
LETTERS = 105  # points of type in which one letter fills one inch, at 0.66 of its size


@dataclass(frozen=True)
class Picture:
    """A figure with its title, caption and description."""

    name: str  # of its file, and unique on the page
    title: str
    caption: str
    alt: str  # for readers who do not see the figure
    figure: Figure

    @property
    def wide(self) -> bool:
        return self.figure.get_figwidth() > (HALF + FULL) / 2


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a figure of this size, in inches, with one pair of axes."""
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def plain_log(axis: Axis, subs: Sequence[float] = (1, 2, 5)) -> None:
    """Writes a logarithmic axis's ticks as plain numbers."""
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_numbers(axis: Axis) -> None:
    """Puts an axis's ticks at whole numbers."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def end_at_100(axes: Axes, which: Literal["x", "y"]) -> None:
    """Ends an axis of percentages before the first tick above 100, which nothing can reach."""
    low, high = getattr(axes, f"get_{which}lim")()
    if high > 100:
        getattr(axes, f"set_{which}lim")(low, 100 + 0.05 * (100 - low))


def short(label: str, limit: int = 12) -> str:
    """Shortens a label in its middle, as labels often differ at their ends."""
    if len(label) <= limit:
        return label
    tail = (limit - 1) // 2
    return f"{label[: limit - 1 - tail]}…{label[-tail:]}"


def tiles(
    images: Sequence[np.ndarray] | np.ndarray,
    captions: Sequence[str],
    columns: int,
    width: float = HALF,
) -> Figure:
    """Lays images out in a grid, each with its caption above.

    All lie in one pair of axes, which is many times quicker than a pair for each.

    Args:
        images: (images, height, width[, 3]) uint8.
        captions: One an image, of one or more lines.
        columns: Of the grid.
        width: Of the figure, in inches.
    """
    rows, lines = -(-len(images) // columns), max(caption.count("\n") + 1 for caption in captions)
    side = width / columns  # inches of a tile with its gap
    above = 0.14 * lines + 0.06  # inches of the captions
    longest = max(len(line) for caption in captions for line in caption.split("\n"))
    size = min(8.0, LETTERS * side / max(longest, 1))
    figure, axes = blank_axes(width, rows * (side * 0.94 + above))
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = (number % columns) * side, (number // columns) * (side * 0.94 + above)
        place_image(axes, image, left, top + above, side * 0.9)
        axes.text(left + side * 0.45, top + above - 0.03, caption, ha="center", va="bottom", fontsize=size)
    return figure


def place_image(axes: Axes, image: np.ndarray, left: float, top: float, side: float, cmap: str = "gray") -> None:
    """Puts an image into a square box.

    Args:
        axes: From `blank_axes`.
        image: (height, width[, 3]) uint8.
        left: Of the box, in inches.
        top: Of the box, in inches.
        side: Of the box, in inches.
        cmap: Colour map for 0 to 255 of a grey image.
    """
    height, width = image.shape[:2]
    image_width, image_height = side * min(1, width / height), side * min(1, height / width)
    left, top = left + (side - image_width) / 2, top + (side - image_height) / 2
    extent = (left, left + image_width, top + image_height, top)
    axes.imshow(image, cmap=cmap, vmin=0, vmax=255, extent=extent, aspect="auto")
    frame = Rectangle((left, top), image_width, image_height, fill=False, ec=GREY, lw=0.4)
    axes.add_patch(frame)  # black images would have no edge on a dark page


def blank_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a figure whose axes are counted in inches from the top left."""
    figure, axes = canvas(width, height)
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.axis("off")
    return figure, axes
