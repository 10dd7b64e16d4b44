"""How much the baselines count beside the members: weights chosen on rows that neither was trained on."""

from collections.abc import Sequence

import numpy as np

from digits_ray.ensemble import nll

WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # of a baseline, the members together being 1


def best_weights(members: np.ndarray, baselines: Sequence[np.ndarray], labels: np.ndarray) -> list[float]:
    """Adds the baselines one by one, each with the weight that makes the vote's NLL least.

    After Caruana et al. 2004, "Ensemble selection from libraries of models": greedy, and a weight of 0 leaves one out.

    Args:
        members: (rows, classes), the members' mean probabilities.
        baselines: Of each, (rows, classes).
        labels: (rows,) int.

    Returns:
        The weight of each baseline, the members together being 1.
    """
    vote, mass, weights = members.astype(np.float64), 1.0, []
    for baseline in baselines:
        losses = [nll((vote + weight * baseline) / (mass + weight), labels) for weight in WEIGHTS]
        weights.append(WEIGHTS[int(np.argmin(losses))])
        vote, mass = vote + weights[-1] * baseline, mass + weights[-1]
    return weights


def cross_fitted_weights(
    members: np.ndarray, baselines: Sequence[np.ndarray], labels: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """Chooses weights from out-of-fold predictions so that no row is scored with weights that it helped to choose.

    Args:
        members: (rows, classes), the members' mean probabilities.
        baselines: Of each, (rows, classes).
        labels: (rows,) int.
        folds: (rows,) int, at least two folds.

    Returns:
        Weights for these rows, (baselines, rows) float64, each row's from the other folds; and for new rows, from all.
    """
    by_row = np.empty((len(baselines), len(labels)))
    for fold in np.unique(folds):
        others = folds != fold
        weights = best_weights(members[others], [baseline[others] for baseline in baselines], labels[others])
        by_row[:, ~others] = np.array(weights)[:, None]
    return by_row, best_weights(members, baselines, labels)
