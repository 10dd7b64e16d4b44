"""Tries users' own networks before a run starts: in a fresh process, prepared as that of a member is.

Whatever a user's code does there ends in one line, and harms nothing.
"""

import faulthandler
import json
import os
import re
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from digits_ray.config import OwnNetwork, Recipe, config_from_dict
from digits_ray.error_cause import cause_in_text, root_cause
from digits_ray.errors import UserError
from digits_ray.training import device
from digits_ray.training.network_files import (
    read_networks,
    register_networks,
    registered_networks,
    write_networks,
)

DEADLINE_SECONDS = 300  # for all networks together; a small one takes 2 s on TensorFlow and 12 s on JAX
START_SECONDS = 120  # beside them, for the process to import a backend on a busy machine, and to end by itself
MAX_MESSAGE = 300  # characters of a user's exception; Keras lists the arguments of calls
NETWORKS, REQUEST, RESULT, TRIED, HANGING = "networks", "request.json", "result.json", "tried", "hanging"
# What Keras puts round an error in a layer.
_IN_CALL = re.compile(r"^Exception encountered when calling \S+ (.*?)( Arguments received by.*)?$")
_IN_LAYER = re.compile(r"Could not automatically infer .* Error encountered: '?(.*?)'?( Arguments received by.*)?$")
Precision = Literal["auto", "float32", "bfloat16"]
_FRAME = re.compile(r'File "(.+)", line (\d+) in (\S+)')  # of faulthandler


@dataclass(frozen=True)
class ProbeRequest:
    """What networks are tried with."""

    architectures: tuple[str, ...]  # of the user's own, with their hash
    recipe: Recipe
    shape: tuple[int, ...]  # of an image: height and width in pixels, and 3 where in colour
    num_classes: int
    threads: int = 1
    also_bfloat16: bool = False  # under precision "auto": a member may train on a GPU, which has it
    deadline_seconds: float = DEADLINE_SECONDS


def probe_networks(request: ProbeRequest) -> None:
    """Builds each network, trains it for one step, checks what it predicts, saves and loads it.

    Raises:
        UserError: one line that names the user's file and line, what is wrong, and the cure where one is known.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_networks(folder / NETWORKS, registered_networks(request.architectures))
        (folder / REQUEST).write_text(json.dumps(asdict(request)))
        ended = _run_probe(folder, request.deadline_seconds)
        if (folder / RESULT).exists():
            fault = json.loads((folder / RESULT).read_text())["fault"]
        else:
            fault = _end_of_process(folder, ended, request.deadline_seconds)
    if fault:
        raise UserError(fault)


def _run_probe(folder: Path, deadline_seconds: float) -> "subprocess.CompletedProcess[bytes] | None":
    """Returns how the process ended; None where it had to be killed."""
    command = [sys.executable, "-m", "digits_ray.training.network_probe", str(folder)]
    cwd = Path(__file__).parents[2]  # Python imports from its working folder first, which may hold the user's files
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_seconds + START_SECONDS,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            cwd=cwd,
        )
    except subprocess.TimeoutExpired:
        return None


def _end_of_process(folder: Path, ended: "subprocess.CompletedProcess[bytes] | None", deadline_seconds: float) -> str:
    """Returns what to say of a process that ended without a result."""
    tried = folder / TRIED
    network = tried.read_text() if tried.exists() else ""
    hanging = folder / HANGING
    frames = _FRAME.findall(hanging.read_text()) if hanging.exists() else []
    path = network.rpartition(":")[0]
    own = next((f"{path}:{line}, in {function}" for file, line, function in frames if file == path), network)
    if frames or ended is None:
        return (
            f"{own}: not done after {deadline_seconds:g} s. A network is to be built and trained for one step in that."
        )
    if ended.returncode < 0:
        return f"{network}: its process was ended by signal {-ended.returncode} while it was tried."
    cause = cause_in_text(ended.stderr.decode(errors="replace"))
    reason = f" ({cause})" if cause else ""
    return f"{network}: its process ended with exit code {ended.returncode} while it was tried{reason}."


# In the fresh process


def _probe_here(folder: Path) -> None:
    """Reads what to try from a folder, and writes result.json there."""
    values = json.loads((folder / REQUEST).read_text())
    recipe = config_from_dict({"members": {"recipe": values["recipe"]}}).members.recipe
    lists = {name: tuple(values[name]) for name in ("architectures", "shape")}
    request = ProbeRequest(**{**values, **lists, "recipe": recipe})
    register_networks(read_networks(folder / NETWORKS))
    device.claim(device.DeviceResources(threads=request.threads, backend=recipe.backend))
    with (folder / HANGING).open("w") as hanging:
        faulthandler.dump_traceback_later(request.deadline_seconds, exit=True, file=hanging)
        fault = next(filter(None, (_fault_of(name, request, folder) for name in request.architectures)), "")
        faulthandler.cancel_dump_traceback_later()
    (folder / RESULT).write_text(json.dumps({"fault": fault}))


def _fault_of(architecture: str, request: ProbeRequest, folder: Path) -> str:
    """Returns what is wrong with one network, with its file and line; "" where nothing is."""
    from digits_ray.training.network_checks import NetworkError, check_network  # Keras

    network = OwnNetwork.parse(architecture)
    assert network is not None
    (folder / TRIED).write_text(f"{network.path}:{network.function}")
    for precision in _precisions(request):
        recipe = replace(request.recipe, precision=precision)
        try:
            check_network(architecture, recipe, request.shape, request.num_classes)
        except NetworkError as error:
            return f"{_location(network, error)}: {error}."
        except BaseException as raised:  # a SystemExit too: nothing of the user's code may look like a success
            original = _without_failed_copy(raised)
            cure = " Or set members.recipe.precision to float32." if precision == "bfloat16" else ""
            return f"{_location(network, original)}: {_in_one_line(original)}{cure}"
    return ""


def _without_failed_copy(error: BaseException) -> BaseException:
    """Returns the original of an error of JAX's that Keras could not copy, since a tracer makes it, and not text."""
    while isinstance(error, AttributeError) and "'_error_repr'" in str(error) and error.__context__:
        error = error.__context__
    return error


def _precisions(request: ProbeRequest) -> list[Precision]:
    precision: Precision = request.recipe.precision
    if precision != "auto":
        return [precision]
    return ["float32", "bfloat16"] if request.also_bfloat16 or device.has_bfloat16() else ["float32"]


def _location(network: OwnNetwork, error: BaseException) -> str:
    """Returns the last line of the user's file that led to an error; else the one that defines the function."""
    if isinstance(error, SyntaxError) and error.filename == network.path:
        return f"{network.path}:{error.lineno}"
    frames = [
        frame
        for raised in (error, error.__cause__)
        for frame in (traceback.extract_tb(raised.__traceback__) if raised else ())
        if frame.filename == network.path
    ]
    if not frames:
        line = _first_line(network)
        return f"{network.path}:{line}, in {network.function}" if line else f"{network.path}:{network.function}"
    in_function = "" if frames[-1].name == "<module>" else f", in {frames[-1].name}"
    return f"{network.path}:{frames[-1].lineno}{in_function}"


def _first_line(network: OwnNetwork) -> int | None:
    from digits_ray.training.network_modules import first_line

    return first_line(network)


def _in_one_line(error: BaseException) -> str:
    cause = root_cause(error)
    framed = _IN_LAYER.search(cause.message) or _IN_CALL.search(cause.message)
    message = framed[1] if framed else cause.message
    shortened = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
    text = f"{cause.error_type}: {shortened}" if shortened else cause.error_type
    return text if text.endswith((".", "…", "?")) else f"{text}."


if __name__ == "__main__":
    _probe_here(Path(sys.argv[1]))
