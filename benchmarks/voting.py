"""Ways to combine a finished run's members, against the plain mean that digits_ray takes.

    python benchmarks/voting.py RUN_DIR [--parts 5] [--rounds 20]

What has to be fitted (a temperature, a selection) is fitted on some of the held-out rows and scored on the others, so
that every row is scored by a fit that did not see it; `--rounds` repeats that with other parts. The selection is greedy
and with replacement, by NLL (Caruana et al. 2004, "Ensemble selection from libraries of models"); a temperature divides
the logarithm of the mean's probabilities (Guo et al. 2017, arXiv:1706.04599).
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import StratifiedKFold

from digits_ray.config import member_specs
from digits_ray.data import load
from digits_ray.ensemble.metrics import ece, nll
from digits_ray.errors import UserError
from digits_ray.storage.run_directory import RunDirectory

ROUNDS_OF_SELECTION = 20
FLOOR = 1e-7

Rule = Callable[[np.ndarray], np.ndarray]  # (members, rows, classes) → (rows, classes), rows sum to 1
Fit = Callable[[np.ndarray, np.ndarray], Rule]  # from probabilities and labels (rows,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir")
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    members, labels = held_out(args.run_dir)
    print(f"{len(members)} members, {len(labels):,} held-out rows, {args.rounds} rounds of {args.parts} parts\n")
    print("| rule | errors | NLL | calibration error |")
    print("|---|---|---|---|")
    for name, fit in FITS.items():
        scored = [cross_fitted(fit, members, labels, args.parts, seed) for seed in range(args.rounds)]
        errors = np.mean([(proba.argmax(1) != labels).sum() for proba in scored])
        losses = [nll(proba, labels) for proba in scored]
        gaps = [ece(proba, labels) for proba in scored]
        print(f"| {name} | {errors:.1f} | {np.mean(losses):.4f} | {np.mean(gaps):.4f} |")


def held_out(run_dir: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the members' probabilities (members, rows, classes) float64 and the labels (rows,)."""
    run = RunDirectory.existing(run_dir)
    config = run.config()
    if config.split.scheme != "holdout":
        raise UserError(f"{run_dir}: its members were scored on different rows. Give a run with a holdout.")
    found = [run.members.prediction(spec.member_id) for spec in member_specs(config) if run.members.result(spec)]
    return np.stack([one.holdout_proba for one in found]).astype(float), load(config.data).labels[
        found[0].holdout_row_ids
    ]


def cross_fitted(fit: Fit, members: np.ndarray, labels: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Returns (rows, classes): each row combined by a rule that was fitted on the other parts."""
    proba = np.empty(members.shape[1:])
    for fitted, scored in StratifiedKFold(parts, shuffle=True, random_state=seed).split(labels, labels):
        proba[scored] = fit(members[:, fitted], labels[fitted])(members[:, scored])
    return proba


def mean(proba: np.ndarray) -> np.ndarray:
    return proba.mean(axis=0)


def log_mean(proba: np.ndarray) -> np.ndarray:
    return _softmax(np.log(proba.clip(FLOOR)).mean(axis=0))


def temperature(proba: np.ndarray, labels: np.ndarray) -> Rule:
    def cooled(proba: np.ndarray, divisor: float) -> np.ndarray:
        return _softmax(np.log(mean(proba).clip(FLOOR)) / divisor)

    best = minimize_scalar(lambda log: nll(cooled(proba, np.exp(log)), labels), bounds=(-3, 3), method="bounded")
    return lambda others: cooled(others, np.exp(best.x))


def selection(proba: np.ndarray, labels: np.ndarray) -> Rule:
    chosen: list[int] = []
    for _ in range(ROUNDS_OF_SELECTION):
        losses = [nll(mean(proba[[*chosen, number]]), labels) for number in range(len(proba))]
        chosen.append(int(np.argmin(losses)))
    return lambda others: mean(others[chosen])


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


FITS: dict[str, Fit] = {
    "mean": lambda proba, labels: mean,
    "mean of the logarithms": lambda proba, labels: log_mean,
    "mean, cooled by a temperature": temperature,
    "greedy selection": selection,
}


if __name__ == "__main__":
    main()
