"""Labelled test rows: scored once, at the end, by the networks that label them, and by no choice."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import images_of
from pretended_work import PretendedWork
from recording_callback import RecordingCallback
from report_runs import arrays_of

from digits_ray import load_run
from digits_ray.config.schema import BaselinesConfig, Config, MembersConfig
from digits_ray.ensemble.metrics import score
from digits_ray.runs.pipeline import run

LABELS = np.arange(120) % 3
TRAIN, TEST_IMAGES = (images_of(LABELS), LABELS), images_of(np.arange(24) % 3, seed=1)
TEST_LABELS = np.arange(24) % 3


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(out=str(tmp_path / "run"), members=MembersConfig(count=2), baselines=BaselinesConfig(enabled=False))


def scores_in(path: str, file: str, labels: np.ndarray = TEST_LABELS, known: Any = slice(None)) -> dict[str, Any]:
    """What the test probabilities in a file are worth, as JSON has it."""
    values = asdict(score(arrays_of((Path(path) / file).read_bytes())["test_proba"][known], labels[known]))
    return values | {"accuracy_ci95": list(values["accuracy_ci95"])}


def test_the_ensemble_and_each_member_are_scored(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    finished = run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, TEST_LABELS))
    metrics = load_run(finished.path).metrics
    test = dict(metrics["test"])
    assert (test.pop("rows_not_scored"), len(test.pop("labels_sha256"))) == (0, 64)
    assert test == scores_in(finished.path, "ensemble.npz")
    assert test["rows"] == 24
    for member in metrics["members"]:
        assert member["test"] == scores_in(finished.path, f"members/{member['id']:03d}/predictions.npz")


def test_nothing_is_scored_before_the_end(config: Config, work: PretendedWork, recorder: RecordingCallback) -> None:
    run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, TEST_LABELS))
    interim = [given[-1] for event, given in recorder.calls if event in ("on_member_end", "on_training_end")]
    assert len(interim) == 3
    assert not any("test" in metrics for metrics in interim)
    assert not any("test" in member for metrics in interim for member in metrics["members"])


def test_refits_are_scored_and_the_ensemble_is_theirs(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    config = replace(config, members=replace(config.members, refit_on_all=True))
    finished = run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, TEST_LABELS))
    metrics = load_run(finished.path).metrics
    assert metrics["test"]["nll"] == scores_in(finished.path, "ensemble.npz")["nll"]
    for member in metrics["members"]:
        folder = f"members/{member['id']:03d}"
        assert member["test"] == scores_in(finished.path, f"{folder}/predictions.npz")
        assert member["refit"]["test"] == scores_in(finished.path, f"{folder}/refit/predictions.npz")
        assert member["test"] != member["refit"]["test"]


def test_rows_of_an_unknown_class_are_counted_and_not_scored(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    labels = TEST_LABELS.copy()
    labels[:4] = 7
    finished = run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, labels))
    test = finished.metrics["test"]
    assert (test["rows"], test["rows_not_scored"]) == (20, 4)
    assert test["nll"] == scores_in(finished.path, "ensemble.npz", labels, slice(4, None))["nll"]


def test_without_labels_there_are_no_scores(config: Config, work: PretendedWork, recorder: RecordingCallback) -> None:
    metrics = run(config, [recorder], train=TRAIN, test=TEST_IMAGES).metrics
    assert "test" not in metrics
    assert "test" not in metrics["members"][0]


def test_labels_that_come_later_or_are_corrected_score_anew_without_training(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    before = run(config, [recorder], train=TRAIN, test=TEST_IMAGES)
    submission = (Path(before.path) / "submission.csv").read_bytes()
    for reports, labels in enumerate([TEST_LABELS, (TEST_LABELS + 1) % 3], start=2):
        finished = run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, labels))
        assert finished.metrics["test"]["nll"] == scores_in(finished.path, "ensemble.npz", labels)["nll"]
        assert (work.sessions, work.reports) == (1, reports)
    run(config, [recorder], train=TRAIN, test=(TEST_IMAGES, labels))
    assert work.reports == reports
    assert (Path(before.path) / "submission.csv").read_bytes() == submission
