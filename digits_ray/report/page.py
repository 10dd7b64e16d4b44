"""Puts the page together: sections of figures and tables, in a template."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from digits_ray.report import figure_files, summary
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.plotting import Picture
from digits_ray.report.run_contents import read_run
from digits_ray.report.sections import SECTIONS, Figures, Needs, Section
from digits_ray.report.tables import Code, Table
from digits_ray.storage import layout
from digits_ray.version import __version__


@dataclass(frozen=True)
class RenderedPicture:
    """A picture as the template uses it."""

    name: str
    title: str
    caption: str
    svg: Markup
    wide: bool


@dataclass(frozen=True)
class RenderedSection:
    """A section as the template uses it."""

    key: str
    title: str
    lead: str
    missing: list[str]
    tables: list[Table]
    pictures: list[RenderedPicture]
    codes: list[Code]


class Page:
    """The page while it is being drawn."""

    def __init__(self, run_dir: str) -> None:
        """Reads the run, and deletes the figures of an earlier report."""
        self.run_dir = run_dir
        self.run = read_run(run_dir)
        self.run.directory.store.delete_folder("figures")
        self.inspection: Inspection | None = None
        self.inspection_error = ""
        self._glyphs: dict[str, str] = {}
        self._pictures: dict[Figures, list[RenderedPicture]] = {}

    def read_again(self) -> None:
        """Reads the run anew, which has its ensemble now."""
        self.run = read_run(self.run_dir)

    def record_inspection_error(self, error: Exception) -> None:
        """Records why nothing of the best member's model can be shown."""
        owner = "network" if self.run.is_single_network else "best member"
        self.inspection_error = f"The {owner}’s model could not be opened: {str(error).rstrip('.')}."

    def draw(self, needs: Needs, on_section: Callable[[str], None], is_stopped: Callable[[], bool]) -> None:
        """Draws and writes the figures that need this.

        Args:
            needs: What the run has by now.
            on_section: Called with the title of each section that has such figures, before they are drawn.
            is_stopped: Asked before each figure.

        Raises:
            CancelledError: `is_stopped` said so.
        """
        with figure_files.figure_defaults():
            for section in SECTIONS:
                groups = [figures for figures in section.figures if figures.needs == needs]
                if groups:
                    on_section(section.title.lower())
                for figures in groups:
                    self._pictures[figures] = self._rendered(figures, is_stopped)

    def _rendered(self, figures: Figures, is_stopped: Callable[[], bool]) -> list[RenderedPicture]:
        rendered = []
        for picture in figures.draw(self.run, self.inspection):  # one at a time: all at once would fill the memory
            if is_stopped():
                raise CancelledError
            rendered.append(self._render_picture(picture))
        return rendered

    def _render_picture(self, picture: Picture) -> RenderedPicture:
        """Writes the picture as PNG beside the page, and returns it as SVG for the page."""
        box = figure_files.fix_layout(picture.figure)
        self.run.directory.store.write(f"figures/{picture.name}.png", figure_files.png_bytes(picture.figure, box))
        svg = Markup(figure_files.svg_element(picture, box, self._glyphs))
        return RenderedPicture(picture.name, picture.title, picture.caption, svg, picture.wide)

    def _render_section(self, section: Section) -> RenderedSection:
        parts = list(section.tables(self.run, self.inspection))
        return RenderedSection(
            section.key,
            *section.heading(self.run),
            missing=section.missing(self.run, self.inspection_error),
            tables=[part for part in parts if isinstance(part, Table)],
            pictures=[picture for figures in section.figures for picture in self._pictures[figures]],
            codes=[part for part in parts if isinstance(part, Code)],
        )

    def write(self) -> str:
        """Writes report.html; returns its path or URI."""
        environment = Environment(
            loader=PackageLoader("digits_ray.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        store = self.run.directory.store
        text = environment.get_template("page.html.j2").render(
            summary=summary.summarize(self.run),
            run_uri=store.uri,
            sections=[self._render_section(section) for section in SECTIONS],
            glyphs=Markup("".join(glyph for _, glyph in sorted(self._glyphs.items()))),
            version=__version__,
        )
        store.write(layout.REPORT, text.encode())
        return store.path_of(layout.REPORT)
