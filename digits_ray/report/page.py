"""Puts the page together: sections of figures and tables, in a template."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from digits_ray.report import (
    answers,
    draw_baselines,
    draw_cases,
    draw_data,
    draw_ensemble,
    draw_members,
    missing,
    style,
    tables,
)
from digits_ray.report.network import Inspection, inspect
from digits_ray.report.source import Source, read
from digits_ray.report.steps import STEPS, ReportStep
from digits_ray.report.style import Picture
from digits_ray.report.tables import Code, Table
from digits_ray.storage import layout
from digits_ray.version import __version__

SectionPart = Picture | Table | Code


@dataclass(frozen=True)
class Shown:
    """A picture as the template takes it."""

    name: str
    title: str
    caption: str
    svg: Markup
    wide: bool


@dataclass(frozen=True)
class Section:
    """One chapter of the page."""

    key: str
    title: str
    lead: str
    parts: Callable[["Drawing"], Iterable[SectionPart]]
    missing: Callable[[Source, str], list[str]] = lambda source, trouble: []
    inspects: bool = False  # shows what another process finds in a model, so it is drawn last


@dataclass
class Drawing:
    """The page while it is being drawn."""

    source: Source
    inspection: Inspection | None = None
    trouble: str = ""  # why there is no inspection
    glyphs: dict[str, str] = field(default_factory=dict)

    def look_inside(self, inspecting: "Future[Inspection] | None") -> None:
        """Waits for what another process finds in the best member's model."""
        try:
            self.inspection = inspecting.result() if inspecting else None
        except (RuntimeError, OSError) as error:
            self.trouble = f"The best member’s model could not be opened: {str(error).rstrip('.')}."

    def show(self, picture: Picture) -> Shown:
        """Writes the picture as PNG beside the page, and returns it as SVG for the page."""
        box = style.settle(picture.figure)
        self.source.directory.store.write(layout.figure(picture.name), style.png(picture.figure, box))
        markup = Markup(style.svg(picture, box, self.glyphs))
        return Shown(picture.name, picture.title, picture.caption, markup, picture.wide)


def draw(place: str, on_step: Callable[[ReportStep], None]) -> str:
    """Draws the page; see `digits_ray.report.draw_report`."""
    tell = lambda name: on_step(ReportStep(name, STEPS.index(name), len(STEPS)))  # noqa: E731
    tell("results")
    drawing = Drawing(read(place))
    store = drawing.source.directory.store
    store.delete_folder(layout.FIGURES)  # those of an earlier report
    with ThreadPoolExecutor(1) as pool, style.drawing():
        inspecting = _inspecting(pool, drawing.source)
        filled = {section.key: _filled(drawing, section, tell) for section in SECTIONS if not section.inspects}
        tell("network")
        drawing.look_inside(inspecting)
        filled |= {section.key: _filled(drawing, section, tell) for section in SECTIONS if section.inspects}
    tell("page")
    store.write(layout.REPORT, render(drawing, [filled[section.key] for section in SECTIONS]).encode())
    return store.path_of(layout.REPORT)


def _inspecting(pool: ThreadPoolExecutor, source: Source) -> "Future[Inspection] | None":
    """Has the best member's model opened, with the first sample image, while other figures are drawn."""
    member, dataset = source.best, source.dataset
    if member is None or dataset is None:
        return None
    image, augmentation = dataset["sample_images"][0], member.spec.recipe.augmentation
    return pool.submit(lambda: inspect(source.directory.members.model_file(member.spec.member_id), image, augmentation))


def _filled(drawing: Drawing, section: Section, tell: Callable[[str], None]) -> dict[str, Any]:
    tell(section.title.lower())
    shown = [drawing.show(part) if isinstance(part, Picture) else part for part in section.parts(drawing)]
    return {
        "key": section.key,
        "title": section.title,
        "lead": section.lead,
        "missing": section.missing(drawing.source, drawing.trouble),
        "tables": [part for part in shown if isinstance(part, Table)],
        "pictures": [part for part in shown if isinstance(part, Shown)],
        "codes": [part for part in shown if isinstance(part, Code)],
    }


def render(drawing: Drawing, sections: list[dict[str, Any]]) -> str:
    """Returns the page's HTML."""
    loader = Environment(
        loader=PackageLoader("digits_ray.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return loader.get_template("page.html.j2").render(
        head=answers.head(drawing.source),
        place=drawing.source.directory.store.uri,
        sections=sections,
        glyphs=Markup("".join(drawing.glyphs.values())),
        version=__version__,
    )


def _data(drawing: Drawing) -> Iterator[SectionPart]:
    if drawing.source.dataset is not None:
        yield tables.data_table(drawing.source)
    yield from draw_data.figures(drawing.source, drawing.inspection)


def _members(drawing: Drawing) -> Iterator[SectionPart]:
    source = drawing.source
    yield tables.members_table(source)
    if drawing.inspection and source.best:
        yield tables.summary_table(drawing.inspection, source.best)
    yield from draw_members.figures(source, drawing.inspection)


def _ensemble(drawing: Drawing) -> Iterator[SectionPart]:
    table = tables.leaderboard_table(drawing.source)
    if table:
        yield table
    yield from draw_ensemble.figures(drawing.source)


SECTIONS = (
    Section(
        "data", "Data", "What went in, as it was checked before anything was trained on it.",
        _data, missing.no_data, inspects=True,
    ),
    Section(
        "baselines", "Baselines", "Classical models on the same rows: what the networks have to beat.",
        lambda drawing: draw_baselines.figures(drawing.source), missing.no_baselines,
    ),
    Section(
        "members", "Members", "Networks that differ by their random seed, and by architecture where there are several.",
        _members, missing.no_members, inspects=True,
    ),
    Section(
        "ensemble", "Ensemble",
        "The members’ vote: the mean of their probabilities, and of the baselines’ where they have earned a weight.",
        _ensemble, missing.no_ensemble,
    ),
    Section(
        "cases", "Hard cases", "The images to look at by eye.",
        lambda drawing: draw_cases.figures(drawing.source), missing.no_cases,
    ),
    Section(
        "environment", "Environment", "What the numbers were made with.",
        lambda drawing: tables.environment_parts(drawing.source),
    ),
)  # fmt: skip
