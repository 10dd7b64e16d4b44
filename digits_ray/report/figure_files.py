"""How figures become SVG for the page and PNG for the folder."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from threading import RLock
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from digits_ray.report.plotting import GREY, INK, Picture

PNG_DPI = 130
_SETTINGS: Any = {
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "figure.titlesize": 10, "legend.frameon": False, "lines.linewidth": 1.4,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7, "axes.facecolor": "none",
    "grid.color": GREY, "grid.alpha": 0.3, "grid.linewidth": 0.6, "axes.axisbelow": True,
    "svg.fonttype": "path", "svg.hashsalt": "digits-ray", "image.interpolation": "none",
}  # fmt: skip
_one_thread = RLock()


@contextmanager
def figure_defaults() -> Iterator[None]:
    """Sets the report's style for the figures made and saved inside, whatever a matplotlibrc says, and restores it.

    Matplotlib's settings are those of all threads, so one thread at a time is inside.
    """
    with _one_thread, rc_context():
        rcdefaults()
        rcParams.update(_SETTINGS)
        yield


def fix_layout(figure: Figure) -> Bbox:
    """Fixes the figure's layout, and returns the box, in inches, that holds all of it: nothing is clipped."""
    engine = figure.get_layout_engine()
    if engine:
        engine.execute(figure)
    figure.set_layout_engine(None)  # else each saving would draw it once more for the layout
    box = figure.get_tightbbox()
    return box.padded(0.05)


def png_bytes(figure: Figure, box: Bbox) -> bytes:
    """Returns this part of the figure as PNG on white."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI, facecolor="white", bbox_inches=box)
    return file.getvalue()


def svg_element(picture: Picture, box: Bbox, glyphs: dict[str, str]) -> str:
    """Returns the figure as an inline SVG element in the page's own text colour.

    Args:
        picture: What was drawn. Its name begins every id inside.
        box: The part to show, in inches.
        glyphs: Gets the letters' outlines, by id. The page holds them once for all its figures.
    """
    file = StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    picture.figure.savefig(file, format="svg", facecolor="none", bbox_inches=box, metadata=no_metadata)
    text = file.getvalue()
    text = re.sub(r'<path id="(DejaVu[^"]+)"[^>]*/>', lambda match: _collect(match, glyphs), text)
    text = re.sub(r"<defs>\s*</defs>", "", text[text.index("<svg") :])
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href").replace(INK, "currentColor")
    text = re.sub(r'(id="|href="#|url\(#)(?!DejaVu)', rf"\g<1>{picture.name}-", text)
    text = re.sub(r'( d=")([^"]+)', lambda match: match[1] + _rounded(match[2]), text)
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", "\n", text)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{_escaped(picture.alt)}" ', text, count=1)


def _collect(match: re.Match[str], glyphs: dict[str, str]) -> str:
    """Moves a letter's outline from the figure to `glyphs`."""
    glyphs[match[1]] = match[0]
    return ""


def _rounded(path: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", path)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
