"""The trained models of an ensemble, by value: what predicts, wherever it is."""

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from digits_ray.training import device

PREDICT_BATCH = 512  # rows


class EnsembleModels:
    """The members' models. They pickle as their archives; Keras is loaded at the first prediction of each process."""

    def __init__(self, archives: Sequence[bytes], backend: str) -> None:
        """Keeps the archives as they are.

        Args:
            archives: .keras archives of models that take raw uint8 images.
            backend: That they were trained on; another one predicts where Keras runs on it or it alone is there.
        """
        self.archives = tuple(archives)
        self.backend = backend

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Returns the soft vote of the models.

        Args:
            images: (rows, height, width) uint8, or (rows, height, width, 3).

        Returns:
            (rows, classes) float32, rows sum to 1.
        """
        total = sum(model.predict(images, batch_size=PREDICT_BATCH, verbose=0).astype(float) for model in self._models)
        return (total / len(self._models)).astype(np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out Keras's objects, which are made again of the archives."""
        return {"archives": self.archives, "backend": self.backend}

    @cached_property
    def _models(self) -> list[Any]:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no messages of TensorFlow's start
        if "keras" not in sys.modules:  # else its backend can no longer be chosen, and any predicts alike
            with device.pin_keras(device.installed_backend(self.backend)):
                import keras  # noqa: F401
        from digits_ray.training import load_model

        return [load_model(archive) for archive in self.archives]
