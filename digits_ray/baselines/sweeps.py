"""What one trial does, and the model that its best point stands for. Plain scikit-learn, no Ray.

Each part of scikit-learn is imported where it is used: a search for neighbours has no use for forests, and a process
that starts pays for every import.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.baselines.trials import Kind, TrialSpec
from digits_ray.ensemble import nll


@dataclass(frozen=True)
class Part:
    """Rows that a model is trained on, and rows that it is asked about."""

    images: np.ndarray  # (rows, height, width) uint8, deskewed where the trial wants it
    labels: np.ndarray  # (rows,) int32
    queries: np.ndarray  # (queries, height, width) uint8, alike


@dataclass(frozen=True)
class Point:
    """One configuration's score on the validation rows."""

    params: dict[str, Any]  # the trial's, and this point's of the swept axes
    accuracy: float
    nll: float  # nats per row
    seconds: float  # since the trial began


def sweep(spec: TrialSpec, part: Part, truth: np.ndarray, threads: int) -> Iterator[Point]:
    """Yields the score of every point of a trial's cheap axis, in the axis's order.

    Args:
        spec: The trial.
        part: The rows to train on, and the validation rows as queries.
        truth: (queries,) int32, the labels of the validation rows.
        threads: That the trial may use.
    """
    started = time.monotonic()
    for swept, proba in _SWEEPS[spec.kind](spec, part, threads):
        accuracy = float((proba.argmax(axis=1) == truth).mean())
        params = {**spec.params, **swept}
        yield Point(params, accuracy, abs(nll(proba, truth)), time.monotonic() - started)


def fit_predict(kind: Kind, params: Mapping[str, Any], seed: int, part: Part, threads: int) -> np.ndarray:
    """Fits one configuration and returns its probabilities for the queries, (queries, classes) float32."""
    features, queries = _features(part, params.get("pca", 0))
    if len(queries) == 0:
        return np.empty((0, int(part.labels.max()) + 1), np.float32)
    model = _model(kind, params, seed, threads).fit(features, part.labels)
    return model.predict_proba(queries).astype(np.float32)


def _sweep_knn(spec: TrialSpec, part: Part, threads: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    from digits_ray.baselines.neighbours import every_k

    features, queries = _features(part, spec.params["pca"])
    ks, weights = spec.sweep["n_neighbors"], spec.sweep["weights"]
    for point in every_k(features, part.labels, queries, spec.params["metric"], ks, weights):
        yield {"n_neighbors": point.n_neighbors, "weights": point.weights}, point.proba


def _sweep_tree(spec: TrialSpec, part: Part, threads: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    yield {}, fit_predict("tree", spec.params, spec.seed, part, threads)


def _sweep_forest(spec: TrialSpec, part: Part, threads: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Grows one forest and scores it at each size.

    Warm start draws the trees' seeds so that they are those of a forest grown at once (`BaseForest.fit`). Their votes
    are added up one by one in the order of `predict_proba` with one job.
    """
    features, queries = _features(part, 0)
    smallest = min(spec.sweep["trees"])
    model = _model("forest", {**spec.params, "trees": smallest}, spec.seed, threads).set_params(warm_start=True)
    total: Any = 0.0  # (queries, classes) float64
    for trees in spec.sweep["trees"]:
        grown = len(getattr(model, "estimators_", ()))
        model.set_params(n_estimators=trees).fit(features, part.labels)
        for tree in model.estimators_[grown:]:
            total = total + tree.predict_proba(queries, check_input=False)
        yield {"trees": trees}, total / trees


_SWEEPS = {"knn": _sweep_knn, "tree": _sweep_tree, "forest": _sweep_forest}


def _model(kind: Kind, params: Mapping[str, Any], seed: int, threads: int) -> Any:
    if kind == "knn":
        from sklearn.neighbors import KNeighborsClassifier

        wanted = ("n_neighbors", "weights", "metric")
        return KNeighborsClassifier(algorithm="brute", **{name: params[name] for name in wanted})
    if kind == "tree":
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(min_samples_leaf=params["min_samples_leaf"], random_state=seed)
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    forest = RandomForestClassifier if params["kind"] == "random_forest" else ExtraTreesClassifier
    return forest(
        n_estimators=params["trees"],
        max_features=params["max_features"],
        min_samples_leaf=params["min_samples_leaf"],
        random_state=seed,
        n_jobs=threads,
    )


def _features(part: Part, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and queries as (rows, features) float32: whole-number pixels, or what PCA makes of them.

    Distances of whole numbers are exact, so that a tie is a tie.
    """
    rows, queries = (array.reshape(len(array), -1).astype(np.float32) for array in (part.images, part.queries))
    if not dimensions:
        return rows, queries
    from sklearn.decomposition import PCA

    pca = PCA(dimensions, svd_solver="covariance_eigh").fit(rows)
    return pca.transform(rows), pca.transform(queries) if len(queries) else queries
