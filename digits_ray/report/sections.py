"""The chapters of the page: what each shows, and what its figures must wait for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from digits_ray.report import (
    draw_baselines,
    draw_cases,
    draw_data,
    draw_ensemble,
    draw_members,
    label_table,
    missing,
    set_coverage,
    tables,
)
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.plotting import Picture
from digits_ray.report.run_contents import RunContents
from digits_ray.report.tables import Code, Table


class Needs(IntEnum):
    """What figures are drawn from, in the order in which a run has it."""

    MODELS = 0  # the data, the members and the baselines
    ENSEMBLE = 1  # their vote
    INSPECTION = 2  # what another process finds in the best member's model


@dataclass(frozen=True)
class Figures:
    """Figures that are drawn one after another."""

    needs: Needs
    draw: Callable[[RunContents, Inspection | None], Iterable[Picture]]


@dataclass(frozen=True)
class Section:
    """One chapter of the page."""

    key: str
    title: str
    lead: str
    figures: tuple[Figures, ...] = ()
    tables: Callable[[RunContents, Inspection | None], Iterable[Table | Code]] = lambda run, inspection: ()
    missing: Callable[[RunContents, str], list[str]] = lambda run, inspection_error: []
    of_single_network: tuple[str, str] | None = None  # title and lead of a run without an ensemble

    def heading(self, run: RunContents) -> tuple[str, str]:
        """Returns title and lead."""
        return (run.is_single_network and self.of_single_network) or (self.title, self.lead)


def _data_tables(run: RunContents, _: Inspection | None) -> Iterator[Table]:
    if run.dataset is not None:
        yield tables.data_table(run)


def _members_tables(run: RunContents, inspection: Inspection | None) -> Iterator[Table]:
    yield tables.members_table(run)
    if inspection and run.best_member:
        yield tables.layers_table(inspection, run.best_member)


def _ensemble_tables(run: RunContents, _: Inspection | None) -> Iterator[Table]:
    leaderboard = tables.leaderboard_table(run)
    if leaderboard:
        yield leaderboard
    recalls = tables.recalls_table(run)
    if recalls:
        yield recalls
    if run.holdout and (coverage := set_coverage.coverage_table(run.holdout, run.config)):
        yield coverage


def _cases_tables(run: RunContents, _: Inspection | None) -> Iterator[Table]:
    issues = label_table.label_issues_table(run)
    if issues:
        yield issues


SECTIONS = (
    Section(
        "data", "Data", "What went in, as it was checked before anything was trained on it.",
        (
            Figures(Needs.MODELS, lambda run, _: draw_data.figures(run)),
            Figures(Needs.INSPECTION, draw_data.augmented_figures),
            Figures(Needs.MODELS, lambda run, _: draw_data.pixel_figures(run)),
        ),
        _data_tables, missing.missing_from_data,
    ),
    Section(
        "baselines", "Baselines", "Classical models on the same rows: what the networks have to beat.",
        (Figures(Needs.MODELS, lambda run, _: draw_baselines.figures(run)),),
        missing=missing.missing_from_baselines,
    ),
    Section(
        "members", "Members", "Networks that differ by their random seed, and by architecture where there are several.",
        (
            Figures(Needs.MODELS, lambda run, _: draw_members.figures(run)),
            Figures(Needs.INSPECTION, draw_members.layer_figures),
        ),
        _members_tables, missing.missing_from_members,
        of_single_network=("Network", "The only network of this run."),
    ),
    Section(
        "ensemble", "Ensemble",
        "The members’ vote: the mean of their probabilities, and of the baselines’ where they have earned a weight.",
        (Figures(Needs.ENSEMBLE, lambda run, _: draw_ensemble.figures(run)),),
        _ensemble_tables, missing.missing_from_ensemble,
        of_single_network=("Predictions", "What the network is right and wrong on, and how sure it is."),
    ),
    Section(
        "cases", "Hard cases", "The images to look at by eye.",
        (Figures(Needs.ENSEMBLE, lambda run, _: draw_cases.figures(run)),),
        _cases_tables, missing.missing_from_cases,
    ),
    Section(
        "environment", "Environment", "What the numbers were made with.",
        tables=lambda run, _: tables.environment_tables(run),
    ),
)  # fmt: skip
