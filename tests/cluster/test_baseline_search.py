"""The searches on a real Ray: what is kept, what a failure costs, what a kill costs."""

import csv
import os
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import write_kaggle_csv
from processes import descendants, kill
from waiting import LIMIT_SECONDS

from digits_ray.baselines.trial_records import SavedBaseline
from digits_ray.config.baselines_schema import BaselinesConfig, ForestSpace, KnnSpace, TreeSpace
from digits_ray.config.schema import Config, DataConfig, EnsembleConfig, MembersConfig, Recipe, SplitConfig
from digits_ray.progress import SearchStatus
from digits_ray.runs.callbacks import RunCallback
from digits_ray.runs.finished_run import Run, load_run
from digits_ray.runs.pipeline import run, tune
from digits_ray.runs.records import BaselineRecord

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_here")]

SMALL = BaselinesConfig(
    knn=KnnSpace((1, 3), ("uniform",), ("euclidean",), (False, True), (0,)),
    tree=TreeSpace((False,)),
    forest=ForestSpace((2, 4, 8), ("extra_trees", "random_forest"), (False,), ("sqrt",), (1, 30)),
)


class Watcher(RunCallback):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.statuses: list[SearchStatus] = []
        self.done: list[str] = []
        self.failed: dict[str, str] = {}

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        self.statuses = statuses

    def on_baseline_end(self, kind: str, record: BaselineRecord) -> None:
        self.done.append(kind)

    def on_baseline_failure(self, kind: str, error: str) -> None:
        self.failed[kind] = error


@pytest.fixture
def config(tmp_path: Path) -> Config:
    train = write_kaggle_csv(tmp_path / "train.csv", 120)
    test = write_kaggle_csv(tmp_path / "test.csv", 12, with_labels=False, seed=1)
    return Config(out=str(tmp_path / "run"), data=DataConfig(str(train), str(test)), baselines=SMALL)


def trials_of(found: Run, kind: str) -> list[dict[str, str]]:
    text = (Path(found.path) / "baselines" / kind / "trials.csv").read_text()
    return list(csv.DictReader(StringIO(text)))


def files_of(found: Run) -> set[str]:
    root = Path(found.path) / "baselines"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_tune_finds_three_baselines_and_scores_them_once_on_the_holdout(config: Config) -> None:
    watcher = Watcher()
    found = tune(config, [watcher])
    assert watcher.done == ["knn", "tree", "forest"]
    assert files_of(found) == {
        f"{kind}/{name}" for kind in watcher.done for name in ("trials.csv", "predictions.npz", "result.json")
    }
    for kind, baseline in found.metrics["baselines"].items():
        assert baseline["holdout"]["rows"] == 12
        assert baseline["validation"]["rows"] == 11
        assert 0 <= baseline["holdout"]["accuracy"] <= 1
        accuracies = [float(row["accuracy"]) for row in trials_of(found, kind)]
        assert accuracies == sorted(accuracies, reverse=True)
        assert accuracies[0] == pytest.approx(baseline["validation"]["accuracy"], abs=1e-6)
    assert len(trials_of(found, "knn")) == 4
    last = {status.kind: status for status in watcher.statuses}
    assert all(status.done == status.trials and status.failed == 0 for status in last.values())
    leaderboard = (Path(found.path) / "leaderboard.csv").read_text()
    assert leaderboard.count("baseline") == 3
    assert load_run(found.path).baselines == ["knn", "tree", "forest"]
    page = (Path(found.path) / "report.html").read_text()
    assert "accuracy of the best baseline" in page
    assert "no network is trained" in page


def test_a_finished_baseline_is_not_searched_again_and_a_missing_one_is_added(
    config: Config, numpy_members: None
) -> None:
    found = tune(config)
    root = Path(found.path) / "baselines"
    before = {name: (root / name).stat().st_mtime_ns for name in files_of(found)}
    (root / "tree" / "result.json").unlink()
    watcher = Watcher()
    tune(config, [watcher])
    assert watcher.done == ["tree"]
    after = {name: (root / name).stat().st_mtime_ns for name in files_of(found)}
    assert {name for name in before if before[name] != after[name]} == {
        "tree/trials.csv", "tree/predictions.npz", "tree/result.json",
    }  # fmt: skip


@pytest.mark.usefixtures("numpy_members")
def test_a_trial_that_fails_does_not_fail_the_search(config: Config) -> None:
    """PCA finds more dimensions than a search's training rows have only when it is fitted: here they are faked."""
    broken = KnnSpace((1, 3), ("uniform",), ("euclidean",), (False,), (0, 10_000))
    watcher = Watcher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digits_ray.baselines.trial_specs._cut_to_data", lambda space, rows, pixels: space)
        found = tune(replace(config, baselines=replace(SMALL, knn=broken)), [watcher])
    assert watcher.done == ["knn", "tree", "forest"]
    assert found.metrics["baselines"]["knn"]["trials"] == {"done": 1, "stopped": 0, "failed": 1}
    assert found.metrics["baselines"]["knn"]["best"]["pca"] == 0
    (failed,) = [row for row in trials_of(found, "knn") if row["state"] == "failed"]
    assert failed["pca"] == "10000"
    assert failed["error"].startswith("ValueError")
    assert "(digits_ray/baselines/" in failed["error"]


def test_a_baseline_without_a_single_trial_left_is_told_and_the_others_go_on(
    config: Config, numpy_members: None
) -> None:
    broken = KnnSpace((1,), ("uniform",), ("euclidean",), (False,), (10_000,))
    watcher = Watcher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digits_ray.baselines.trial_specs._cut_to_data", lambda space, rows, pixels: space)
        found = tune(replace(config, baselines=replace(SMALL, knn=broken)), [watcher])
    assert watcher.done == ["tree", "forest"]
    assert "ValueError" in watcher.failed["knn"]
    assert found.metrics["baselines"]["knn"]["status"] == "failed"


@pytest.mark.usefixtures("numpy_members")
def test_poor_forests_are_stopped_while_they_are_small(config: Config) -> None:
    found = tune(config)
    states = found.metrics["baselines"]["forest"]["trials"]
    assert states["done"] >= 1
    assert states["stopped"] >= 1
    assert states["failed"] == 0


def test_baselines_join_a_finished_ensemble_and_vote_when_they_are_asked_to(
    config: Config, numpy_members: None
) -> None:
    members = MembersConfig(count=2, recipe=Recipe(epochs=2, batch_size=16))
    config = replace(config, members=members, split=SplitConfig("kfold", folds=2))
    alone = run(replace(config, baselines=replace(SMALL, enabled=False)))
    assert alone.metrics["baselines"] == {}
    both = run(config)
    assert [member["attempts"] for member in both.metrics["members"]] == [1, 1]
    assert both.metrics["ensemble"]["holdout"] == alone.metrics["ensemble"]["holdout"]
    for baseline in both.metrics["baselines"].values():
        assert baseline["holdout"]["rows"] == 120 - 12  # out-of-fold: every labelled row, but those that chose it
        assert 0 <= baseline["against_ensemble"]["p_value"] <= 1
        assert baseline["weight"] == 0
    voting = run(replace(config, ensemble=EnsembleConfig(True, 5.0)))
    assert {one["weight"] for one in voting.metrics["baselines"].values()} == {5.0}
    assert voting.metrics["ensemble"]["members_used"] == 2
    assert voting.metrics["ensemble"]["holdout"]["nll"] != alone.metrics["ensemble"]["holdout"]["nll"]
    kept = run(replace(config, baselines=replace(SMALL, enabled=False)))  # what is there is kept
    assert set(kept.metrics["baselines"]) == {"knn", "tree", "forest"}
    chosen = run(replace(config, ensemble=EnsembleConfig(True)))
    assert chosen.metrics["ensemble"]["holdout"]["nll"] <= alone.metrics["ensemble"]["holdout"]["nll"] + 0.05


COMMAND = """
import sys
from digits_ray.config import BaselinesConfig, Config, DataConfig, ForestSpace, KnnSpace
from digits_ray.runs.pipeline import tune
trees = tuple(range(100, 2001, 100))
forest = ForestSpace(trees, ("extra_trees", "random_forest"), (False,), ("sqrt",), (1,))
knn = KnnSpace((1, 3), ("uniform",), ("euclidean",), (False, True), (0, 5))
tune(Config(out=sys.argv[1], data=DataConfig(sys.argv[2]), baselines=BaselinesConfig(knn=knn, forest=forest)))
"""


@pytest.mark.usefixtures("numpy_members")
def test_a_killed_search_goes_on_where_it_was(config: Config, tmp_path: Path) -> None:
    out, trials = Path(str(config.out)), Path(str(config.out)) / "baselines" / "knn" / "trials"
    command = [sys.executable, "-c", COMMAND, str(out), str(config.data.train)]
    started = subprocess.Popen(command, env=dict(os.environ))
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while len(list(trials.glob("*.json"))) < 2:
            assert time.monotonic() < deadline
            assert started.poll() is None, "the search ended before it could be killed"
            time.sleep(0.02)
    finally:
        below = descendants(started.pid)
        kill(started.pid)
        started.wait()
        for process in below:
            kill(process)
    kept = {path.name for path in out.glob("baselines/*/trials/*.json")}
    assert len(kept) >= 2
    written: list[str] = []
    write_trial = SavedBaseline.write_trial

    def noted(files: SavedBaseline, trial: Any, record: Any) -> None:
        written.append(f"{trial.key}.json")
        write_trial(files, trial, record)

    forest = ForestSpace(tuple(range(100, 2001, 100)), ("extra_trees", "random_forest"), (False,), ("sqrt",), (1,))
    knn = KnnSpace((1, 3), ("uniform",), ("euclidean",), (False, True), (0, 5))
    again = Config(out=str(out), data=DataConfig(config.data.train), baselines=BaselinesConfig(knn=knn, forest=forest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SavedBaseline, "write_trial", noted)
        found = tune(again)
    assert not kept & set(written)
    assert len(written) + len(kept) == 4 + 2 + 2
    assert set(found.baselines) == {"knn", "tree", "forest"}
    assert np.isfinite(found.metrics["baselines"]["knn"]["validation"]["accuracy"])
