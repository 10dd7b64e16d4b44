"""What an exported file says of itself: its labels, the form of its images, how a drawing becomes one."""

import json
import zipfile
from pathlib import Path
from typing import Any

from digits_ray.runs import Run
from digits_ray.storage import RunDirectory, layout
from digits_ray.version import __version__

NAME = "digits_ray.json"  # of the entry in a .keras archive
KEY = "digits_ray"  # in an ONNX file's metadata


def metadata_of(run: Run, directory: RunDirectory, member_ids: list[int]) -> dict[str, Any]:
    """Returns the metadata of these members' ensemble, plain JSON values."""
    data = directory.data()
    return {
        "made_by": f"digits_ray {__version__}",
        "members": member_ids,
        "labels": list(run.classes),  # in the order of the probabilities
        "image": {name: data[name] for name in ("height", "width", "channels")} | {"pixels": "uint8, 0 to 255"},
        "drawing": directory.read_json(layout.DRAWING),  # None: the run directory is of a release without it
    }


def add_to_keras(path: Path, text: str) -> None:
    """Adds an entry to a .keras archive, which Keras does not read."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NAME, text)


def add_to_onnx(path: Path, text: str) -> None:
    """Adds an entry to the metadata of an ONNX file."""
    import onnx

    model = onnx.load(path)
    model.metadata_props.add(key=KEY, value=text)
    onnx.save(model, path)


def metadata_text(metadata: dict[str, Any]) -> str:
    """Returns it as JSON that people can read."""
    return json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
