"""Whether a command's settings and data are those that a run directory was made with."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from run_directories import DATA, claimed

from digits_ray.config import compatibility, loading
from digits_ray.config.nested import merged, set_nested
from digits_ray.config.preset import _presets_file, preset_in_full, preset_of_0_1_0
from digits_ray.config.schema import Config, DataConfig
from digits_ray.config.serialization import config_from_dict, config_to_dict
from digits_ray.errors import UserError
from digits_ray.storage.recorded_settings import settings_of_run
from digits_ray.storage.run_directory import RunDirectory


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    with pytest.raises(UserError, match=r"seed is 0 there, 1 here"):
        RunDirectory.at(str(tmp_path), Config(seed=1), DATA)
    other = loading.load_config(settings=["members.recipe.batch_size=7"])
    with pytest.raises(UserError, match=r"members\.recipe\.batch_size is \d+ there, 7 here"):
        RunDirectory.at(str(tmp_path), other, DATA)


def test_other_data_are_refused_and_named(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    with pytest.raises(UserError, match=r"data\.train_rows is 3 there, 4 here"):
        RunDirectory.at(str(tmp_path), Config(), DATA | {"train_rows": 4})


def test_more_members_other_resources_and_another_path_to_the_same_data_are_welcome(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    flags = {"members.count": 20, "resources.cpus_per_member": 2, "data.train": "elsewhere.csv", "out": "x"}
    config = config_from_dict(config_to_dict(Config()))
    values = config_to_dict(config)
    for key, value in flags.items():
        set_nested(values, key, value)
    RunDirectory.at(str(tmp_path), config_from_dict(values), DATA)


@pytest.mark.parametrize("content", [b"", b"members:\n\tcount", b"just text", b"- 1", b"memb: 1", b"\xff"])
def test_damaged_settings_are_told_in_one_line(content: bytes, tmp_path: Path) -> None:
    run = claimed(tmp_path)
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml: missing or damaged") as refusal:
        run.config()
    assert "\n" not in str(refusal.value)


def preset(monkeypatch: pytest.MonkeyPatch, **recipe: object) -> None:
    """Pretends that the preset "fast" is defined anew."""
    presets = deepcopy(_presets_file())
    presets["fast"]["config"]["members"]["recipe"] |= recipe
    monkeypatch.setattr("digits_ray.config.preset._presets_file", lambda: presets)


def fast(settings: Sequence[str] = (), **flags: object) -> Config:
    """The preset "fast" for a file of the user; more flags with "__" for the dots."""
    more = {key.replace("__", "."): value for key, value in flags.items()}
    return loading.load_config("fast", flags={"data.train": "train.csv", **more}, settings=settings)


def test_where_only_the_preset_has_changed_the_directory_keeps_its_recipe_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_with = fast()
    claimed(tmp_path, made_with).close()
    preset(monkeypatch, epochs=15, ema=0.9)
    with pytest.raises(UserError, match=r"another run: members\.recipe\.ema is 0\.0 there, 0\.9 here"):
        RunDirectory.at(str(tmp_path), fast(), DATA)
    kept, reason = settings_of_run(str(tmp_path), fast(members__count=20))
    assert kept.members.recipe == made_with.members.recipe
    assert kept.members.count == 20
    assert "keeps the recipe that it was made with; preset 'fast' has changed since" in reason
    assert "members.recipe.ema is 0.0 there, 0.9 here; members.recipe.epochs is 12 there, 15 here" in reason
    claimed(tmp_path, kept).close()
    assert settings_of_run(str(tmp_path), fast())[1] == reason  # then and ever after


def test_a_setting_of_the_user_that_differs_is_refused_and_the_presets_change_is_no_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(tmp_path, fast(["members.recipe.batch_size=7"])).close()
    preset(monkeypatch, epochs=15)
    for settings in ([], ["members.recipe.batch_size=8"]):
        config = fast(settings)
        assert settings_of_run(str(tmp_path), config) == (config, "")
        with pytest.raises(UserError, match=r"another run: members\.recipe\.batch_size is 7 there, \d+ here\. Choose"):
            RunDirectory.at(str(tmp_path), config, DATA)


def test_how_the_same_data_are_read_and_how_the_submission_names_them_may_change(tmp_path: Path) -> None:
    claimed(tmp_path, loading.load_config("fast")).close()
    settings = ["data.label=class", "data.id=scan", "data.drop=[date]", "submission.id_column=id"]
    RunDirectory.at(str(tmp_path), loading.load_config("fast", settings=settings), DATA)


def test_a_setting_that_the_user_gave_then_is_not_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(tmp_path, fast(members__recipe__epochs=3)).close()
    preset(monkeypatch, epochs=15)
    config = fast()
    assert settings_of_run(str(tmp_path), config) == (config, "")
    with pytest.raises(UserError, match=r"members\.recipe\.epochs is 3 there, 15 here"):
        RunDirectory.at(str(tmp_path), config, DATA)


def test_a_setting_that_the_user_gives_now_is_not_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(tmp_path, fast()).close()
    preset(monkeypatch, epochs=15)
    config = fast(members__recipe__epochs=16)
    assert settings_of_run(str(tmp_path), config) == (config, "")
    with pytest.raises(UserError, match=r"members\.recipe\.epochs is 12 there, 16 here"):
        RunDirectory.at(str(tmp_path), config, DATA)


@pytest.mark.parametrize("has_preset_yaml", [True, False], ids=["of 0.2", "of 0.1.0"])
def test_a_directory_of_the_built_in_digits_from_before_they_had_a_recipe_keeps_its_own(
    has_preset_yaml: bool, tmp_path: Path
) -> None:
    before = replace(fast(), data=DataConfig())  # the recipe for files, which they had then
    run = claimed(tmp_path, before)
    run.close()
    if has_preset_yaml:
        in_full = preset_in_full("fast", built_in_digits=False)
        (tmp_path / "preset.yaml").write_text(yaml.safe_dump(in_full))
    else:
        (tmp_path / "preset.yaml").unlink()
    kept, reason = settings_of_run(str(tmp_path), loading.load_config("fast"))
    assert kept.members == before.members
    assert "keeps the recipe that it was made with" in reason
    assert "members.architectures is ['deotte_plain'] there, ['compact'] here" in reason
    RunDirectory.at(str(tmp_path), kept, DATA)


def test_a_directory_of_strong_as_0_1_0_defined_it_keeps_its_recipe_networks_and_number(tmp_path: Path) -> None:
    now = loading.load_config("strong", flags={"data.train": "train.csv"})
    released = preset_of_0_1_0("strong")
    assert released is not None
    before = config_from_dict(merged(config_to_dict(now), {"members": released["members"]}))
    claimed(tmp_path, before).close()
    (tmp_path / "preset.yaml").unlink()
    kept, reason = settings_of_run(str(tmp_path), now)
    assert kept.members == before.members
    assert (kept.members.architectures, kept.members.count) == (("deotte",), 5)
    assert "members.architectures is ['deotte'] there" in reason
    RunDirectory.at(str(tmp_path), kept, DATA)


def test_a_directory_of_the_built_in_digits_is_continued_with_their_recipe(tmp_path: Path) -> None:
    config = loading.load_config("fast")
    claimed(tmp_path, config).close()
    assert settings_of_run(str(tmp_path), config) == (config, "")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["members"]["architectures"] == ["compact"]


def test_another_preset_is_another_run(tmp_path: Path) -> None:
    claimed(tmp_path, fast()).close()
    strong = loading.load_config("strong")
    assert settings_of_run(str(tmp_path), strong) == (strong, "")
    with pytest.raises(UserError, match="holds another run"):
        RunDirectory.at(str(tmp_path), strong, DATA)


def test_settings_made_in_python_of_a_preset_that_there_is_not_are_the_users(tmp_path: Path) -> None:
    claimed(tmp_path, Config(preset="mine")).close()
    assert not (tmp_path / "preset.yaml").exists()
    other = Config(preset="mine", seed=1)
    assert settings_of_run(str(tmp_path), other) == (other, "")


def test_of_a_directory_whose_preset_is_damaged_nothing_is_the_presets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(tmp_path, fast()).close()
    (tmp_path / "preset.yaml").write_text("- cut")
    preset(monkeypatch, epochs=15)
    assert settings_of_run(str(tmp_path), fast())[1] == ""


def test_a_new_directory_takes_the_settings_as_they_are(tmp_path: Path) -> None:
    config = fast()
    assert settings_of_run(str(tmp_path / "new"), config) == (config, "")
    assert not (tmp_path / "new").exists()


def test_an_added_setting_reads_as_what_was_done_before_and_its_default_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(tmp_path, Config()).close()
    for name in ("config.yaml", "preset.yaml"):  # as a release without the setting wrote them
        text = (tmp_path / name).read_text()
        assert "    ema: 0.0\n" in text
        (tmp_path / name).write_text(text.replace("    ema: 0.0\n", ""))
    monkeypatch.setattr(compatibility, "ADDED_SETTINGS", {"members.recipe.ema": 0.5})
    assert RunDirectory.existing(str(tmp_path)).config().members.recipe.ema == 0.5
    kept, reason = settings_of_run(str(tmp_path), Config())  # whose default is 0.0
    assert kept.members.recipe.ema == 0.5
    assert "the defaults have changed since: members.recipe.ema is 0.5 there, 0.0 here" in reason


def test_what_was_added_to_the_data_since_is_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(tmp_path).close()
    monkeypatch.setattr(compatibility, "ADDED_TO_DATA", {"channels": 1})
    grey = RunDirectory.at(str(tmp_path), Config(), DATA | {"channels": 1})
    assert grey.data()["channels"] == 1
    with pytest.raises(UserError, match=r"data\.channels is 1 there, 3 here"):
        RunDirectory.at(str(tmp_path), Config(), DATA | {"channels": 3})
