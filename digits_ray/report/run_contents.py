"""What a run directory contains, read once: everything that the report is drawn from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from digits_ray.config import BASELINE_KINDS, Config, MemberSpec, member_specs
from digits_ray.data import row_number, shape_text
from digits_ray.ensemble import NetworksPerRow, Prediction, member_name, one_network_scores
from digits_ray.report.which_networks import baselines_vote, is_single_network
from digits_ray.storage import RunDirectory, layout

Arrays = Mapping[str, np.ndarray]

SHOWN_MEMBERS = 40  # in figures of single members; a hundred panels of a hundred curves take a minute to draw


@dataclass(frozen=True)
class MemberContents:
    """One member, as far as it got."""

    spec: MemberSpec
    result: Mapping[str, Any] | None  # result.json; None while the member is not finished
    history: list[dict[str, float]]  # one entry an epoch
    error: str | None  # why it was given up
    directory: RunDirectory = field(repr=False)

    @property
    def prediction(self) -> Prediction | None:
        """Its predictions, read each time: those of all members at once may not fit into memory."""
        return self.directory.members.prediction(self.spec.member_id) if self.result else None

    @property
    def name(self) -> str:
        return member_name(self.spec.member_id)

    @property
    def status(self) -> str:
        return "done" if self.result else "failed" if self.error else "not finished"

    @property
    def accuracy(self) -> float | None:
        """Its accuracy on the rows it never saw."""
        return (self.result or {}).get("holdout", {}).get("accuracy") if self.is_scored else None

    @property
    def is_scored(self) -> bool:
        return bool(self.result and self.result.get("holdout"))


@dataclass(frozen=True)
class BaselineContents:
    """One classical model: its search and its best."""

    name: str
    trials: list[dict[str, str]]  # lines of trials.csv
    result: Mapping[str, Any]
    prediction: Prediction | None


@dataclass(frozen=True, eq=False)
class HoldoutPrediction:
    """The ensemble's prediction of the held-out rows, and their true classes."""

    row_ids: np.ndarray  # (rows,) int64, ascending
    proba: np.ndarray  # (rows, classes) float32, rows sum to 1
    labels: np.ndarray  # (rows,) int


@dataclass(frozen=True, eq=False)
class RunContents:
    """A run directory's contents; what is missing is None or empty."""

    directory: RunDirectory
    config: Config
    data: Mapping[str, Any]  # data.json
    metrics: Mapping[str, Any]  # metrics.json
    members: list[MemberContents]  # all that the configuration asks for
    baselines: list[BaselineContents]
    ensemble: Arrays | None  # ensemble.npz
    dataset: Arrays | None  # dataset.npz
    case_images: Arrays | None  # cases.npz
    leaderboard: list[dict[str, str]]  # lines of leaderboard.csv
    files: frozenset[str]  # of the directory's top

    @cached_property
    def finished_members(self) -> list[MemberContents]:
        return [member for member in self.members if member.result]

    @property
    def shown_members(self) -> list[MemberContents]:
        """The finished members in figures of single members."""
        return self.finished_members[:SHOWN_MEMBERS]

    @cached_property
    def scored_members(self) -> list[MemberContents]:
        """The finished members that have a holdout score."""
        return [member for member in self.members if member.is_scored]

    @cached_property
    def best_member(self) -> MemberContents | None:
        """The leaderboard's first member (of equal accuracy, the one of lower NLL); unscored, the first finished."""
        if not self.scored_members:
            return self.finished_members[0] if self.finished_members else None
        return min(self.scored_members, key=_rank)

    @property
    def member_beside_ensemble(self) -> MemberContents | None:
        """The best member, where there is an ensemble to compare it with."""
        return None if self.is_single_network else self.best_member

    @cached_property
    def class_names(self) -> list[str]:
        return [str(name) for name in self.data.get("classes", [])]

    @property
    def image_text(self) -> str:
        """The size of an image, and that it is in colour where it is."""
        size, channels = (self.data["height"], self.data["width"]), self.data["channels"]
        return shape_text(size if channels == 1 else (*size, channels))

    @cached_property
    def holdout(self) -> HoldoutPrediction | None:
        """The ensemble's held-out rows; None where there are none."""
        if self.ensemble is None or self.dataset is None or len(self.ensemble["holdout_row_ids"]) == 0:
            return None
        row_ids = self.ensemble["holdout_row_ids"]
        return HoldoutPrediction(row_ids, self.ensemble["holdout_proba"], self.dataset["labels"][row_ids])

    @cached_property
    def networks_per_row(self) -> NetworksPerRow | None:
        """How many members scored a held-out row; None where all did."""
        return NetworksPerRow.of(member.spec.fold for member in self.scored_members)

    @property
    def one_network_scores(self) -> bool:
        """Whether the scores of each row are those of one network by itself, with which it cannot be compared."""
        folds = (member.spec.fold for member in self.scored_members)
        return self.is_single_network or one_network_scores(folds, baselines_vote=baselines_vote(self.metrics))

    @property
    def is_single_network(self) -> bool:
        """Whether the run is of one network by itself: there is no ensemble."""
        return is_single_network(self.metrics)

    @property
    def model_name(self) -> str:
        """What the model that labels test rows is called in texts."""
        return "network" if self.is_single_network else "ensemble"

    def row_number(self, row_id: int) -> int:
        """Returns a labelled row's number in its own file, from 1."""
        return row_number(row_id, self.data["train_rows"])

    @cached_property
    def dataset_facts(self) -> Mapping[str, Any]:
        """Counts and sources of the data."""
        return json.loads(str(self.dataset["facts"])) if self.dataset is not None else {}


def best_baseline(run: RunContents) -> BaselineContents | None:
    """Returns the most accurate classical model; None without any that was scored."""
    scored = [baseline for baseline in run.baselines if baseline.result.get("holdout")]
    return max(scored, key=lambda baseline: baseline.result["holdout"]["accuracy"], default=None)


def _rank(member: MemberContents) -> tuple[float, float]:
    scores = (member.result or {})["holdout"]
    return -scores["accuracy"], scores["nll"]


def read_run(run_dir: str) -> RunContents:
    """Reads a run directory.

    Args:
        run_dir: Its path or URI.

    Raises:
        UserError: it holds no run.
    """
    directory = RunDirectory.existing(run_dir)
    config, metrics = directory.config(), directory.read_json(layout.METRICS) or {}
    errors = {member["id"]: member.get("error") for member in metrics.get("members", [])}
    files = frozenset(name for name in directory.store.names() if "/" not in name)
    baselines = (_baseline(directory, name) for name in BASELINE_KINDS)
    return RunContents(
        directory=directory,
        config=config,
        data=directory.data_or_none() or {},
        metrics=metrics,
        members=[_member(directory, spec, errors.get(spec.member_id)) for spec in member_specs(config)],
        baselines=[baseline for baseline in baselines if baseline],
        ensemble=directory.read_arrays(layout.ENSEMBLE),
        dataset=directory.read_arrays(layout.DATASET),
        case_images=directory.read_arrays(layout.CASES),
        leaderboard=directory.read_csv(layout.LEADERBOARD),
        files=files,
    )


def _member(directory: RunDirectory, spec: MemberSpec, error: str | None) -> MemberContents:
    result = directory.members.result(spec)
    if result is None:
        return MemberContents(spec, None, [], error, directory)
    return MemberContents(spec, result, directory.members.history(spec.member_id), None, directory)


def _baseline(directory: RunDirectory, name: str) -> BaselineContents | None:
    """Returns a baseline once its result.json, which is written last, is there."""
    folder = directory.baseline(name)
    result = folder.result()
    return BaselineContents(name, folder.trials(), result, folder.prediction()) if result is not None else None
