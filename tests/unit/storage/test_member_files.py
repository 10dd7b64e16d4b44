"""A finished member's files: what counts as finished, and what a kill or lost power leaves behind."""

import json
from dataclasses import fields, make_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from factories import spec_of
from old_runs import config_of, unpacked
from run_directories import claimed, result_of

from digits_ray.config import ALL_ROWS, Recipe, compatibility, member_specs
from digits_ray.errors import UserError
from digits_ray.storage.member_files import spec_hash


def test_a_member_counts_as_finished_only_with_its_result_and_its_spec(tmp_path: Path) -> None:
    run, spec = claimed(tmp_path), spec_of()
    assert run.members.result(spec) is None
    run.write_member(spec, result_of(), {"accuracy": 1.0})
    assert run.members.result(spec)["holdout"] == {"accuracy": 1.0}
    assert run.members.result(replace(spec, seed=99)) is None
    (tmp_path / "members/000/result.json").write_text('{"spec_ha')
    assert run.members.result(spec) is None


def test_result_json_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from digits_ray.storage.store import Store

    written: list[str] = []
    original = Store.write
    monkeypatch.setattr(Store, "write", lambda store, name, data: (written.append(name), original(store, name, data)))
    claimed(tmp_path).write_member(spec_of(), result_of(), None)
    members = [name for name in written if name not in ("preset.yaml", "config.yaml", "data.json")]
    assert members == [
        "members/000/spec.json",
        "members/000/history.csv",
        "members/000/events.out.tfevents.history",
        "members/000/predictions.npz",
        "members/000/model.keras",
        "members/000/result.json",
    ]


def test_a_refit_is_finished_for_itself_and_has_a_hash_of_its_own(tmp_path: Path) -> None:
    run, spec, refit = claimed(tmp_path), spec_of(), spec_of(fold=ALL_ROWS)
    run.write_member(spec, result_of(), {"accuracy": 1.0})
    assert run.refits.load_finished(refit) is None
    run.write_member(refit, result_of(), None)
    assert run.refits.load_finished(refit) is not None
    assert run.members.result(spec)["holdout"] == {"accuracy": 1.0}
    assert run.members.result(refit) is run.refits.result(spec) is None


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    run.write_member(spec_of(), result_of(), None)
    back, expected = run.members.prediction(0), result_of().prediction
    assert back.model_id == expected.model_id
    for name in ("holdout_row_ids", "holdout_proba", "test_row_ids", "test_proba"):
        assert np.array_equal(getattr(back, name), getattr(expected, name))


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_member_with_damaged_predictions_is_trained_anew(part: float, tmp_path: Path) -> None:
    run, spec = claimed(tmp_path), spec_of()
    run.write_member(spec, result_of(), None)
    assert run.members.load_finished(spec) is not None
    file = tmp_path / "members/000/predictions.npz"
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    assert run.members.load_finished(spec) is None
    with pytest.raises(UserError, match=r"predictions\.npz: missing or damaged.*digits-ray run"):
        run.members.prediction(0)
    file.unlink()
    assert run.members.load_finished(spec) is None


def test_a_members_hash_is_that_of_0_1_0_though_a_field_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = json.loads((unpacked(tmp_path) / "members/000/result.json").read_text())["spec_hash"]
    spec = member_specs(config_of(tmp_path / "run"))[0]
    assert spec_hash(spec) == old
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", compatibility.ADDED_SETTINGS | {"members.recipe.mixup": 0.0})
    as_before, otherwise = (replace(spec, recipe=later_recipe(spec.recipe, mixup)) for mixup in (0.0, 0.2))
    assert spec_hash(as_before) == old
    assert spec_hash(otherwise) != old


def later_recipe(recipe: Recipe, mixup: float) -> Recipe:
    """The recipe of a release that has added a setting."""
    kind = make_dataclass("LaterRecipe", [("mixup", float, mixup)], bases=(Recipe,), frozen=True)
    return kind(**{field.name: getattr(recipe, field.name) for field in fields(recipe)})
