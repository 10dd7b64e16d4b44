"""The trained models of an ensemble, by value: what predicts, wherever it is."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.runs.keras_models import build_program
from digits_ray.training.network_files import NetworkFile, register_networks

if TYPE_CHECKING:
    from digits_ray.training import EnsembleProgram


class EnsembleModels:
    """The members' models. They pickle as their archives; Keras is loaded at the first prediction of each process."""

    def __init__(self, archives: Sequence[bytes], backend: str, networks: Sequence[NetworkFile] = ()) -> None:
        """Keeps the archives as they are.

        Args:
            archives: .keras archives of models that take raw uint8 images.
            backend: That they were trained on; another one predicts where Keras runs on it or it alone is there.
            networks: The files of users' own networks among them, whose layers may be needed. A pickle may hold code.
        """
        self.archives = tuple(archives)
        self.backend = backend
        self.networks = tuple(networks)

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Returns the soft vote of the models.

        Args:
            images: (rows, height, width) uint8, or (rows, height, width, 3).

        Returns:
            (rows, classes) float32, rows sum to 1.
        """
        return self._program.mean_proba(images)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out Keras's objects, which are made again of the archives."""
        return {"archives": self.archives, "backend": self.backend, "networks": self.networks}

    @cached_property
    def _program(self) -> "EnsembleProgram":
        register_networks(self.networks)
        return build_program(self.archives, self.backend)
