"""The yardstick: the Kaggle notebook's recipe as a plain Keras loop, one CNN after another, as a competent user has it.

    python benchmarks/notebook.py --train train.csv.gz [--epochs 2] [--members 1] [--precision float32]
    python benchmarks/notebook.py --train train.csv.gz --test test.csv.gz --against fast

Nothing of digits_ray is in it. Its parts are the notebook's: three blocks of three 3×3 convolutions, Adam at 1e-4,
batches of 64, rotation, zoom and shift, 50 epochs, the rate halved on a plateau of three epochs, floor 1e-5. It trains
on nine tenths of the rows; the last tenth is both watched and scored, as in the notebook. Its speed is what current
Keras gives: augmentation runs beside the training in tf.data, on every core, images stay uint8 until they are used, and
TensorFlow threads as it likes. A few epochs are timed, the first one (it compiles) apart; the time of ten CNNs of 50
epochs is the median epoch 500 times over.

With --against, the loop is timed, then the whole command `digits-ray run` with that preset, from reading the files to
the drawn report, without the searches, then the loop again.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.model_selection import train_test_split

BATCH, EPOCHS, MEMBERS = 64, 50, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, help="Kaggle's train.csv or train.csv.gz")
    parser.add_argument("--epochs", type=int, default=2, help="that are timed; the notebook has 50")
    parser.add_argument("--members", type=int, default=1, help="the notebook has 10")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--against", metavar="PRESET")
    parser.add_argument("--test", help="Kaggle's test.csv or test.csv.gz, for --against")
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.precision)
    table = pd.read_csv(args.train)
    images, labels = table.iloc[:, 1:].to_numpy(np.uint8).reshape(-1, 28, 28, 1), table["label"].to_numpy()
    seconds = loop(images, labels, args.epochs, args.members)
    if args.against:
        command = run(args.against, args.train, args.test)
        seconds += loop(images, labels, args.epochs, args.members)
    epoch = statistics.median(seconds)
    print(f"{args.precision}: epoch {epoch:.1f} s ({min(seconds):.1f} to {max(seconds):.1f}, n = {len(seconds)})")
    print(f"ten CNNs of {EPOCHS} epochs: {MEMBERS * EPOCHS * epoch / 3600:.1f} h")
    if args.against:
        print(f"{args.against}: {command:.0f} s, a {MEMBERS * EPOCHS * epoch / command:.1f}th of that")


def loop(images: np.ndarray, labels: np.ndarray, epochs: int, members: int) -> list[float]:
    """Returns the seconds of each epoch but the members' first."""
    train, watched = train_test_split(np.arange(len(labels)), test_size=0.1, random_state=0, stratify=labels)
    total, seconds = np.zeros((len(watched), 10)), []
    for member in range(members):
        keras.utils.set_random_seed(member)
        network, clock = fit(images, labels, train, watched, epochs, member)
        seconds += clock.seconds[1:]
        total += network.predict(images[watched] / np.float32(255), batch_size=512, verbose=0)
    errors = int((total.argmax(1) != labels[watched]).sum())
    print(f"after {epochs + 1} epochs of {members}: {errors} errors in {len(watched):,} watched rows", flush=True)
    return seconds


def run(preset: str, train: str, test: str | None) -> float:
    """Returns the seconds of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "digits_ray", "run", "--preset", preset, "--no-baselines", "--out", folder]
        began = time.perf_counter()
        subprocess.run([*command, "--train", train, *(["--test", test] if test else [])], check=True)
        return time.perf_counter() - began


def fit(
    images: np.ndarray, labels: np.ndarray, train: np.ndarray, watched: np.ndarray, epochs: int, seed: int
) -> tuple[keras.Model, "Clock"]:
    clock, network = Clock(), build()
    network.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    plateau = keras.callbacks.ReduceLROnPlateau("val_accuracy", factor=0.5, patience=3, min_lr=1e-5)
    network.fit(
        batches(images[train], labels[train], augment(seed)),
        validation_data=batches(images[watched], labels[watched], None),
        epochs=1 + epochs,
        callbacks=[plateau, clock],
        shuffle=False,  # tf.data does
        verbose=0,
    )
    return network, clock


def build() -> keras.Model:
    body = [keras.Input((28, 28, 1))]
    for filters in (32, 64, 128):
        body += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(3)]
        body += [layers.MaxPooling2D()] * (filters < 128) + [layers.Dropout(0.2)]
    head = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax", dtype="float32")]
    return keras.Sequential(body + head)


def augment(seed: int) -> keras.Sequential:
    """Rotation by 10°, zoom and shift by a tenth, filled with background."""
    options = {"fill_mode": "constant", "dtype": "float32"}
    rotate = layers.RandomRotation(10 / 360, seed=seed, **options)
    zoom = layers.RandomZoom(0.1, 0.1, seed=seed, **options)
    return keras.Sequential([rotate, zoom, layers.RandomTranslation(0.1, 0.1, seed=seed, **options)])


def batches(images: np.ndarray, labels: np.ndarray, distort: keras.Sequential | None) -> tf.data.Dataset:
    rows = tf.data.Dataset.from_tensor_slices((images, labels))
    rows = (rows.shuffle(len(labels)) if distort else rows).batch(BATCH)
    scaled = rows.map(lambda x, y: (tf.cast(x, tf.float32) / 255, y), tf.data.AUTOTUNE)
    if distort:
        scaled = scaled.map(lambda x, y: (distort(x, training=True), y), tf.data.AUTOTUNE)
    return scaled.prefetch(tf.data.AUTOTUNE)


class Clock(keras.callbacks.Callback):
    """Seconds of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self.began)


if __name__ == "__main__":
    main()
