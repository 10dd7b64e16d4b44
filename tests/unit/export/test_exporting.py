"""What is refused before anything is converted, and what is written once it is checked."""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from report_runs import make_run

from digits_ray.errors import RunError, UserError
from digits_ray.export import export_run, exporting, formats
from digits_ray.runs import Run
from digits_ray.training.network_files import NetworkFile

PROBA = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory of a finished run of three members."""
    return make_run(tmp_path_factory.mktemp("runs") / "run", names=("a", "b", "c", "d"))


def export(run: str, output: Path, exported: np.ndarray, content: bytes = b"converted", members: str = "all") -> None:
    """Exports with converters that give these probabilities where the members give `PROBA`."""

    def convert(folder: Path, kind: formats.Format) -> tuple[np.ndarray, np.ndarray]:
        (folder / f"ensemble{kind.suffix}").write_bytes(content)
        return PROBA, exported

    program = SimpleNamespace(mean_proba=lambda images: PROBA)
    with (
        mock.patch.object(exporting, "_convert", convert),
        mock.patch.object(Run, "program_of", lambda run, member_ids: program),
        mock.patch.object(formats, "find_spec", lambda module: module),
    ):
        export_run(run, output.suffix.removeprefix("."), str(output), members)


def test_a_checked_file_is_written_and_tflite_s_metadata_beside_it(run_path: str, tmp_path: Path) -> None:
    export(run_path, tmp_path / "digits.tflite", PROBA, members="0,2")
    assert (tmp_path / "digits.tflite").read_bytes() == b"converted"
    about = json.loads((tmp_path / "digits.tflite.json").read_text())
    assert about["labels"] == ["a", "b", "c", "d"]
    assert about["members"] == [0, 2]
    assert about["image"] == {"height": 8, "width": 8, "channels": 1, "pixels": "uint8, 0 to 255"}
    assert about["drawing"] == json.loads(Path(run_path, "drawing.json").read_text())


def test_how_a_drawing_becomes_an_image_is_passed_on(run_path: str, tmp_path: Path) -> None:
    drawing = Path(run_path, "drawing.json")
    drawing.write_text('{"centring": "mass"}')
    export(run_path, tmp_path / "digits.tflite", PROBA)
    drawing.unlink()
    assert json.loads((tmp_path / "digits.tflite.json").read_text())["drawing"] == {"centring": "mass"}


def test_nothing_is_written_where_the_file_gives_other_probabilities(run_path: str, tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").write_bytes(b"of before")
    with pytest.raises(RunError, match=r"differ by 1\.0e-02"):
        export(run_path, tmp_path / "digits.onnx", PROBA + np.float32(0.01))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of before"]


def test_a_name_with_another_ending_is_refused(run_path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.h5: --format keras ends in \.keras\. Name it so\."):
        export_run(run_path, "keras", str(tmp_path / "model.h5"))


def test_a_missing_package_is_named_with_its_extra(run_path: str, tmp_path: Path) -> None:
    missing = mock.patch.object(formats, "find_spec", lambda module: None if module == "tf2onnx" else module)
    with missing, pytest.raises(UserError, match=r"no tf2onnx here\. pip install 'digits-ray\[export\]'\."):
        export_run(run_path, "onnx", str(tmp_path / "model.onnx"))


def test_a_network_that_cannot_be_converted_costs_one_line() -> None:
    code = "raise ValueError('no such operation')"
    with pytest.raises(UserError) as refused:
        exporting._run_python(["-c", code], "--format onnx: cannot be made")
    assert str(refused.value).startswith("--format onnx: cannot be made (ValueError: no such operation")
    with mock.patch.object(exporting, "registered_networks", lambda: [NetworkFile("nets.py", b"")]):
        assert exporting._cure(formats.FORMATS["keras"]).startswith("Layers of your own (nets.py) are not known")
        assert exporting._cure(formats.FORMATS["onnx"]) == "Try another --format."
    with pytest.raises(RunError, match=r"its process ended with -9"):
        exporting._run_python(["-c", "import os; os.kill(os.getpid(), 9)"], "--format onnx: cannot be made")
