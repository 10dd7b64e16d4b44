"""All members as one compiled program: the probabilities that each member gives by itself, in few compilations."""

import subprocess
import sys
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest

from digits_ray.training import architectures, build_program
from digits_ray.training.model_file import load_model, model_file, plain_model

KINDS = ("compact", "notebook", "compact")
CLASSES = 4


@pytest.fixture(scope="module")
def models() -> list[keras.Model]:
    """Untrained members of unlike architectures, as they are loaded from their files."""
    built = [plain_model(architectures.build(kind, 8, 8, CLASSES), 0.1 * (kind == "compact")) for kind in KINDS]
    return [load_model(model_file(model)) for model in built]


def images_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, 8, 8), dtype=np.uint8)


def by_themselves(models: list[keras.Model], images: np.ndarray) -> np.ndarray:
    return np.stack([model.predict(images, verbose=0) for model in models])


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_each_member_gives_what_it_gives_by_itself(models: list[keras.Model], rows: int) -> None:
    images, program = images_of(rows), build_program(models, batch_rows=4)
    expected = by_themselves(models, images)
    assert program.member_proba(images).shape == (3, rows, CLASSES)
    assert np.allclose(program.member_proba(images), expected, rtol=0, atol=1e-6)
    assert np.allclose(program.mean_proba(images), expected.mean(axis=0), rtol=0, atol=1e-6)
    assert (program.mean_proba(images).argmax(axis=1) == expected.mean(axis=0).argmax(axis=1)).all()


def test_the_last_batch_is_padded_to_the_length_of_the_others(models: list[keras.Model]) -> None:
    program, lengths = build_program(models, batch_rows=4), []
    run = program.run
    with mock.patch.object(program, "run", side_effect=lambda batch: lengths.append(len(batch)) or run(batch)):
        program.mean_proba(images_of(9))
        program.mean_proba(images_of(3))
        program.mean_proba(images_of(1))
    assert lengths == [4, 4, 4, 4, 1]


def test_it_is_told_how_many_rows_are_done(models: list[keras.Model]) -> None:
    told: list[int] = []
    build_program(models, batch_rows=4).mean_proba(images_of(9), told.append)
    assert told == [4, 8, 9]


def test_one_network_is_traced_once_for_all_batches(models: list[keras.Model]) -> None:
    program = build_program(models[:1], batch_rows=4)
    with mock.patch.object(type(models[0]), "call", autospec=True, side_effect=type(models[0]).call) as traced:
        program.warm_up()
        calls = traced.call_count
        program.mean_proba(images_of(9))
        assert traced.call_count == calls > 0


def test_no_images_give_no_rows(models: list[keras.Model]) -> None:
    program = build_program(models)
    assert program.member_proba(images_of(0)).shape == (3, 0, CLASSES)
    assert program.mean_proba(images_of(0)).shape == (0, CLASSES)


def test_batches_hold_fewer_images_where_these_are_larger() -> None:
    small, large = (plain_model(architectures.build("compact", side, side, 2), 0.0) for side in (28, 60))
    assert build_program([small]).batch_rows == 128
    assert build_program([large]).batch_rows == 16


ON_JAX = """
import sys
import numpy as np
from digits_ray.training import device
device.claim(device.DeviceResources(1, backend="jax"))
from digits_ray.training import build_program, load_model
with np.load(sys.argv[1]) as file:
    program = build_program([load_model(file[name].tobytes()) for name in ("0", "1", "2")], batch_rows=4)
    assert type(program).__name__ == "JaxProgram"
    program.warm_up()
    compiled = program._program._cache_size()
    assert np.allclose(program.member_proba(file["images"]), file["expected"], rtol=0, atol=1e-6)
    assert program._program._cache_size() == compiled == 3
"""


@pytest.mark.slow
def test_jax_gives_the_same_and_compiles_each_length_once(models: list[keras.Model], tmp_path: Path) -> None:
    archives = {str(number): np.frombuffer(model_file(model), np.uint8) for number, model in enumerate(models)}
    images = images_of(11)
    np.savez(tmp_path / "members.npz", images=images, expected=by_themselves(models, images), **archives)
    done = subprocess.run([sys.executable, "-c", ON_JAX, tmp_path / "members.npz"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
