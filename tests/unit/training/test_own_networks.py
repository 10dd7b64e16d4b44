"""A member with a network of the user's own: trained, resumed, saved, loaded."""

from collections.abc import Iterator

import keras
import numpy as np
import pytest
from factories import Kept, rows_of, same, spec_of

from digits_ray.errors import UserError
from digits_ray.training import architectures, fit, load_model, network_files
from digits_ray.training.network_files import NetworkFile, register_networks

HEAD = "import keras\nfrom keras import layers\n\n\n"
BUILD = "def build(height, width, channels, classes):\n"
PLAIN = (
    f"{HEAD}{BUILD}    return [layers.Conv2D(4, 3, activation='relu'), layers.Dropout(0.2), layers.Flatten(),\n"
    "            layers.Dense(classes, activation='softmax')]\n"
)
OWN = (
    f"{HEAD}class Scaled(layers.Layer):\n    def call(self, x):\n        return FACTOR * x\n\n\n"
    f"{BUILD}    return [Scaled(), layers.Flatten(), layers.Dense(classes, activation='softmax')]\n"
)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    network_files._registered.clear()


def architecture_of(source: str) -> str:
    file = NetworkFile("nets.py", source.encode())
    register_networks([file])
    return f"nets.py:build@{file.sha256}"


def test_an_interrupted_member_ends_with_the_numbers_of_an_undisturbed_one() -> None:
    spec = spec_of(architecture=architecture_of(PLAIN), epochs=3, ema=0.9)
    kept = Kept()
    undisturbed = fit.fit_member(spec, rows_of(), kept)
    resumed = fit.fit_member(spec, rows_of(), Kept({1: kept.states[1]}))
    assert resumed.start_epoch == 1
    assert same(resumed, undisturbed)
    assert not same(fit.fit_member(spec_of(seed=2, architecture=spec.architecture, epochs=3), rows_of()), undisturbed)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_of_keras_own_layers_is_loaded_without_the_users_file(precision: str) -> None:
    spec = spec_of(architecture=architecture_of(PLAIN), precision=precision, label_smoothing=0.1)
    result = fit.fit_member(spec, rows_of())
    network_files._registered.clear()
    images = rows_of().images[rows_of().test_index()]
    assert np.allclose(
        load_model(result.model_file).predict(images, verbose=0), result.prediction.test_proba, atol=1e-6
    )


def test_layers_of_its_own_come_from_the_file_that_was_given_and_each_from_its_own() -> None:
    images, trained = rows_of().images[rows_of().test_index()], []
    for factor in (1, 3):  # two files with a layer of the same name
        architecture = architecture_of(OWN.replace("FACTOR", str(factor)))
        trained.append(fit.fit_member(spec_of(architecture=architecture), rows_of()))
    for result in trained:
        loaded = load_model(result.model_file)
        assert np.allclose(loaded.predict(images, verbose=0), result.prediction.test_proba, atol=1e-6)
    network_files._registered.clear()
    with pytest.raises(UserError, match=r"of its own, 'Scaled'\. Give its file too: --architecture"):
        load_model(trained[0].model_file)


def test_what_a_users_code_sets_for_all_of_keras_is_as_before_afterwards() -> None:
    settings = "keras.config.set_dtype_policy('mixed_float16')\nkeras.config.set_image_data_format('channels_first')\n"
    within = "    keras.config.set_floatx('float64')\n    keras.config.set_epsilon(0.5)\n"
    source = PLAIN.replace(BUILD, settings + BUILD + within)
    architectures.build(architecture_of(source), 8, 8, 3)
    assert keras.config.dtype_policy().name == "float32"
    assert keras.config.image_data_format() == "channels_last"
    assert (keras.config.floatx(), keras.config.epsilon()) == ("float32", 1e-7)


def test_a_users_folder_is_not_searched_for_what_the_file_imports(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("")
    with pytest.raises(ModuleNotFoundError, match="beside"):
        architectures.build(architecture_of(f"import beside\n{PLAIN}"), 8, 8, 3)
