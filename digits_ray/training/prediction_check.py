"""Whether what a trained network predicts are probabilities, and say anything about the rows."""

from collections.abc import Callable

import numpy as np

from digits_ray.ensemble import check_probabilities


class PredictionError(ValueError):
    """A trained network's predictions cannot be used."""


def check_predictions(proba: np.ndarray, images_at: Callable[[slice], np.ndarray]) -> None:
    """Refuses predictions that are wrong whatever the network has learnt.

    Args:
        proba: (rows, classes) that the network gave.
        images_at: Returns the images (rows, height, width) of these rows; asked only where all predictions are equal.

    Raises:
        PredictionError: they are not finite, do not sum to 1, or are the same for every row although the rows differ.
    """
    try:
        check_probabilities(proba, "predictions")
    except ValueError as error:
        raise PredictionError(str(error).removesuffix(". Pass softmax outputs, not logits")) from None
    if len(proba) < 2 or not (proba == proba[0]).all():
        return
    images = images_at(slice(None))
    if not (images == images[0]).all():
        raise PredictionError(f"predictions: the same for all {len(proba)} rows, although the images differ")
