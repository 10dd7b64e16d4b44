"""Exports a finished ensemble, and writes the file only once its own runtime gives what the members give."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits_ray.error_cause import cause_in_text
from digits_ray.errors import RunError, UserError
from digits_ray.export import conversion, runtimes
from digits_ray.export.agreement import Agreement, check_agreement
from digits_ray.export.check_rows import CheckRows, check_rows
from digits_ray.export.formats import FORMATS, Format
from digits_ray.export.metadata import metadata_of, metadata_text
from digits_ray.export.selection import selected_members
from digits_ray.runs import load_run
from digits_ray.storage import RunDirectory, check_output, write_file
from digits_ray.training.network_files import registered_networks, write_networks

_PROBA = "exported.npy"


@dataclass(frozen=True)
class Export:
    """What was written, and how it was checked."""

    output: str
    format: Format
    member_ids: list[int]
    size: int  # bytes
    rows_kind: str  # as `CheckRows.kind`
    agreement: Agreement


def export_run(
    run_dir: str, format_name: str, output: str, members: str = "all", architectures: Sequence[str] = ()
) -> Export:
    """Writes the mean of a run's members as one file that needs no digits_ray.

    Args:
        run_dir: The run's directory: a path or URI.
        format_name: "keras", "onnx" or "tflite".
        output: Where to write: a path or URI. Beside a .tflite file, its metadata, with .json behind the same name.
        members: "all", or ids such as "0,3,7".
        architectures: As for `load_run`.

    Raises:
        UserError: there is nothing to export, a package is missing, or the members cannot be converted.
        RunError: the exported file does not give what its members give; nothing is written.
    """
    kind = FORMATS[format_name]
    check_output(output)
    kind.check(output)
    run, directory = load_run(run_dir, architectures), RunDirectory.existing(run_dir)
    run.check_members()
    member_ids = selected_members(members, run.member_ids)
    archives = run.model_files(member_ids)
    rows = check_rows(run, directory)
    metadata = metadata_text(metadata_of(run, directory, member_ids))
    with tempfile.TemporaryDirectory() as folder:
        _write_inputs(Path(folder), archives, rows, metadata)
        rebuilt, exported = _convert(Path(folder), kind)
        predicted = run.program_of(member_ids).mean_proba(rows.images)
        agreement = check_agreement(exported, rebuilt, predicted, strict=_predicts_in_float32(archives))
        content = (Path(folder) / conversion.model_file(kind.name)).read_bytes()
    if kind.name == "tflite":
        write_file(f"{output}.json", metadata.encode())
    write_file(output, content)
    return Export(output, kind, member_ids, len(content), rows.kind, agreement)


def _write_inputs(folder: Path, archives: Sequence[bytes], rows: CheckRows, metadata: str) -> None:
    for number, archive in enumerate(archives):
        (folder / conversion.member_file(number)).write_bytes(archive)
    np.save(folder / conversion.IMAGES, rows.images)
    (folder / conversion.METADATA).write_text(metadata)
    write_networks(folder / conversion.NETWORKS, registered_networks())


def _convert(folder: Path, kind: Format) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities of the members in float32, and of the file that they were converted into."""
    _run_python(["-m", conversion.__name__, str(folder), kind.name], f"--format {kind.name}: cannot be made")
    model = str(folder / conversion.model_file(kind.name))
    files = [str(folder / conversion.IMAGES), str(folder / _PROBA)]
    what = f"--format {kind.name}: {kind.runtime} fails"
    _run_python([runtimes.__file__, kind.name, model, *files], what, _cure(kind))
    return np.load(folder / conversion.EXPECTED), np.load(folder / _PROBA)


def _cure(kind: Format) -> str:
    """Returns what to do where the file cannot be opened by its runtime."""
    names = ", ".join(file.path for file in registered_networks())
    if kind.name == "keras" and names:
        return f"Layers of your own ({names}) are not known to plain Keras: take --format onnx or tflite."
    return "Try another --format."


def _run_python(arguments: list[str], what: str, cure: str = "Try another --format.") -> None:
    """Runs this Python in a process of its own.

    Args:
        arguments: Of Python.
        what: What it does, for the message.
        cure: What to do where it raises an exception.

    Raises:
        UserError: the process raised an exception.
        RunError: it ended otherwise.
    """
    # The package is found wherever the user works, and nothing that lies there is imported (-P).
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        cause = cause_in_text(done.stderr)
        if cause is None:
            raise RunError(f"{what} (its process ended with {done.returncode}).")
        raise UserError(f"{what} ({cause}). {cure}")


def _predicts_in_float32(archives: Sequence[bytes]) -> bool:
    from digits_ray.training import is_in_float32

    return all(map(is_in_float32, archives))
