"""Fits of the estimator without Ray and Keras: members in numpy, trained in the test's own process."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy_fit

from digits_ray.config import Config, member_specs
from digits_ray.data import Data, combine_rows, split
from digits_ray.estimator.training import TrainedEnsemble


@dataclass(frozen=True, eq=False)
class NumpyModels:
    """Members of `numpy_fit`, which predict as `EnsembleModels` do."""

    weights: tuple[np.ndarray, ...]  # (pixels, classes) each

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """(rows, classes) float32."""
        pixels = images.reshape(len(images), -1) / 255.0
        return np.mean([numpy_fit.softmax(pixels @ each) for each in self.weights], axis=0).astype(np.float32)


def train(config: Config, data: Data, labels: np.ndarray) -> TrainedEnsemble:
    """Takes and returns what the estimator's own `train` does."""
    rows = combine_rows(data, split(data, config.split, config.seed))
    fit = numpy_fit.prepare_instant_fit(None)
    files = [fit(spec, rows, None, lambda progress: None).model_file for spec in member_specs(config)]
    return TrainedEnsemble(NumpyModels(tuple(map(_weights, files))), {})  # type: ignore[arg-type]


def _weights(model_file: bytes) -> np.ndarray:
    with np.load(BytesIO(model_file), allow_pickle=False) as saved:
        return saved["weights"]
