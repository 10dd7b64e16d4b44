"""What `run` and `tune` take in Python: settings or a preset's name, files or arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits_ray.config import Config, DataConfig, load_config
from digits_ray.errors import UserError
from digits_ray.runs.run_arguments import config_and_arrays

ARRAYS = (np.zeros((4, 8, 8), np.uint8), np.arange(4))


def settings(config: Any, out: Any = None, **inputs: Any) -> Config:
    return config_and_arrays(config, out, inputs)[0]


def test_a_preset_s_name_is_its_settings_as_the_command_line_has_them() -> None:
    assert settings("smoke") == load_config("smoke")
    assert settings("fast", "runs/first") == load_config("fast", flags={"out": "runs/first"})


def test_a_preset_has_its_recipe_for_files_where_files_or_arrays_are_given() -> None:
    files = load_config("fast", flags={"data.train": "train.csv", "data.test": "test.csv", "split.groups": "writer"})
    assert settings("fast", train=Path("train.csv"), test="test.csv", groups="writer") == files
    assert settings("fast", train=ARRAYS) == load_config("fast", arrays=True)
    assert settings("fast", train=ARRAYS).members != settings("fast").members


def test_arrays_are_no_settings() -> None:
    config, arrays = config_and_arrays("fast", None, {"train": ARRAYS, "test": None, "groups": [1, 1, 2, 2]})
    assert config.data == DataConfig()
    assert arrays.train is ARRAYS
    assert arrays.names() == ["train", "groups"]


def test_settings_stay_as_they_are_but_for_the_paths_that_are_given_beside_them() -> None:
    config = load_config("smoke", flags={"data.train": "old.csv", "out": "runs/old", "seed": 5})
    assert settings(config) is config
    moved = settings(config, Path("runs/new"), train="new.csv")
    assert moved == load_config("smoke", flags={"data.train": "new.csv", "out": "runs/new", "seed": 5})


def test_a_file_is_not_trained_on_by_the_recipe_for_other_data() -> None:
    with pytest.raises(UserError, match=r"train='new.csv' .* Use run\('fast', train='new.csv'\), or load_config\("):
        settings(load_config("fast"), train="new.csv")
    own = Config(seed=5)
    assert settings(own, train="new.csv").members == own.members


@pytest.mark.parametrize("out", [5, False, b"runs/first"])
def test_a_run_directory_that_is_no_path_is_refused(out: Any) -> None:
    with pytest.raises(TypeError, match=r"^out=.*: a path is expected"):
        settings("fast", out)


@pytest.mark.parametrize("given", [None, {"members": 2}, 5])
def test_what_is_neither_settings_nor_a_name_is_refused_with_the_cure(given: Any) -> None:
    with pytest.raises(TypeError, match=r"a preset's name .* run\('fast'\), .* run\(load_config\(") as refusal:
        settings(given)
    assert str(refusal.value).startswith(f"config={given!r}: ")


def test_images_that_are_given_as_settings_are_shown_in_short() -> None:
    with pytest.raises(TypeError, match=r"Images are given as train=\(images, labels\)") as refusal:
        settings([list(range(1000))] * 50)
    assert len(str(refusal.value)) < 400


def test_an_unknown_preset_and_a_holdout_alone_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^preset 'fats' does not exist\. Did you mean 'fast'\?$"):
        settings("fats")
    for config in ("fast", Config()):
        with pytest.raises(UserError, match=r"^data\.holdout .* needs training images\."):
            settings(config, holdout="holdout.csv")
