"""`digits-ray predict`: which file it reads, and what it writes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digits_ray import runs
from digits_ray.cli.commands.results import predict
from digits_ray.config import Config, DataConfig, SubmissionConfig
from digits_ray.errors import UserError


def run_predict(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, **facts: Any) -> Result:
    """Labels a file with an ensemble that answers with the image's first pixel."""
    (folder / "in.csv").write_text(text)
    known = {"config": Config(), "pixel_scale": 255, "member_ids": [0], "check": lambda _: None, **facts}
    ensemble = SimpleNamespace(predict=lambda images, **how: images[:, 0, 0].tolist(), **known)
    monkeypatch.setattr(runs, "load_run", lambda _: ensemble)
    arguments = ["run", "--input", str(folder / "in.csv"), "--output", str(folder / "out.csv")]
    return CliRunner().invoke(predict, arguments)


def test_ids_come_back_under_their_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        run_predict(
            tmp_path, monkeypatch, "sheet,id,pixel0\na,x7,3\nb,x9,5\n", config=Config(data=DataConfig(drop=("sheet",)))
        ).exit_code
        == 0
    )
    assert (tmp_path / "out.csv").read_text() == "id,Label\nx7,3\nx9,5\n"


def test_the_names_that_the_run_was_given_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Config(submission=SubmissionConfig(id_column="ImageId", label_column="digit"))
    run_predict(tmp_path, monkeypatch, "id,pixel0\n7,3\n", config=names)
    assert (tmp_path / "out.csv").read_text() == "ImageId,digit\n7,3\n"


def test_pixels_are_read_on_the_scale_that_the_run_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_predict(tmp_path, monkeypatch, "pixel0\n1\n0\n", pixel_scale=1)
    assert (tmp_path / "out.csv").read_text() == "ImageId,Label\n1,255\n2,0\n"


def test_a_file_on_another_scale_is_refused_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run_predict(tmp_path, monkeypatch, "pixel0\n0.5\n0\n")
    assert isinstance(refused.exception, UserError)
    assert "Write both in the same way" in str(refused.exception)
    assert not (tmp_path / "out.csv").exists()
