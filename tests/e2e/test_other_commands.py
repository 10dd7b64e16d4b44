"""`--help`, `presets` and `doctor`."""

from pathlib import Path

import pytest
import yaml
from commands import digits_ray


def test_help_lists_the_commands() -> None:
    shown = digits_ray("--help")
    assert shown.returncode == 0
    assert {"run", "predict", "presets", "doctor"} <= set(shown.stdout.split())


def test_presets_lists_each_and_prints_one_that_run_can_read(tmp_path: Path) -> None:
    listed = digits_ray("presets").stdout
    assert all(name in listed for name in ("smoke", "fast", "notebook"))
    printed = digits_ray("presets", "notebook").stdout
    assert yaml.safe_load(printed)["members"]["recipe"]["schedule"] == "plateau"
    (tmp_path / "my.yaml").write_text(printed)
    assert digits_ray("presets", "nothing").returncode == 2


@pytest.mark.slow
def test_doctor_tells_the_plan_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = digits_ray("doctor", "--members", 4, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for word in ("python", "tensorflow", "CPU", "precision", "4 members", "storage"):
        assert word in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_doctor_names_what_is_missing() -> None:
    result = digits_ray("doctor", "--gpus-per-member", 8)
    assert result.returncode == 2
    assert "no GPU was found" in result.stderr
