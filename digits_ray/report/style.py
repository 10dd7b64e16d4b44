"""How figures look, and how they become SVG for the page and PNG for the folder."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

# Okabe and Ito 2008, "Color universal design": told apart with every kind of colour vision. The yellow is left out, as
# it cannot be seen on white.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7"
INK = "#1f2428"  # becomes the page's text colour, light or dark
GREY = "#8a9096"  # reads on white and on black

# From nothing to blue: the page's own background shines through, light or dark.
FADE = LinearSegmentedColormap.from_list("fade", [(0.0, 0.45, 0.7, 0.0), (0.0, 0.45, 0.7, 1.0)])

HALF, FULL = 4.3, 8.9  # inches: one of two columns, or the whole page
PNG_DPI = 130
LETTERS = 105  # points of type in which one letter fills one inch, at 0.66 of its size
_SETTINGS: Any = {
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "figure.titlesize": 10, "legend.frameon": False, "lines.linewidth": 1.4,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7, "axes.facecolor": "none",
    "grid.color": GREY, "grid.alpha": 0.3, "grid.linewidth": 0.6, "axes.axisbelow": True,
    "svg.fonttype": "path", "svg.hashsalt": "digits-ray", "image.interpolation": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A figure with the words that stand beside it."""

    name: str  # of its file, and unique on the page
    title: str
    caption: str  # what one sees
    alt: str  # for those who do not
    figure: Figure

    @property
    def wide(self) -> bool:
        return self.figure.get_figwidth() > (HALF + FULL) / 2


@contextmanager
def drawing() -> Iterator[None]:
    """Sets matplotlib's defaults for the figures made and saved inside, and puts them back."""
    with rc_context(_SETTINGS):
        yield


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


def at_most_all(axes: Axes, which: Literal["x", "y"]) -> None:
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
    cmap: str = "gray",
) -> Figure:
    """Lays images, (height, width) uint8, out in a grid, each with its caption (of one or more lines) above.

    All lie in one pair of axes, which is many times quicker than a pair for each.
    """
    rows, lines = -(-len(images) // columns), max(caption.count("\n") + 1 for caption in captions)
    side = width / columns  # inches of a tile with its gap
    above = 0.14 * lines + 0.06  # inches for the captions
    longest = max(len(line) for caption in captions for line in caption.split("\n"))
    size = min(8.0, LETTERS * side / max(longest, 1))
    figure, axes = blank_axes(width, rows * (side * 0.94 + above))
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = (number % columns) * side, (number // columns) * (side * 0.94 + above)
        place_image(axes, image, left, top + above, side * 0.9)
        axes.text(left + side * 0.45, top + above - 0.03, caption, ha="center", va="bottom", fontsize=size)
    return figure


def place_image(axes: Axes, image: np.ndarray, left: float, top: float, side: float, cmap: str = "gray") -> None:
    """Puts an image, (height, width) uint8 in full range, into a square box given in inches from the top left."""
    height, width = image.shape[:2]
    across, down = side * min(1, width / height), side * min(1, height / width)
    left, top = left + (side - across) / 2, top + (side - down) / 2
    extent = (left, left + across, top + down, top)
    axes.imshow(image, cmap=cmap, vmin=0, vmax=255, extent=extent, aspect="auto")
    axes.add_patch(Rectangle((left, top), across, down, fill=False, ec=GREY, lw=0.4))  # black ends where dark begins


def blank_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a figure whose axes are counted in inches from the top left."""
    figure, axes = canvas(width, height)
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.axis("off")
    return figure, axes


def settle(figure: Figure) -> Bbox:
    """Lays the figure out for good, and returns the box, in inches, that holds all of it: nothing is clipped."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # or every saving would lay it out again
    box = figure.get_tightbbox()
    return box.padded(0.05)


def png(figure: Figure, box: Bbox) -> bytes:
    """Returns this part of the figure as PNG on white."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI, facecolor="white", bbox_inches=box)
    return file.getvalue()


def svg(picture: Picture, box: Bbox, glyphs: dict[str, str]) -> str:
    """Returns the figure as an inline SVG element in the page's own text colour.

    Args:
        picture: What was drawn. Its name begins every id inside.
        box: The part to show, in inches.
        glyphs: Takes the letters' outlines, by id. The page holds them once for all its figures.
    """
    file = StringIO()
    bare = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    picture.figure.savefig(file, format="svg", facecolor="none", bbox_inches=box, metadata=bare)
    text = file.getvalue()
    text = re.sub(r'<path id="(DejaVu[^"]+)"[^>]*/>', lambda found: _keep(found, glyphs), text)
    text = re.sub(r"<defs>\s*</defs>", "", text[text.index("<svg") :])
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href").replace(INK, "currentColor")
    text = re.sub(r'(id="|href="#|url\(#)(?!DejaVu)', rf"\g<1>{picture.name}-", text)
    text = re.sub(r'( d=")([^"]+)', lambda found: found[1] + _rounded(found[2]), text)
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", "\n", text)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{_escaped(picture.alt)}" ', text, count=1)


def _keep(found: re.Match[str], glyphs: dict[str, str]) -> str:
    glyphs[found[1]] = found[0]
    return ""


def _rounded(path: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", path)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
