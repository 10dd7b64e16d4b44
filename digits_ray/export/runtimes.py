"""Opens an exported file as its users do, without digits_ray, in a process of its own.

`python -P runtimes.py FORMAT MODEL IMAGES.npy PROBA.npy`
"""

import os
import sys
from collections.abc import Callable

import numpy as np

BATCH_ROWS = 64

Predict = Callable[[np.ndarray], np.ndarray]  # (batch, height, width[, 3]) uint8 → (batch, classes) float32


def open_keras(path: str) -> Predict:
    """Opens a .keras archive on TensorFlow and the CPU."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # TF32 there gives other numbers
    model = keras.saving.load_model(path)
    return lambda images: model.predict(images, verbose=0)


def open_onnx(path: str) -> Predict:
    """Opens an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def open_tflite(path: str) -> Predict:
    """Opens a TFLite file."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path).get_signature_runner()
    return lambda images: run(images=images)["output_0"]


OPENERS = {"keras": open_keras, "onnx": open_onnx, "tflite": open_tflite}


def main(format_name: str, model: str, images: str, proba: str) -> None:
    """Writes the probabilities, (rows, classes) float32, that the file gives of the images.

    Args:
        format_name: One of OPENERS.
        model: Path of the exported file.
        images: Path of an .npy of images, (rows, height, width[, 3]) uint8.
        proba: Path of the .npy to write.
    """
    predict, rows = OPENERS[format_name](model), np.load(images)
    batches = [predict(rows[start : start + BATCH_ROWS]) for start in range(0, len(rows), BATCH_ROWS)]
    np.save(proba, np.concatenate(batches))


if __name__ == "__main__":
    main(*sys.argv[1:])
