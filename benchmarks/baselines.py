"""The Kaggle notebook's loops over neighbours and forests against our searches, in turn, on the same rows.

    python benchmarks/baselines.py --train train.csv.gz [--only knn forest default]

The rows are split as the notebook splits them: 90/10, stratified, random_state=0. Our times hold everything that Ray
costs: importing and starting it, its processes, and its end.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace

import numpy as np

from digits_ray.baselines.search_plan import SearchPlan, plan_search
from digits_ray.baselines.trial_specs import baseline_specs, describe
from digits_ray.config.baselines_schema import NEIGHBORS, TREES, BaselinesConfig
from digits_ray.config.schema import Config, DataConfig
from digits_ray.data import TRAIN_ONLY, Data, combine_rows, load
from digits_ray.ensemble.metrics import score
from digits_ray.scheduling.resources import Plan, plan
from digits_ray.scheduling.session import live_nodes, ray_session
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store

HOLDOUT = 0.1


def main() -> None:
    options = parsed_options()
    data = load(DataConfig(train=options.train))
    train, held_out = notebooks_split(data)
    print(f"{len(train)} rows to train on, {len(held_out)} held out; {os.cpu_count()} cores, {load_average()}")
    loops = 0.0
    for kind in ("knn", "forest"):
        if kind in options.only:
            loops += compare(kind, data, train, held_out)
    if "default" in options.only:
        default_search(data, held_out, loops)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", required=True, help="Kaggle's train.csv or train.csv.gz")
    parser.add_argument("--only", nargs="+", choices=["knn", "forest", "default"], default=["knn", "forest", "default"])
    return parser.parse_args()


def notebooks_split(data: Data) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(data.labels))
    train, held_out = train_test_split(rows, test_size=HOLDOUT, random_state=0, stratify=data.labels)
    return train, held_out


def compare(kind: str, data: Data, train: np.ndarray, held_out: np.ndarray) -> float:
    """Prints both times, and fails unless all scores are equal; returns the loop's seconds."""
    began = time.perf_counter()
    expected = LOOPS[kind](data, train, held_out)
    loop = time.perf_counter() - began
    began = time.perf_counter()
    ours, search = our_scores(kind, data, train, held_out)
    ours_seconds = time.perf_counter() - began
    best = max(expected, key=expected.__getitem__)
    print(f"{kind}: loop {loop:.1f} s (best {best}, {expected[best]:.5f}), "
          f"ours {ours_seconds:.1f} s, {loop / ours_seconds:.1f} ×; "
          f"where Ray runs already {search:.1f} s, {loop / search:.1f} ×")  # fmt: skip
    assert ours == expected, f"{kind}: scores differ: {ours} and {expected}"
    print(f"{kind}: all {len(expected)} scores are identical ({load_average()})", flush=True)
    return loop


def knn_loop(data: Data, train: np.ndarray, held_out: np.ndarray) -> dict[int, float]:
    from sklearn.neighbors import KNeighborsClassifier

    pixels = flat(data)
    models = {k: KNeighborsClassifier(n_neighbors=k).fit(pixels[train], data.labels[train]) for k in NEIGHBORS}
    return {k: model.score(pixels[held_out], data.labels[held_out]) for k, model in models.items()}


def forest_loop(data: Data, train: np.ndarray, held_out: np.ndarray) -> dict[int, float]:
    from sklearn.ensemble import RandomForestClassifier

    pixels, scores = flat(data), {}
    for trees in TREES:
        model = RandomForestClassifier(n_estimators=trees, random_state=0).fit(pixels[train], data.labels[train])
        scores[trees] = model.score(pixels[held_out], data.labels[held_out])
    return scores


LOOPS = {"knn": knn_loop, "forest": forest_loop}


def our_scores(kind: str, data: Data, train: np.ndarray, held_out: np.ndarray) -> tuple[dict[int, float], float]:
    """Returns the scores, and the seconds without the start and end of Ray."""
    config = Config(baselines=BaselinesConfig(space="notebook"))
    specs = [spec for spec in baseline_specs(config, data, len(train)) if spec.kind == kind]
    with tempfile.TemporaryDirectory() as folder, ray_session(config.resources):
        from digits_ray.baselines.tune_search import SharedImages, TrialInputs, run_trials

        began = time.perf_counter()
        rows = combine_rows(data, np.full(len(data.labels), TRAIN_ONLY, np.int16))
        inputs = TrialInputs(SharedImages.put(rows, specs), rows.labels, train, held_out)
        records = run_trials(specs, inputs, RunDirectory(Store.at(folder)), plan_for, lambda statuses: None)
        seconds = time.perf_counter() - began
    axis = "n_neighbors" if kind == "knn" else "trees"
    points = [point for record in records.values() for point in record.points]
    return {int(point.params[axis]): point.accuracy for point in points}, seconds


def default_search(data: Data, held_out: np.ndarray, loops: float) -> None:
    """Prints the default space's winners: chosen on validation rows, refitted, scored once on the held-out rows."""
    folds = np.full(len(data.labels), TRAIN_ONLY, np.int16)
    folds[held_out] = 0
    config = Config()
    data = replace(data, test_images=data.images[:0])
    began = time.perf_counter()
    search: SearchPlan = plan_search(config, data, folds)
    with tempfile.TemporaryDirectory() as folder, ray_session(config.resources):
        from digits_ray.baselines.search import search_baselines

        run = RunDirectory(Store.at(folder))
        for outcome in search_baselines(search.specs, search, combine_rows(data, folds), run, plan_for):
            assert outcome.best and outcome.prediction
            scores = score(outcome.prediction.holdout_proba, data.labels[outcome.prediction.holdout_row_ids])
            low, high = scores.accuracy_ci95
            print(f"{outcome.spec.kind}: holdout {scores.accuracy:.5f} ({low:.5f}–{high:.5f}, n = {scores.rows}), "
                  f"validation {outcome.best.accuracy:.5f} (n = {len(search.validation)}): "
                  f"{describe(outcome.best.params)}; refit {outcome.fit_seconds:.0f} s",
                  flush=True)  # fmt: skip
    seconds = time.perf_counter() - began
    against = f", the notebook's two loops {loops:.1f} s" if loops else ""
    print(f"the default search {seconds:.1f} s{against} ({load_average()})")


def plan_for(trials: int) -> Plan:
    return plan(live_nodes(), trials, 0, "auto")


def flat(data: Data) -> np.ndarray:
    return data.images.reshape(len(data.images), -1).astype(np.float32)


def load_average() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
