"""What a run has so far: the members that are finished or given up, the baselines, and the vote of all of them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from digits_ray.baselines import BaselineResults
from digits_ray.config import MemberSpec
from digits_ray.ensemble import (
    Combined,
    MemberFailure,
    MemberResult,
    NetworksPerRow,
    Prediction,
    Scores,
    SoftVote,
    one_network_scores,
    score,
)
from digits_ray.report import report_data
from digits_ray.runs.inputs import RunInputs
from digits_ray.runs.records import MemberRecord
from digits_ray.scheduling import Plan
from digits_ray.storage import RunDirectory, layout
from digits_ray.tracking import event_file
from digits_ray.training.network_files import registered_networks


@dataclass(eq=False)
class RunState:
    """Grows during the run. What is recorded stays in memory, what is written goes to the run directory."""

    directory: RunDirectory
    inputs: RunInputs
    started: float  # time.monotonic() of this command
    plan: Plan | None = None  # how this command trains; None while no member was missing
    records: dict[int, MemberRecord] = field(default_factory=dict)  # of the finished members, by id
    failures: dict[int, MemberFailure] = field(default_factory=dict)  # of those that were given up, by id
    refits: dict[int, MemberRecord] = field(default_factory=dict)  # of the finished refits, by the member's id
    refit_failures: dict[int, MemberFailure] = field(default_factory=dict)  # of those that were given up, alike
    slot_seconds: float = 0.0  # this command's training, from its start to the last member's end, times its slots
    fit_seconds: float = 0.0  # this command's epochs, of the members that it trained from their first epoch on

    def __post_init__(self) -> None:
        self.previous: Mapping[str, Any] = self.directory.read_json(layout.METRICS) or {}  # of an earlier command
        self.baselines = BaselineResults(self.directory, self.inputs.data)
        self._vote = self._empty_vote()
        self._claimed = False

    def claim(self, on_wait: Callable[[str], None]) -> None:
        """Makes the run directory this run's own, once, and writes there what the report needs of the data.

        Args:
            on_wait: Called with one line when another run's lease on the directory has to run out first.

        Raises:
            UserError: another process is writing there, or it may not be written.
        """
        if self._claimed:
            return
        self.directory.claim(self.inputs.config, self.inputs.fingerprint(), on_wait)
        self._claimed = True
        self.write_networks()
        self.write_samples()

    def write_networks(self) -> None:
        """Writes a copy of each file with a network of the user's own, for people to read."""
        for file in registered_networks(self.inputs.config.members.architectures):
            name = layout.network_file(file.key, file.name)
            if not self.directory.store.has(name):
                self.directory.store.write(name, file.source)

    def write_samples(self) -> None:
        """Writes what the report needs of the data, unless it is there."""
        if not self.directory.is_intact(layout.DATASET):
            inputs = self.inputs
            file = report_data.dataset_file(inputs.data, inputs.folds, inputs.check, inputs.config.seed)
            self.directory.store.write(layout.DATASET, file)

    # Members

    def load_finished(self) -> list[MemberSpec]:
        """Records the members that an earlier, interrupted run has finished; returns those that are missing."""
        missing = []
        for spec in self.inputs.specs:
            finished = self.directory.members.load_finished(spec)
            if finished:
                result_json, prediction = finished
                self.record_member(spec.member_id, MemberRecord.from_json(result_json), prediction)
            else:
                missing.append(spec)
        return missing

    def write_member(self, result: MemberResult) -> MemberRecord:
        """Writes a finished member's files and records it; returns what its result.json holds."""
        spec = self.inputs.specs[result.member_id]
        holdout = self.holdout_scores(result.prediction)
        result_json = self.directory.write_member(
            spec, result, asdict(holdout) if holdout else None, event_file(result.history)
        )
        record = MemberRecord.from_json(result_json)
        self.record_member(result.member_id, record, result.prediction)
        self.fit_seconds += result.fit_seconds if result.start_epoch == 0 else 0.0
        return record

    def record_member(self, member_id: int, record: MemberRecord, prediction: Prediction) -> None:
        """Counts a finished member in."""
        self._vote.add(prediction)
        self.records[member_id] = record

    def record_failure(self, failure: MemberFailure) -> None:
        """Counts a member as given up."""
        self.failures[failure.member_id] = failure

    # Refits

    def load_finished_refits(self) -> list[MemberSpec]:
        """Records the refits that an earlier command has finished; returns those that are missing."""
        missing = []
        for spec in self.inputs.refit_specs:
            finished = self.directory.refits.load_finished(spec)
            if finished:
                self.refits[spec.member_id] = MemberRecord.from_json(finished[0])
            else:
                missing.append(spec)
        return missing

    def write_refit(self, result: MemberResult) -> MemberRecord:
        """Writes a finished refit's files and records it; returns what its result.json holds."""
        spec = self.inputs.refit_specs[result.member_id]
        result_json = self.directory.write_member(spec, result, None, event_file(result.history))
        record = self.refits[result.member_id] = MemberRecord.from_json(result_json)
        self.fit_seconds += result.fit_seconds if result.start_epoch == 0 else 0.0
        return record

    def record_refit_failure(self, failure: MemberFailure) -> None:
        """Counts a refit as given up: the member's first network goes on voting."""
        self.refit_failures[failure.member_id] = failure

    @property
    def refitted(self) -> list[int]:
        """The members that have a refit, by id."""
        return sorted(self.refits.keys() & self.records.keys())

    def is_complete(self) -> bool:
        """Returns whether no member is missing any more, and no refit where they are wanted."""
        if len(self.records) + len(self.failures) < len(self.inputs.specs):
            return False
        return not self.inputs.refit_specs or self.records.keys() <= {*self.refits, *self.refit_failures}

    @property
    def networks_per_row(self) -> NetworksPerRow | None:
        """How many members scored a held-out row; None where all did."""
        return NetworksPerRow.of(self._folds())

    @property
    def one_network_scores(self) -> bool:
        """Whether the scores of each row are those of one network by itself, with which it cannot be compared."""
        return one_network_scores(self._folds(), baselines_vote=any(self.baselines.weights.values()))

    def _folds(self) -> list[int]:
        return [spec.fold for spec in self.inputs.specs if spec.member_id in self.records]

    def holdout_scores(self, prediction: Prediction) -> Scores | None:
        """Scores one model on the rows it never saw; None when the run holds none out."""
        ids = prediction.holdout_row_ids
        return score(prediction.holdout_proba, self.inputs.data.labels[ids]) if len(ids) else None

    # The ensemble

    def combined(self) -> Combined:
        """Returns the vote of the members so far, in the order in which they were finished."""
        return self._vote.result()

    def final_combined(self) -> Combined:
        """Returns the vote of members, refits and baselines, read anew and in the order of their ids.

        Whatever order they were finished in: an interrupted run gives the very bytes of an undisturbed one.
        """
        vote = self._empty_vote()
        for member_id in sorted(self.records):
            vote.add(self.final_prediction(member_id))
        self.baselines.add_to_vote(vote, self.inputs.config.ensemble, self.inputs.folds)
        return vote.result()

    def final_prediction(self, member_id: int) -> Prediction:
        """Returns a member's predictions: of held-out rows by its first network, of test rows by its refit, if any."""
        first = self.directory.members.prediction(member_id)
        if member_id not in self.refits:
            return first
        refit = self.directory.refits.prediction(member_id)
        return replace(first, test_row_ids=refit.test_row_ids, test_proba=refit.test_proba)

    def _empty_vote(self) -> SoftVote:
        data, same_holdout = self.inputs.data, self.inputs.config.split.scheme != "kfold"
        return SoftVote(len(data.labels), len(data.test_images), len(data.classes), same_holdout=same_holdout)

    # What an earlier command has left

    def is_up_to_date(self) -> bool:
        """Returns whether an earlier command has written the final files from these models, and they are intact."""
        members = len(self.inputs.specs)
        done = self.plan is None and self.previous.get("status") == "done" and len(self.records) == members
        if not done or not self.is_complete() or self.previous["ensemble"]["members_used"] != members:
            return False
        if not all(map(self.directory.is_intact, self._final_files())) or self.vote_changed():
            return False
        return not self.baselines.failures and set(self.previous["baselines"]) == set(self.baselines.records)

    def vote_changed(self) -> bool:
        """Returns whether the finished run's results are by another rule, other refits or other test labels."""
        if not self.previous:
            return False
        ensemble, rule = self.previous["ensemble"], asdict(self.inputs.config.ensemble)
        if ensemble.get("vote") != rule or ensemble.get("refitted", []) != self.refitted:
            return True
        return self.previous.get("test", {}).get("labels_sha256") != self.inputs.data.test_labels_sha256

    def _final_files(self) -> list[str]:
        files = [layout.DATA, layout.DATASET, layout.ENSEMBLE, layout.CASES, layout.LEADERBOARD]
        files += [layout.LABEL_ISSUES] * (self.inputs.config.split.scheme != "none")
        return files + [layout.SUBMISSION] * bool(len(self.inputs.data.test_images))
