"""Run directories that follow the contract, made in moments from invented predictions."""

import time
from dataclasses import asdict, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from digits_ray import data as datasets
from digits_ray.config import MemberSpec, loading, member_specs
from digits_ray.data import Data
from digits_ray.ensemble.metrics import score
from digits_ray.ensemble.predictions import MemberFailure, MemberResult, Prediction
from digits_ray.runs.inputs import RunInputs
from digits_ray.runs.result_files import ResultFiles
from digits_ray.runs.state import RunState
from digits_ray.storage.file_formats import prediction_bytes
from digits_ray.storage.run_directory import RunDirectory

BASELINE_TRIALS = {
    "knn": "n_neighbors,weights,pca,state,accuracy,nll,seconds,error\n"
    + "".join(
        f"{k},{weights},{pca},done,{0.9 - 0.004 * k + 0.01 * (weights == 'distance') - 0.0004 * pca:.4f},0.3,1.2,\n"
        for k in (1, 3, 5, 9)
        for weights in ("distance", "uniform")  # the winner stands first
        for pca in (0, 25, 50)
    ),
    "tree": "deskew,min_samples_leaf,state,accuracy,nll,seconds,error\n"
    "True,1,done,0.85,1.2,0.4,\nFalse,1,done,0.83,1.3,0.4,\n",
    "forest": "kind,trees,state,accuracy,nll,seconds,error\n"
    + "".join(
        f"{kind},{trees},done,{0.94 - 0.3 / trees - 0.01 * (kind == 'random_forest'):.4f},0.2,3.0,\n"
        for trees in (500, 200, 50, 10)
        for kind in ("extra_trees", "random_forest")
    )
    + "extra_trees,,failed,,,,out of memory\n",
}


def make_run(
    place: Path,
    classes: int = 4,
    side: int = 8,
    members: int = 3,
    labelled: int = 240,
    test: int = 30,
    skill: float = 1.2,
    names: tuple[str, ...] | None = None,
    failed: int | None = None,
    finished: int | None = None,
    baselines: bool = True,
    epochs: int = 4,
    models: bool = True,
    colour: bool = False,
    test_labels: bool = False,
    **flags: Any,
) -> str:
    """Writes a run directory.

    Args:
        place: Where.
        classes: Number of classes.
        side: Pixels of the images' side.
        members: How many the configuration asks for.
        labelled: Labelled rows.
        test: Test rows.
        skill: How much better than chance the members are.
        names: The classes' labels; 0, 1, … without them.
        failed: A member that was given up.
        finished: How many members are finished; the run stopped half way when these are not all.
        baselines: Whether there are any.
        epochs: Of each member's history.
        models: Whether the model files are real ones, which takes TensorFlow.
        colour: Whether the images have three channels.
        test_labels: Whether the test rows have labels.
        **flags: More settings, with "__" for the dots.

    Returns:
        Its path.
    """
    data = _data(classes, side, labelled, test, names)
    if test_labels:
        data = replace(data, test_labels=(np.arange(test) % classes).astype(np.int32))
    state = state_at(place, members, _in_colour(data) if colour else data, **flags)
    _fill(state, skill, epochs, failed, members if finished is None else finished, baselines, models)
    state.directory.close()
    return str(place)


def state_at(place: Path, members: int, data: Data | None = None, **flags: Any) -> RunState:
    """Begins a run that has no member yet. Arguments as for `make_run`."""
    data = data or _data(4, 8, 240, 30, None)
    more = {key.replace("__", "."): value for key, value in flags.items()}
    config = loading.load_config("fast", flags={"out": str(place), "members.count": members, **more})
    folds = datasets.split(data, config.split, config.seed)
    inputs = RunInputs(config, data, folds, member_specs(config), search=None)
    state = RunState(RunDirectory.at(str(place), config, inputs.fingerprint()), inputs, time.monotonic())
    state.claim(print)
    return state


def _fill(
    state: RunState, skill: float, epochs: int, failed: int | None, finished: int, baselines: bool, models: bool
) -> None:
    for spec in state.inputs.specs[:finished]:
        if spec.member_id == failed:
            state.record_failure(MemberFailure(failed, "ResourceExhaustedError", "out of memory <GPU 0>", 3))
        else:
            state.write_member(invented_result(state, spec, skill, epochs, models))
    for spec in state.inputs.refit_specs:
        if spec.member_id in state.records:
            state.write_refit(invented_result(state, spec, skill, epochs, models))
    if baselines and finished:
        _baselines(state, skill)
    if state.records:
        ResultFiles(state).write(final=finished == len(state.inputs.specs))


def _data(classes: int, side: int, labelled: int, test: int, names: tuple[str, ...] | None) -> Data:
    rng = np.random.default_rng(0)
    labels = (np.arange(labelled + test) % classes).astype(np.int32)
    images = rng.integers(0, 40, (labelled + test, side, side), dtype=np.uint8)
    for row, label in enumerate(labels):  # a stroke whose slope shows the class
        reach = np.arange(side)
        images[row, np.clip((reach * (label + 1) / classes).astype(int), 0, side - 1), reach] = rng.integers(
            150, 256, side
        )
    test_images = images[labelled:]
    return Data(
        images[:labelled], labels[:labelled], names or tuple(range(classes)), test_images, "train.csv", "test.csv"
    )


def _in_colour(data: Data) -> Data:
    """The same images in blue on yellow."""
    colours = (np.stack([255 - grey, 255 - grey, grey], axis=-1) for grey in (data.images, data.test_images))
    images, test_images = colours
    return replace(data, images=images, test_images=test_images)


def invented_result(
    state: RunState, spec: MemberSpec, skill: float = 1.2, epochs: int = 4, models: bool = False
) -> MemberResult:
    """What came of a member that was never trained."""
    history = [
        {"accuracy": 1 - 0.5 / (epoch + spec.member_id / 30), "loss": 2.0 / epoch + spec.seed % 7 / 50,
         "learning_rate": 0.002 / epoch, "seconds": 1.5}
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    shape = state.inputs.data.images.shape[1:]
    model = tiny_model(shape, len(state.inputs.data.classes)) if models else b"no model"
    seed = spec.seed + spec.is_refit
    return MemberResult(
        spec.member_id, _prediction(state, seed, spec.fold, skill, f"member-{spec.member_id:03d}"), history,
        model, 1.5 * epochs, 900.0 + spec.member_id, "float32", "cpu",
        attempts=1 + (spec.member_id == 1),
    )  # fmt: skip


def _prediction(state: RunState, seed: int, fold: int, skill: float, name: str) -> Prediction:
    data, rows = state.inputs.data, np.flatnonzero(state.inputs.folds == fold)
    truth = np.arange(len(data.test_images)) % len(data.classes)
    proba = lambda labels, draw: invented_proba(labels, len(data.classes), skill, draw)  # noqa: E731
    return Prediction(name, rows, proba(data.labels[rows], seed), np.arange(len(truth)), proba(truth, seed + 1))


def invented_proba(labels: np.ndarray, classes: int, skill: float, seed: int) -> np.ndarray:
    """Probabilities (rows, classes) of a model of some skill; rows that are hard are so for every model."""
    hard = np.random.default_rng(99).normal(0, 1.4, (len(labels), classes))
    logits = hard + np.random.default_rng(seed).normal(0, 1.0, (len(labels), classes))
    logits[np.arange(len(labels)), labels] += 2 * skill
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)


def _baselines(state: RunState, skill: float) -> None:
    for number, (name, trials) in enumerate(BASELINE_TRIALS.items()):
        prediction = _prediction(state, 500 + number, 0, skill * 0.6, name)
        rows = prediction.holdout_row_ids
        scores = asdict(score(prediction.holdout_proba, state.inputs.data.labels[rows])) if len(rows) else None
        store = state.directory.store
        store.write(f"baselines/{name}/trials.csv", trials.encode())
        store.write(f"baselines/{name}/predictions.npz", prediction_bytes(prediction))
        state.directory.write_json(f"baselines/{name}/result.json", {"best": {}, "holdout": scores})


@cache
def tiny_model(shape: tuple[int, ...], classes: int) -> bytes:
    """A .keras archive of the same outer layers as a member's."""
    import keras

    with_channels = shape if len(shape) == 3 else (*shape, 1)
    body = keras.Sequential(
        [
            keras.Input(with_channels),
            keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="first"),
            keras.layers.Conv2D(20, 3, padding="same", activation="relu", name="second"),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax", name="probabilities"),
        ],
        name="compact",
    )
    scale = keras.layers.Rescaling(1 / 255)
    reshape = [] if len(shape) == 3 else [keras.layers.Reshape(with_channels)]
    whole = keras.Sequential([keras.Input(shape, dtype="uint8"), *reshape, scale, body])
    with TemporaryDirectory() as folder:
        whole.save(Path(folder) / "model.keras")
        return (Path(folder) / "model.keras").read_bytes()


def arrays_of(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
