"""The process that inspects a run's best network, so that a report is drawn even where it fails or memory runs out."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from digits_ray.config import Augmentation
from digits_ray.report.model_inspection import Convolution, Inspection, Layer
from digits_ray.training.network_files import registered_networks, write_networks

DEADLINE_SECONDS = 180  # of which importing a backend lasts up to 20 on a busy machine


class InspectionProcess:
    """Imports Keras and augments the image before it has a model, so it can start before one is trained. To be closed.

    No method but `result` waits for the process.
    """

    def __init__(self, image: np.ndarray, augmentation: Augmentation, backend: str) -> None:
        """Starts the process.

        Args:
            image: (height, width[, 3]) uint8.
            augmentation: Of the model's training.
            backend: Of Keras, that the model was trained on.

        Raises:
            OSError: it cannot be started.
        """
        self._folder = TemporaryDirectory()
        folder = self._folder.name
        np.savez(Path(folder, "request.npz"), image=image, augmentation=np.array(json.dumps(asdict(augmentation))))
        write_networks(Path(folder, "networks"), registered_networks())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "digits_ray.report.model_inspection", folder, backend],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ
            | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
            # There, since Python imports from its working folder first, which may hold the user's files.
            cwd=Path(__file__).parents[2],
        )

    def inspect(self, model_file: bytes) -> None:
        """Gives the process its model, a .keras archive that takes raw uint8 images."""
        Path(self._folder.name, "model.keras").write_bytes(model_file)
        assert self._process.stdin
        with suppress(BrokenPipeError):  # it has failed: `result` says how
            self._process.stdin.write(b"inspect\n")

    def result(self) -> Inspection:
        """Waits for the process, which has its model.

        Raises:
            RuntimeError: the process failed; the message says how.
        """
        try:
            _, stderr = self._process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it took more than {DEADLINE_SECONDS} s") from None
        code = self._process.returncode
        if code:
            lines = stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise RuntimeError(f"killed by signal {-code}, perhaps out of memory" if code < 0 else lines[-1])
        with np.load(Path(self._folder.name, "result.npz"), allow_pickle=False) as result:
            return _inspection({name: result[name] for name in result.files})

    def close(self) -> None:
        """Ends the process."""
        with self._process:  # closes its pipes, and waits for it
            self._process.kill()
        self._folder.cleanup()


def _inspection(result: Mapping[str, np.ndarray]) -> Inspection:
    texts = json.loads(str(result["texts"]))
    convolutions = [
        Convolution(layer["name"], result[f"filters_{number}"], result[f"maps_{number}"], layer["total"])
        for number, layer in enumerate(texts["convolutions"])
    ]
    return Inspection([Layer(**layer) for layer in texts["layers"]], convolutions, result["augmented"])
