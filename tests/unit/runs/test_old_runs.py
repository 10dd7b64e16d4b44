"""A run directory of release 0.1.0: what of it counts, and with which recipe it goes on."""

import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from old_runs import config_of, unpacked

from digits_ray import data as datasets
from digits_ray.baselines import plan_search
from digits_ray.config import Config, compatibility, member_specs
from digits_ray.config.preset import _presets_file
from digits_ray.errors import UserError
from digits_ray.runs import RunCallback, load_run, run, status_of
from digits_ray.storage import RunDirectory, SavedEpochs


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return unpacked(tmp_path)


class Told(RunCallback):
    """Remembers why a recipe was kept."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        self.reasons.append(reason)


def test_its_finished_member_counts_and_its_saved_epoch_is_gone_on_from(old: Path) -> None:
    directory, (done, unfinished) = RunDirectory.existing(str(old)), member_specs(config_of(old))
    result, prediction = directory.members.load_finished(done)
    assert (result["epochs"], prediction.model_id) == (12, "member-000")
    assert directory.members.load_finished(unfinished) is None
    assert len(list(SavedEpochs(directory.store, 1, "02-next").candidates())) == 1


def test_its_baselines_count(old: Path) -> None:
    config, directory = config_of(old), RunDirectory.existing(str(old))
    data = datasets.load(config.data)
    search = plan_search(config, data, datasets.split(data, config.split, config.seed))
    for spec in search.specs:
        assert directory.baseline(spec.kind).result()["spec_hash"] == spec.key
        assert directory.baseline(spec.kind).prediction().model_id == spec.kind
    assert {spec.kind for spec in search.specs} == {"knn", "tree", "forest"}


def test_an_axis_that_is_added_to_a_search_leaves_the_trials_of_before_what_they_were(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(old)
    data = datasets.load(config.data)
    specs = plan_search(config, data, datasets.split(data, config.split, config.seed)).specs
    (trial,) = next(spec.trials for spec in specs if spec.kind == "knn")
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", {"baselines.knn.power": [2]})
    assert replace(trial, params=trial.params | {"power": 2}).key == trial.key
    assert replace(trial, params=trial.params | {"power": 3}).key != trial.key


def test_its_status_tells_how_far_it_is(old: Path) -> None:
    status = status_of(str(old))
    assert [(member.state, member.epoch) for member in status.members] == [("done", 12), ("unfinished", 11)]
    assert status.baselines == ("forest", "knn", "tree")
    assert status.has_submission


def test_it_is_loaded_with_what_it_was_made_with(old: Path) -> None:
    loaded = load_run(old)
    assert loaded.member_ids == [0]
    assert loaded.config.members.recipe == config_of(old).members.recipe
    assert loaded.classes == tuple(range(10))
    assert loaded.baselines == ["knn", "tree", "forest"]


def test_where_the_preset_has_changed_since_it_goes_on_with_its_own_recipe_and_says_so(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_preset(monkeypatch)
    told = finish(old, config_of(old, members__count=1))  # its first member alone, so nothing is to be trained
    (reason,) = told.reasons
    assert "members.recipe.learning_rate is 0.002 there, 0.001 here" in reason
    assert "baselines.knn.n_neighbors is [1, 3] there, [1, 5] here" in reason
    assert load_run(old).config.members.recipe.learning_rate == 0.002
    assert load_run(old).metrics["status"] == "done"
    assert finish(old, config_of(old, members__count=1)).reasons == told.reasons


def test_a_setting_of_its_user_that_is_missing_now_is_refused_whatever_the_preset_is(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = config_of(old, settings=("members.recipe.precision=float32",), members__count=1)
    for change in (lambda: None, lambda: change_preset(monkeypatch)):
        change()
        with pytest.raises(UserError, match=r"another run: members\.recipe\.batch_size is 64 there, 128 here\. Choose"):
            finish(old, forgotten)


def change_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretends that a later release defines the preset anew."""
    presets = deepcopy(_presets_file())
    presets["smoke"]["config"]["members"]["recipe"]["learning_rate"] = 1e-3
    presets["smoke"]["config"]["baselines"]["knn"]["n_neighbors"] = [1, 5]
    monkeypatch.setattr("digits_ray.config.preset._presets_file", lambda: presets)


def finish(old: Path, config: Config) -> Told:
    """Runs a command that has nothing to train, to search or to draw."""
    told = Told()
    (old / "report.html").write_text("drawn already")
    before = set(sys.modules)
    run(config, [told])
    assert not {"ray", "tensorflow"} & (set(sys.modules) - before)
    return told
