"""What old files mean where they lack what was added since, and what hashes cover."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from old_runs import unpacked

from digits_ray.config import Config, compatibility
from digits_ray.config.preset import preset_of_0_1_0
from digits_ray.config.serialization import config_to_dict

WITH_MIXUP = {"members.recipe.mixup": 0.0}


@pytest.fixture
def mixup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretends that a release after 0.1.0 added a setting."""
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", WITH_MIXUP)


def names(values: Mapping[str, Any], group: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in values.items():
        found |= names(value, f"{group}{key}.") if isinstance(value, Mapping) else {f"{group}{key}"}
    return found


def test_every_setting_that_0_1_0_had_not_is_in_the_table_and_nothing_else(tmp_path: Path) -> None:
    old = yaml.safe_load((unpacked(tmp_path) / "config.yaml").read_text())
    assert names(config_to_dict(Config())) - names(old) == set(compatibility.ADDED_SETTINGS)


@pytest.mark.usefixtures("mixup")
def test_an_added_field_is_in_a_members_hash_only_where_it_changes_what_was_done_before() -> None:
    old = {"seed": 1, "recipe": {"epochs": 3}}
    assert compatibility.member_identity({"seed": 1, "recipe": {"epochs": 3, "mixup": 0.0}}) == old
    other = {"seed": 1, "recipe": {"epochs": 3, "mixup": 0.2}}
    assert compatibility.member_identity(other) == other
    assert compatibility.member_identity(old) == old


def test_a_group_of_added_fields_leaves_no_trace_where_all_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    added = {"members.recipe.mix.alpha": 0.0, "members.recipe.mix.cut": False}
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", added)
    recipe = {"epochs": 3, "mix": {"alpha": 0.0, "cut": False}}
    assert compatibility.member_identity({"recipe": recipe}) == {"recipe": {"epochs": 3}}
    recipe["mix"] = {"alpha": 0.0, "cut": True}
    assert compatibility.member_identity({"recipe": recipe}) == {"recipe": {"epochs": 3, "mix": {"cut": True}}}


def test_a_field_of_0_1_0_is_in_every_hash() -> None:
    recipe = asdict(Config().members.recipe)
    del recipe["augmentation"]["flip"], recipe["augmentation"]["shear"]  # added since
    assert compatibility.member_identity({"seed": 1, "recipe": recipe}) == {"seed": 1, "recipe": recipe}


def test_an_added_axis_is_in_a_trials_hash_only_where_it_changes_what_was_done_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", {"baselines.knn.power": [2], "baselines.knn.leaf_size": [30]})
    old = {"kind": "knn", "params": {"pca": 0}, "sweep": {"weights": ["uniform"]}}
    new = {"kind": "knn", "params": {"pca": 0, "power": 2}, "sweep": {"weights": ["uniform"], "leaf_size": [30]}}
    assert compatibility.trial_identity(new) == old
    for changed in ({"params": {"pca": 0, "power": 3}}, {"sweep": {"weights": ["uniform"], "leaf_size": [30, 60]}}):
        assert compatibility.trial_identity(new | changed) != old
    tree = {"kind": "tree", "params": {"power": 2}, "sweep": {}}
    assert compatibility.trial_identity(tree) == tree


@pytest.mark.usefixtures("mixup")
def test_an_old_file_reads_as_what_was_done_then_and_a_value_in_it_counts() -> None:
    assert compatibility.complete_settings({"members": {"recipe": {"epochs": 3}}}) == {
        "members": {"recipe": {"epochs": 3, "mixup": 0.0}}
    }
    new = {"members": {"recipe": {"epochs": 3, "mixup": 0.2}}}
    assert compatibility.complete_settings(new) == new


def test_old_data_read_as_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "ADDED_TO_DATA", {"channels": 1})
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", {"split.groups": None})
    old = {"train_rows": 3, "split": {"folds": 5}}
    assert compatibility.complete_data(old) == {"train_rows": 3, "channels": 1, "split": {"folds": 5, "groups": None}}
    assert old == {"train_rows": 3, "split": {"folds": 5}}


def test_the_presets_of_0_1_0_are_never_edited() -> None:
    content = (files("digits_ray.config") / "presets_0_1_0.yaml").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "6bd777539439ad185eb7666396f2a81b9d98be185e9609822a31d07f7575410d"


def test_the_preset_of_an_old_run_is_known_in_full(tmp_path: Path) -> None:
    old = yaml.safe_load((unpacked(tmp_path) / "config.yaml").read_text())
    preset = preset_of_0_1_0("smoke")
    own = {"epochs": 12, "batch_size": 64, "precision": "float32"}
    assert old["members"]["recipe"] == preset["members"]["recipe"] | own
    assert {**old["baselines"], "enabled": True} == {**preset["baselines"], "enabled": True}
    assert (old["split"], old["seed"]) == (preset["split"], preset["seed"])
    assert preset_of_0_1_0("brand new") is None
