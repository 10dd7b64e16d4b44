"""Puts the page together: sections of figures and tables, in a template."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from digits_ray.report import (
    draw_baselines,
    draw_cases,
    draw_data,
    draw_ensemble,
    draw_members,
    figure_files,
    label_table,
    missing,
    set_coverage,
    summary,
    tables,
)
from digits_ray.report.model_inspection import Inspection, inspect_model
from digits_ray.report.plotting import Picture
from digits_ray.report.run_contents import RunContents, read_run
from digits_ray.report.steps import STEPS, ReportStep
from digits_ray.report.tables import Code, Table
from digits_ray.storage import layout
from digits_ray.version import __version__

SectionPart = Picture | Table | Code


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


@dataclass(frozen=True)
class Section:
    """One chapter of the page."""

    key: str
    title: str
    lead: str
    parts: Callable[["PageDrawing"], Iterable[SectionPart]]
    missing: Callable[[RunContents, str], list[str]] = lambda run, inspection_error: []
    needs_inspection: bool = False  # of a model, by another process, so the section is drawn last
    of_single_network: tuple[str, str] | None = None  # title and lead of a run without an ensemble

    def heading(self, run: RunContents) -> tuple[str, str]:
        """Returns title and lead."""
        return (run.is_single_network and self.of_single_network) or (self.title, self.lead)


@dataclass
class PageDrawing:
    """The page while it is being drawn."""

    run: RunContents
    on_step: Callable[[ReportStep], None]
    inspection: Inspection | None = None
    inspection_error: str = ""
    glyphs: dict[str, str] = field(default_factory=dict)

    def begin_step(self, name: str) -> None:
        self.on_step(ReportStep(name, STEPS.index(name), len(STEPS)))

    def wait_for_inspection(self, inspection: "Future[Inspection] | None") -> None:
        """Waits for what another process reports of the best member's model."""
        try:
            self.inspection = inspection.result() if inspection else None
        except (RuntimeError, OSError) as error:
            owner = "network" if self.run.is_single_network else "best member"
            self.inspection_error = f"The {owner}’s model could not be opened: {str(error).rstrip('.')}."

    def render_section(self, section: Section) -> RenderedSection:
        self.begin_step(section.title.lower())
        # One figure at a time: those of all members at once would fill the memory.
        parts = [self._render_picture(part) if isinstance(part, Picture) else part for part in section.parts(self)]
        return RenderedSection(
            section.key,
            *section.heading(self.run),
            missing=section.missing(self.run, self.inspection_error),
            tables=[part for part in parts if isinstance(part, Table)],
            pictures=[part for part in parts if isinstance(part, RenderedPicture)],
            codes=[part for part in parts if isinstance(part, Code)],
        )

    def _render_picture(self, picture: Picture) -> RenderedPicture:
        """Writes the picture as PNG beside the page, and returns it as SVG for the page."""
        box = figure_files.fix_layout(picture.figure)
        self.run.directory.store.write(f"figures/{picture.name}.png", figure_files.png_bytes(picture.figure, box))
        svg = Markup(figure_files.svg_element(picture, box, self.glyphs))
        return RenderedPicture(picture.name, picture.title, picture.caption, svg, picture.wide)

    def render_page(self, sections: list[RenderedSection]) -> str:
        """Returns the page's HTML."""
        environment = Environment(
            loader=PackageLoader("digits_ray.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        return environment.get_template("page.html.j2").render(
            summary=summary.summarize(self.run),
            run_uri=self.run.directory.store.uri,
            sections=sections,
            glyphs=Markup("".join(self.glyphs.values())),
            version=__version__,
        )


def draw_page(run_dir: str, on_step: Callable[[ReportStep], None]) -> str:
    """Draws the page; see `digits_ray.report.draw_report`."""
    on_step(ReportStep(STEPS[0], 0, len(STEPS)))
    drawing = PageDrawing(read_run(run_dir), on_step)
    store = drawing.run.directory.store
    store.delete_folder("figures")  # those of an earlier report
    with ThreadPoolExecutor(1) as pool, figure_files.figure_defaults():
        inspection = _start_inspection(pool, drawing.run)
        rendered = {s.key: drawing.render_section(s) for s in SECTIONS if not s.needs_inspection}
        drawing.begin_step("network")
        drawing.wait_for_inspection(inspection)
        rendered |= {s.key: drawing.render_section(s) for s in SECTIONS if s.needs_inspection}
    drawing.begin_step("page")
    store.write(layout.REPORT, drawing.render_page([rendered[section.key] for section in SECTIONS]).encode())
    return store.path_of(layout.REPORT)


def _start_inspection(pool: ThreadPoolExecutor, run: RunContents) -> "Future[Inspection] | None":
    """Has the best member's model inspected, with the first sample image, while other figures are drawn."""
    member, dataset = run.best_member, run.dataset
    if member is None or dataset is None:
        return None
    image, recipe, member_id = dataset["sample_images"][0], member.spec.recipe, member.spec.member_id
    return pool.submit(
        lambda: inspect_model(run.directory.members.model_file(member_id), image, recipe.augmentation, recipe.backend)
    )


def _data_parts(drawing: PageDrawing) -> Iterator[SectionPart]:
    if drawing.run.dataset is not None:
        yield tables.data_table(drawing.run)
    yield from draw_data.figures(drawing.run, drawing.inspection)


def _members_parts(drawing: PageDrawing) -> Iterator[SectionPart]:
    run = drawing.run
    yield tables.members_table(run)
    if drawing.inspection and run.best_member:
        yield tables.layers_table(drawing.inspection, run.best_member)
    yield from draw_members.figures(run, drawing.inspection)


def _ensemble_parts(drawing: PageDrawing) -> Iterator[SectionPart]:
    leaderboard = tables.leaderboard_table(drawing.run)
    if leaderboard:
        yield leaderboard
    recalls = tables.recalls_table(drawing.run)
    if recalls:
        yield recalls
    if drawing.run.holdout and (coverage := set_coverage.coverage_table(drawing.run.holdout, drawing.run.config)):
        yield coverage
    yield from draw_ensemble.figures(drawing.run)


def _cases_parts(drawing: PageDrawing) -> Iterator[SectionPart]:
    issues = label_table.label_issues_table(drawing.run)
    if issues:
        yield issues
    yield from draw_cases.figures(drawing.run)


SECTIONS = (
    Section(
        "data", "Data", "What went in, as it was checked before anything was trained on it.",
        _data_parts, missing.missing_from_data, needs_inspection=True,
    ),
    Section(
        "baselines", "Baselines", "Classical models on the same rows: what the networks have to beat.",
        lambda drawing: draw_baselines.figures(drawing.run), missing.missing_from_baselines,
    ),
    Section(
        "members", "Members", "Networks that differ by their random seed, and by architecture where there are several.",
        _members_parts, missing.missing_from_members, needs_inspection=True,
        of_single_network=("Network", "The only network of this run."),
    ),
    Section(
        "ensemble", "Ensemble",
        "The members’ vote: the mean of their probabilities, and of the baselines’ where they have earned a weight.",
        _ensemble_parts, missing.missing_from_ensemble,
        of_single_network=("Predictions", "What the network is right and wrong on, and how sure it is."),
    ),
    Section(
        "cases", "Hard cases", "The images to look at by eye.",
        _cases_parts, missing.missing_from_cases,
    ),
    Section(
        "environment", "Environment", "What the numbers were made with.",
        lambda drawing: tables.environment_tables(drawing.run),
    ),
)  # fmt: skip
