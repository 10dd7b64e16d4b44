"""`digits-ray predict`: which file it reads, and what it writes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from report_runs import make_run

from digits_ray import runs
from digits_ray.cli.commands.results import predict
from digits_ray.cli.main import main
from digits_ray.config import Config, DataConfig, SubmissionConfig
from digits_ray.errors import UserError
from digits_ray.runs.held_out import HeldOutRows, Votes


def run_predict(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, *options: str, **facts: Any) -> Result:
    """Labels a file with an ensemble that answers with the image's first pixel."""
    (folder / "in.csv").write_text(text)
    known = {
        "config": Config(),
        "pixel_scale": 255,
        "member_ids": [0],
        "image_shape": (1, 1),
        "check": lambda _: None,
        **facts,
    }
    ensemble = SimpleNamespace(predict=lambda images, **how: images[:, 0, 0].tolist(), **known)
    monkeypatch.setattr(runs, "load_run", lambda path, architectures: ensemble)
    arguments = ["run", "--input", str(folder / "in.csv"), "--output", str(folder / "out.csv"), *options]
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


@pytest.mark.parametrize(
    ("shape", "words"),
    [((1, 1, 3), "colour. Use colour alone or grey alone"), ((4, 4), "Use images of one size in both")],
)
def test_images_of_another_kind_are_refused_by_the_name_of_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], words: str
) -> None:
    refused = run_predict(tmp_path, monkeypatch, "pixel0\n5\n", image_shape=shape)
    assert str(refused.exception).startswith(f"{tmp_path / 'in.csv'}: images of 1 × 1 pixels, but run has ")
    assert words in str(refused.exception)


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("pixel0\n1\n")
    (tmp_path / "out.csv").symlink_to(tmp_path / "in.csv")
    arguments = ["no-run", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]
    refused = CliRunner().invoke(predict, arguments)
    assert "is the file of --input" in str(refused.exception)  # and nothing was read: there is no such run
    assert (tmp_path / "in.csv").read_text() == "pixel0\n1\n"


# What a decision needs

HELD_OUT = HeldOutRows(
    np.array([[0.9, 0.1]] * 300, np.float32), np.zeros(300, int), np.zeros(300, np.int16), by_those_that_predict=True
)
PROBA = np.array([[0.95, 0.05], [0.5, 0.5]], np.float32)
SURE = {"held_out": HELD_OUT, "votes": lambda images, **how: Votes(PROBA, PROBA[None]), "classes": ("a", "b")}


def test_without_options_the_file_is_what_it_always_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_predict(tmp_path, monkeypatch, "id,pixel0\nx7,3\nx9,5\n")
    assert (tmp_path / "out.csv").read_bytes() == b"id,Label\nx7,3\nx9,5\n"
    assert done.output == f"{tmp_path / 'out.csv'}: 2 labels by 1 members.\n"


def test_all_options_add_their_columns_behind_the_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--proba", "--sets", "0.99", "--abstain", "0.98"]
    done = run_predict(tmp_path, monkeypatch, "pixel0\n3\n5\n", *options, **SURE)
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "out.csv").read_text() == (
        'ImageId,Label,proba_a,proba_b,set\n1,a,0.95,0.05,"[""a""]"\n2,,0.5,0.5,"[""a""]"\n'
    )
    assert [line.split(":")[0] for line in done.output.splitlines()[1:]] == ["Sets", "Blank"]


def test_no_column_has_a_name_that_ids_or_labels_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Config(data=DataConfig(id="proba_a"), submission=SubmissionConfig(label_column="set"))
    options, file = ["--proba", "--sets", "0.9"], "proba_a,pixel0\n7,3\n8,5\n"
    run_predict(tmp_path, monkeypatch, file, *options, **SURE, config=names)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "proba_a,set,proba_a_,proba_b,set_"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sets", "99", "prediction sets at level 99: a level lies between 0 and 1. For 99 % give 0.99."),
        ("--sets", "nan", "prediction sets at level nan: a level lies between 0 and 1. For 99 % give 0.99."),
        ("--sets", "0.99", "they take 99 held-out rows, and there are 24. 0.96 is the highest level for so many."),
        ("--sets", "many", "Invalid value for '--sets': 'many' is not a valid float. See `digits-ray predict --help`."),
        ("--abstain", "0", "abstaining below accuracy 0: it lies between 0 and 1. For 99.9 % give 0.999."),
        ("--abstain", "0.999", "the 24 held-out rows show it at no confidence (one-sided 95 % bound), 0."),
    ],
)
def test_a_value_that_cannot_be_met_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    run, output = make_run(tmp_path / "run", models=False, baselines=False), tmp_path / "out.csv"
    with pytest.raises(SystemExit) as ended:
        main(["predict", run, "--input", str(tmp_path / "never_read.csv"), "--output", str(output), option, value])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and message in told and told.count("\n") == 1
    assert not output.exists()


def test_a_cluster_s_address_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def predict_on(images: Any, *, address: str | None, on_rows: Any) -> list[int]:
        asked.append(address)
        return [0] * len(images)

    ensemble = SimpleNamespace(
        predict=predict_on,
        config=Config(),
        pixel_scale=255,
        member_ids=[0],
        image_shape=(1, 1),
        check=lambda images: None,
    )
    monkeypatch.setattr(runs, "load_run", lambda path, architectures: ensemble)
    (tmp_path / "in.csv").write_text("pixel0\n3\n")
    arguments = ["run", "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]
    for more in ([], ["--address", "10.0.0.1:6379"]):
        assert CliRunner().invoke(predict, [*arguments, *more]).exit_code == 0
    assert asked == [None, "10.0.0.1:6379"]
