"""What is said of a user's own network that cannot be trained: one line, with the user's file and line."""

import re
from pathlib import Path

import pytest

from digits_ray.config import Recipe
from digits_ray.errors import UserError
from digits_ray.training.network_files import NetworkFile, register_networks
from digits_ray.training.network_probe import ProbeRequest, _fault_of, _without_failed_copy, probe_networks

HEAD = """\
import keras
from keras import layers, ops

"""  # so that line 4 is the first of each case
SOFTMAX = "layers.Dense(classes, activation='softmax')"
BUILD = "def build(height, width, channels, classes):\n"
INPUTS = f"{BUILD}    inputs = keras.Input((height, width, channels))\n"
LAYER = "class Own(layers.Layer):\n    def __init__(self, size, **kwargs):\n        super().__init__(**kwargs)\n"

BAD = {
    "logits": (f"{BUILD}    return [layers.Flatten(), layers.Dense(classes)]", "4, in build", "Add a softmax"),
    "a sigmoid": (
        f"{BUILD}    return [layers.Flatten(), layers.Dense(classes, activation='sigmoid')]",
        "4, in build",
        "not to 1. Add a softmax",
    ),
    "sums to 1 with negative outputs": (
        f"{INPUTS}    x = layers.Dense(classes)(layers.Flatten()(inputs))\n"
        "    return keras.Model(inputs, x - ops.mean(x, axis=1, keepdims=True) + 1 / classes)",
        "4, in build",
        "no probabilities",
    ),
    "three channels": (
        f"{BUILD}    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), {SOFTMAX}])",
        "4, in build",
        "takes inputs of 8 × 8 × 3, the images have 8 × 8 × 1",
    ),
    "another size": (
        f"{BUILD}    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), {SOFTMAX}])",
        "4, in build",
        "takes inputs of 28 × 28 × 1",
    ),
    "flat images": (
        f"{BUILD}    return keras.Sequential([keras.Input((784,)), {SOFTMAX}])",
        "4, in build",
        "takes inputs of 784",
    ),
    "a batch size": (
        f"{BUILD}    return keras.Sequential([keras.Input(batch_shape=(4, 8, 8, 1)), layers.Flatten(), {SOFTMAX}])",
        "4, in build",
        "takes batches of 4 images",
    ),
    "an error of its own": (f"{BUILD}    raise RuntimeError('no such thing')", "5, in build", "RuntimeError: no such"),
    "an error in a helper": (
        f"def half(x):\n    return x / 0\n{BUILD}    return half(height)",
        "5, in half",
        "ZeroDivisionError: division by zero",
    ),
    "an error at the top": ("import no_such_library", "4", "No module named 'no_such_library'"),
    "a file beside it": ("from my_layers import Block", "4", "No module named 'my_layers'"),
    "an exit": ("import sys\nsys.exit('enough')", "5", "SystemExit: enough"),
    "input": ("name = input()", "4", "Error"),
    "no such function": ("def biuld():\n    pass", "", "no function 'build'. Did you mean 'biuld'"),
    "no function at all": ("build = 3", "", "'build' is no function, but a value of type int"),
    "an empty file": ("", "", "no function 'build'. The file defines none"),
    "a model instead of a function": (
        f"classes = 3\nbuild = keras.Sequential([layers.Flatten(), {SOFTMAX}])",
        "",
        "'build' is no function, but a value of type keras",
    ),
    "noise outside of training": (
        f"{LAYER}    def call(self, x):\n        return x + keras.random.normal(ops.shape(x))\n"
        f"{BUILD}    return [Own(3), layers.Flatten(), {SOFTMAX}]",
        "",
        "draw at random outside of training",
    ),
    "an object of its own": (
        f"class Net:\n    pass\n{BUILD}    return Net()",
        "6, in build",
        "returns a value of type Net. Return Keras layers",
    ),
    "no arguments": ("def build():\n    return []", "4, in build", "takes (), but is called with (height, width"),
    "other arguments": (
        "def build(shape, classes):\n    return []",
        "4, in build",
        "takes (shape, classes), but is called with (height, width, channels, classes)",
    ),
    "nothing returned": (f"{BUILD}    layers.Flatten()", "4, in build", "returns None. Return Keras layers"),
    "no layers": (f"{BUILD}    return []", "4, in build", "returns no layer"),
    "an array": (f"{BUILD}    return ops.ones(3)", "4, in build", "Return Keras layers"),
    "a text": (f"{BUILD}    return 'compact'", "4, in build", "returns a value of type str"),
    "a class": (f"{BUILD}    return keras.Sequential", "4, in build", "returns a class"),
    "a tensor": (f"{INPUTS}    return {SOFTMAX}(layers.Flatten()(inputs))", "4, in build", "Return the model"),
    "a function among layers": (
        f"{BUILD}    return [layers.Flatten(), ops.relu, {SOFTMAX}]",
        "4, in build",
        "returns a value of type function among its layers",
    ),
    "a coroutine": (f"async {BUILD}    return []", "4, in build", "returns a value of type coroutine"),
    "too few outputs": (
        f"{BUILD}    return [layers.Flatten(), layers.Dense(10, activation='softmax')]",
        "4, in build",
        "gives 10 outputs for 3 classes",
    ),
    "one output for a yes or no": (
        f"{BUILD}    return [layers.Flatten(), layers.Dense(1, activation='sigmoid')]",
        "4, in build",
        "gives 1 output for 3 classes",
    ),
    "not flattened": (f"{BUILD}    return [layers.Conv2D(4, 3), {SOFTMAX}]", "4, in build", "gives 6 × 6 × 3 outputs"),
    "two inputs": (
        f"{INPUTS}    other = keras.Input((8,))\n    both = layers.Concatenate()([layers.Flatten()(inputs), other])\n"
        f"    return keras.Model([inputs, other], {SOFTMAX}(both))",
        "4, in build",
        "has 2 inputs",
    ),
    "two outputs": (
        f"{INPUTS}    flat = layers.Flatten()(inputs)\n"
        f"    return keras.Model(inputs, [{SOFTMAX}(flat), layers.Dense(1)(flat)])",
        "4, in build",
        "has 2 outputs",
    ),
    "too small images": (
        f"{BUILD}    return [layers.Conv2D(4, 9), layers.Flatten(), {SOFTMAX}]",
        "4, in build",
        "ValueError: ",
    ),
    "an error when called": (
        f"{LAYER}    def call(self, x):\n        return x.no_such_attribute\n{BUILD}"
        f"    return [Own(3), layers.Flatten(), {SOFTMAX}]",
        "8, in call",
        "no_such_attribute",
    ),
    "a lambda": (
        f"{BUILD}    return [layers.Lambda(lambda x: 2 * x), layers.Flatten(), {SOFTMAX}]",
        "4, in build",
        "a Python lambda, which cannot be loaded safely",
    ),
    "a model without get_config": (
        "class build(keras.Model):\n    def __init__(self, height, width, channels, classes):\n"
        f"        super().__init__()\n        self.flat, self.head = layers.Flatten(), {SOFTMAX}\n"
        "    def call(self, x):\n        return self.head(self.flat(x))",
        "4, in build",
        "Give it a get_config that returns the arguments of its __init__",
    ),
    "a get_config that raises": (
        f"{LAYER}        self.square = ops.square if size else None\n"
        "    def get_config(self):\n        raise NotImplementedError\n    def call(self, x):\n        return x\n"
        f"{BUILD}    return [Own(3), layers.Flatten(), {SOFTMAX}]",
        "9, in get_config",
        "cannot be saved",
    ),
    "an argument that get_config forgets": (
        f"{LAYER}        self.size = size\n    def get_config(self):\n        return layers.Layer.get_config(self)\n"
        f"    def call(self, x):\n        return x\n{BUILD}    return [Own(3), layers.Flatten(), {SOFTMAX}]",
        "",
        "cannot be saved and loaded (TypeError",
    ),
    "infinite outputs": (
        f"{INPUTS}    x = {SOFTMAX}(layers.Flatten()(inputs))\n    return keras.Model(inputs, x / ops.sum(inputs * 0))",
        "4, in build",
        "its outputs are infinite",
    ),
    "NaNs of a plain image": (
        f"{INPUTS}    x = inputs / ops.std(inputs, axis=(1, 2, 3), keepdims=True)\n"
        f"    return keras.Model(inputs, {SOFTMAX}(layers.Flatten()(x)))",
        "4, in build",
        "its outputs are NaN",
    ),
    "an image that depends on those beside it": (
        f"{INPUTS}    x = layers.Flatten()(inputs)\n    x = x - ops.mean(x, axis=0, keepdims=True)\n"
        f"    return keras.Model(inputs, {SOFTMAX}(x))",
        "4, in build",
        "predicts an image otherwise with other images beside it",
    ),
    "no gradients": (
        f"{INPUTS}    x = {SOFTMAX}(layers.Flatten()(inputs))\n    return keras.Model(inputs, ops.stop_gradient(x))",
        "4, in build",
        "ValueError: No gradients provided for any variable.",
    ),
    "a gradient of zero": (
        f"{INPUTS}    x = layers.Dense(classes)(layers.Flatten()(inputs))\n"
        "    return keras.Model(inputs, layers.Softmax()(x * 0))",
        "4, in build",
        "no weight changes in a training step",
    ),
    "unprintable words": (f"{BUILD}    raise ValueError('\\x1b[31mred\\x00')", "5, in build", "ValueError: red."),
    "the same model each time": (
        f"model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), {SOFTMAX.replace('classes', '3')}])\n"
        f"{BUILD}    return model",
        "5, in build",
        "returns the same layers at every call",
    ),
    "another network each time": (
        f"sizes = iter(range(4, 99))\n{BUILD}    return [layers.Flatten(), layers.Dense(next(sizes)), {SOFTMAX}]",
        "5, in build",
        "another network at its second call",
    ),
    "weights of no seed": (
        "import numpy\nrandom = numpy.random.default_rng()\n"
        f"{BUILD}    weights = keras.initializers.Constant(random.random())\n"
        "    return [layers.Flatten(), layers.Dense(classes, activation='softmax', kernel_initializer=weights)]",
        "6, in build",
        "differ although the seed is the same",
    ),
    "nothing to train": (
        f"{BUILD}    return [layers.AveragePooling2D((8, 2)), layers.Flatten(), layers.Softmax()][: classes]",
        "",
        "outputs for 3 classes",
    ),
    "no weights": (
        f"{INPUTS}    x = layers.GlobalAveragePooling2D()(inputs)\n"
        "    return keras.Model(inputs, layers.Softmax()(layers.Concatenate()([x] * classes)))",
        "4, in build",
        "has no weights to train",
    ),
}


def request_of(source: str, function: str = "build", deadline_seconds: float = 60, **recipe: object) -> ProbeRequest:
    file = NetworkFile("my nets.py", (HEAD + source).encode())
    register_networks([file])
    values = Recipe(**recipe)  # type: ignore[arg-type]
    return ProbeRequest((f"my nets.py:{function}@{file.sha256}",), values, (8, 8), 3, deadline_seconds=deadline_seconds)


def fault_of(source: str, folder: Path, **recipe: object) -> str:
    request = request_of(source, **recipe)
    return _fault_of(request.architectures[0], request, folder)


@pytest.mark.parametrize(("source", "line", "words"), BAD.values(), ids=list(BAD))
def test_it_is_refused_in_one_line(source: str, line: str, words: str, tmp_path: Path) -> None:
    fault = fault_of(source, tmp_path, precision="float32")
    assert fault.startswith(f"my nets.py:{line}: " if line else "my nets.py:")
    assert words in fault
    assert "\n" not in fault
    assert len(fault) < 500
    assert fault.endswith((".", "…"))


GOOD = {
    "a list": f"{BUILD}    return [keras.Input((height, width, channels)), layers.Flatten(), {SOFTMAX}]",
    "a tuple, arguments in another order": (
        f"def build(classes, channels, width, height):\n    return layers.Reshape((height * width,)), {SOFTMAX}"
    ),
    "a generator": f"{BUILD}    yield layers.Flatten()\n    yield {SOFTMAX}",
    "other names": "def build(h, w, c, n):\n    return [layers.Flatten(), layers.Dense(n, activation='softmax')]",
    "arguments by name alone": f"def build(*, classes, **sizes):\n    return [layers.Flatten(), {SOFTMAX}]",
    "a default": f"def build(*sizes, deep=2):\n    classes = sizes[-1]\n    return [layers.Flatten(), {SOFTMAX}]",
    "a Sequential, not built": f"{BUILD}    return keras.Sequential([layers.Flatten(), {SOFTMAX}])",
    "any size": (
        f"{BUILD}    inputs = keras.Input((None, None, channels))\n"
        f"    return keras.Model(inputs, {SOFTMAX}(layers.GlobalAveragePooling2D()(inputs)))"
    ),
    "branches, normalisation, dropout": (
        f"{INPUTS}    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding='same')(inputs))\n"
        "    x = layers.Dropout(0.5)(layers.Add()([layers.Conv2D(4, 1)(inputs), ops.relu(x)]))\n"
        f"    return keras.Model(inputs, {SOFTMAX}(layers.GlobalMaxPooling2D()(x)))"
    ),
    "a model in a model": (
        f"{INPUTS}    head = keras.Sequential([layers.Flatten(), {SOFTMAX}])\n"
        "    return keras.Model(inputs, head(layers.Conv2D(4, 3)(inputs)))"
    ),
    "layers and functions of its own": (
        f"def double(x):\n    return 2 * x\n\n{LAYER}        self.size = size\n"
        "        self.convolution = layers.Conv2D(size, 3, activation=double)\n"
        "    def build(self, shape):\n        self.convolution.build(shape)\n"
        "    def call(self, x):\n        return self.convolution(x)\n"
        "    def get_config(self):\n        return {**super().get_config(), 'size': self.size}\n"
        f"{BUILD}    return [Own(3), layers.Flatten(), {SOFTMAX}]"
    ),
    "a registered layer": (
        f"@keras.saving.register_keras_serializable('mine')\n{LAYER}"
        "    def call(self, x):\n        return ops.tanh(x)\n"
        f"{BUILD}    return [Own(3), layers.Flatten(), {SOFTMAX}]"
    ),
    "a class derived from Model": (
        "class build(keras.Model):\n    def __init__(self, height, width, channels, classes, **kwargs):\n"
        f"        super().__init__(**kwargs)\n        self.flat, self.head = layers.Flatten(), {SOFTMAX}\n"
        "        self.sizes = {'height': height, 'width': width, 'channels': channels, 'classes': classes}\n"
        "    def call(self, x, training=False):\n        return self.head(self.flat(x))\n"
        "    def get_config(self):\n        return self.sizes"
    ),
    "layers that distort in training": (
        f"{BUILD}    return [layers.RandomFlip('horizontal'), layers.RandomRotation(0.1), layers.Flatten(), {SOFTMAX}]"
    ),
    "settings of its own": (
        "keras.config.set_dtype_policy('mixed_float16')\nkeras.config.set_image_data_format('channels_first')\n"
        f"keras.config.set_epsilon(0.1)\nkeras.utils.set_random_seed(3)\nprint('{{')\n"
        f"{BUILD}    keras.config.set_floatx('float64')\n    return [layers.Conv2D(2, 8), layers.Flatten(), {SOFTMAX}]"
    ),
    "a last layer in float32 of its own": (
        f"{INPUTS}    x = layers.Dense(classes)(layers.Flatten()(inputs))\n"
        "    return keras.Model(inputs, layers.Softmax(dtype='float32')(x))"
    ),
}


@pytest.mark.parametrize("source", GOOD.values(), ids=list(GOOD))
def test_whatever_trains_passes(source: str, tmp_path: Path) -> None:
    assert fault_of(source, tmp_path, precision="bfloat16", label_smoothing=0.1) == ""


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "your-own-network.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf8"), re.DOTALL)
    assert len(example.splitlines()) <= 20
    assert fault_of(example, tmp_path, precision="float32") == ""


def test_an_error_of_jax_that_keras_could_not_copy_is_told_as_it_was() -> None:
    original = TypeError("conversion of a traced array")
    copy = AttributeError("'str' object has no attribute '_error_repr'")
    copy.__context__ = original
    assert _without_failed_copy(copy) is original
    assert _without_failed_copy(original) is original


def test_a_function_at_the_end_gets_float32(tmp_path: Path) -> None:
    end = "x = layers.Dense(classes)(layers.Flatten()(inputs))\n    return keras.Model(inputs, ops.softmax(x))"
    assert fault_of(f"{INPUTS}    {end}", tmp_path, precision="bfloat16") == ""


def test_outputs_of_lower_precision_are_refused(tmp_path: Path) -> None:
    end = f"x = {SOFTMAX}(layers.Flatten()(inputs))\n    return keras.Model(inputs, ops.cast(x, 'bfloat16'))"
    assert "gives bfloat16, not float32" in fault_of(f"{INPUTS}    {end}", tmp_path, precision="float32")


# The process


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_process_of_its_own_passes_what_trains(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    network = f"print('{{}}')\n{BUILD}    return [layers.Conv2D(4, 3), layers.Flatten(), {SOFTMAX}]"
    probe_networks(request_of(network, backend=backend))


ENDS = {
    "an endless loop": (f"{BUILD}    while True:\n        pass", r"^my nets\.py:[56], in build: not done after 3 s\."),
    "an exit that nothing stops": (
        f"import os\n{BUILD}    os._exit(0)",
        r"^my nets\.py:build: its process ended with exit code 0 while it was tried\.$",
    ),
    "a crash": (
        f"import ctypes\n{BUILD}    ctypes.string_at(0)",
        r"^my nets\.py:build: its process was ended by signal 11 while it was tried\.$",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "message"), ENDS.values(), ids=list(ENDS))
def test_a_process_that_does_not_come_back_is_told(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        probe_networks(request_of(source, deadline_seconds=3))
