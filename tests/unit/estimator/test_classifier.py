"""The estimator: its parameters, what it takes and gives. Members are trained in numpy, without Ray."""

import inspect
import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import images_of
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict

from digits_ray import EnsembleClassifier, UserError

pytestmark = pytest.mark.usefixtures("numpy_members")

SIDE = 8
LABELS = np.arange(60) % 3
IMAGES = images_of(LABELS, SIDE)  # (60, 8, 8) uint8
FLAT = IMAGES.reshape(60, -1)
RECIPE = {"members.recipe.epochs": 20, "members.recipe.batch_size": 8, "members.recipe.learning_rate": 0.1}


def estimator(**parameters: Any) -> EnsembleClassifier:
    """One that trains in a moment."""
    return EnsembleClassifier(**{"members": 2, "preset": "smoke", "random_state": 0, "settings": RECIPE, **parameters})


@pytest.fixture(scope="module")
def fitted() -> EnsembleClassifier:
    """Trained on (60, 8, 8); not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        import numpy_ensemble

        patch.setattr("digits_ray.estimator.classifier.train", numpy_ensemble.train)
        return estimator().fit(IMAGES, LABELS)


# Parameters


def test_the_parameters_and_their_defaults_are_as_documented() -> None:
    parameters = inspect.signature(EnsembleClassifier).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "members": 10,
        "preset": "fast",
        "image_shape": None,
        "random_state": None,
        "refit_on_all": False,
        "out": None,
        "address": None,
        "settings": None,
    }


def test_a_clone_has_the_same_parameters_and_is_not_fitted(fitted: EnsembleClassifier) -> None:
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(IMAGES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"members": 0}, "^members=0: should be greater than or equal to 1"),
        ({"members": "many"}, "^members='many': should be a whole number"),
        ({"preset": "fats"}, "preset 'fats' does not exist. Did you mean 'fast'?"),
        ({"random_state": "seven"}, "'seven' cannot be used to seed"),
        ({"random_state": -1}, "^random_state=-1: should be"),
        ({"settings": {"members.recipe.epoch": 3}}, "Did you mean 'epochs'?"),
        ({"settings": {"seed": 3}}, "settings: 'seed' gives seed, a parameter of its own. Use random_state."),
        ({"settings": {"members": {"min_members": 1}}}, "'members' gives members.count, a parameter of its own."),
        ({"settings": {"baselines.enabled": True}}, "an estimator searches no baselines"),
        ({"out": ""}, "^out='': should not be empty"),
        ({"settings": "members.recipe.epochs=3"}, "a mapping of dotted keys is expected"),
        ({"image_shape": 8}, "image_shape=8: (height, width) is expected"),
        ({"image_shape": (8, 0)}, "image_shape=(8, 0): (height, width) is expected"),
        ({"image_shape": (4, 4)}, "image_shape=(4, 4): 16 numbers an image, but X has 64 a row"),
        ({"refit_on_all": True, "settings": {"split.scheme": "none"}}, "none are held out"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_a_value_error_of_fit(parameters: dict[str, Any], message: str) -> None:
    literal = re.escape(message) if "(" in message and "\\" not in message else message
    with pytest.raises(ValueError, match=literal):
        estimator(**parameters).fit(FLAT, LABELS)


def test_an_error_of_the_user_s_is_a_user_error_too() -> None:
    with pytest.raises(UserError, match="does not exist"):
        estimator(preset="fats").fit(IMAGES, LABELS)


# What fit takes


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (IMAGES, (8, 8)),
        (IMAGES[..., np.newaxis], (8, 8)),
        (np.stack([IMAGES] * 3, axis=-1), (8, 8, 3)),
        (FLAT, (8, 8)),
        (FLAT.tolist(), (8, 8)),
        (pd.DataFrame(FLAT).rename(columns="pixel{}".format), (8, 8)),
        (FLAT.astype(float), (8, 8)),
        (np.asfortranarray(IMAGES), (8, 8)),
    ],
    ids=["images", "one channel", "colour", "flat", "lists", "data frame", "floats", "another order in memory"],
)
def test_images_are_taken_in_every_layout_and_predicted_in_the_same(images: Any, shape: tuple[int, ...]) -> None:
    fitted = estimator().fit(images, LABELS)
    assert fitted.image_shape_ == shape
    assert fitted.n_features_in_ == np.prod(shape)
    assert fitted.predict_proba(images).shape == (60, 3)
    assert fitted.score(images, LABELS) == 1


def test_flat_images_of_another_shape_are_those_of_image_shape() -> None:
    wide = IMAGES[:, :6]
    flat = estimator(image_shape=(6, 8)).fit(wide.reshape(60, -1), LABELS)
    assert flat.image_shape_ == (6, 8)
    assert np.array_equal(flat.predict_proba(wide), estimator().fit(wide, LABELS).predict_proba(wide))


def test_flat_images_in_colour_are_those_of_image_shape() -> None:
    colour = np.stack([IMAGES] * 3, axis=-1)
    fitted = estimator(image_shape=(8, 8, 3)).fit(colour.reshape(60, -1), LABELS)
    assert np.array_equal(fitted.predict(colour), LABELS)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (FLAT[:, :48], "X: 48 numbers a row are no square image. Give image_shape=(height, width)"),
        (IMAGES.astype(float) - 9, "Pixels are 0 to 255"),
        (IMAGES + 0.25, "Round them"),
        (IMAGES > 99, "of type bool"),
        (np.moveaxis(np.stack([IMAGES] * 3, axis=-1), -1, 1), "have their channels first"),
        (np.where(IMAGES > 99, np.nan, 0.0), "Input X contains NaN"),
        (IMAGES[:50], "inconsistent numbers of samples"),
        (IMAGES[0, 0], "Expected 2D array, got 1D array"),
        ("images.npz", "X: 'images.npz' is no array"),
    ],
)
def test_images_that_cannot_be_trained_on_are_a_value_error(images: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        estimator().fit(images, LABELS)


def test_images_that_are_nearly_black_are_trained_on_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="no pixel is above 16 of 255"):
        estimator().fit(IMAGES // 16 + (IMAGES > 99), LABELS)


# Labels


@pytest.mark.parametrize(
    "classes",
    [["a", "b", "c"], ["10", "9", "x"], ["10", "9", "8"], [3.0, 1.0, 2.0], [-5, 0, 99], [" b", "a", "c"]],
    ids=str,
)
def test_labels_come_back_as_they_were(classes: list[Any]) -> None:
    labels = np.array(classes)[LABELS]
    fitted = estimator().fit(IMAGES, labels)
    assert fitted.classes_.tolist() == sorted(classes)
    assert fitted.classes_.dtype == labels.dtype
    assert np.array_equal(fitted.predict(IMAGES), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(60), "1 class, 0.0, in all rows"),
        (np.linspace(0, 1, 60), "Unknown label type: continuous"),
        (np.eye(3)[LABELS], "y should be a 1d array"),
        (np.array(["a", " a", "b"])[LABELS], "some are the same but for white space"),
        (np.array(["a", "b", None], object)[LABELS], "y: labels of several types, or missing ones"),
        (None, "requires y to be passed"),
    ],
)
def test_labels_that_cannot_be_trained_on_are_a_value_error(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator().fit(IMAGES, labels)


def test_a_column_of_labels_is_taken_with_scikit_learn_s_warning() -> None:
    with pytest.warns(DataConversionWarning):
        estimator().fit(IMAGES, LABELS[:, np.newaxis])


# What predict takes


def test_both_layouts_predict_the_same(fitted: EnsembleClassifier) -> None:
    assert np.array_equal(fitted.predict_proba(FLAT), fitted.predict_proba(IMAGES))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:, :6], "X has 48 features, but EnsembleClassifier is expecting 64 features"),
        (IMAGES.reshape(60, 4, 16), "X: images of shape (4, 16), but those of fit were 8 × 8 pixels"),
        (IMAGES[0], "X has 8 features"),
        (FLAT[0], "Reshape your data"),
        (IMAGES / 255, "pixels of the training images were whole numbers of 0 to 255"),
        (IMAGES.astype(int) + 99, "values from 99 to 349, but pixels of the training images were 0 to 255"),
    ],
)
def test_images_unlike_those_of_fit_are_a_value_error(
    fitted: EnsembleClassifier, images: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted.predict(images)


def test_the_scale_of_the_training_images_is_that_of_each_image_to_predict() -> None:
    fractions = np.clip(IMAGES / 250, 0, 1)  # the bars are 1.0
    black_and_white = np.where(IMAGES > 99, 1.0, 0.0)
    fitted = estimator().fit(fractions, LABELS)
    assert np.array_equal(fitted.predict(black_and_white), LABELS)
    with pytest.raises(ValueError, match="values from 0 to 250, but pixels of the training images were 0 to 1"):
        fitted.predict(IMAGES)


def test_black_and_nearly_black_images_are_what_they_are_after_whole_numbers(fitted: EnsembleClassifier) -> None:
    black = np.zeros((1, 8, 8))
    nearly_black = np.ones((1, 8, 8))
    difference = np.abs(fitted.predict_proba(black) - fitted.predict_proba(nearly_black)).max()
    assert difference < 0.1


def test_a_data_frame_with_other_columns_is_refused() -> None:
    frame = pd.DataFrame(FLAT).rename(columns="pixel{}".format)
    fitted = estimator().fit(frame, LABELS)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame[frame.columns[::-1]])


# What a fit leaves behind


def test_a_whole_number_gives_the_same_models_each_time_and_none_draws_anew() -> None:
    proba = [estimator(random_state=seed).fit(IMAGES, LABELS).predict_proba(IMAGES) for seed in (7, 7, None)]
    assert np.array_equal(proba[0], proba[1])
    assert not np.array_equal(proba[0], proba[2])


def test_a_random_state_is_drawn_from() -> None:
    first, again = (estimator(random_state=np.random.RandomState(5)).fit(IMAGES, LABELS) for _ in range(2))
    then = again.fit(IMAGES, LABELS).predict_proba(IMAGES)
    assert not np.array_equal(first.predict_proba(IMAGES), then)


def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted() -> None:
    unfitted = estimator()
    with pytest.raises(ValueError, match="Pixels are 0 to 255"):
        unfitted.fit(IMAGES.astype(int) + 99, LABELS)
    with pytest.raises(NotFittedError):
        unfitted.predict(IMAGES)


def test_predicting_changes_nothing(fitted: EnsembleClassifier) -> None:
    before = dict(vars(fitted))
    fitted.predict(IMAGES)
    assert vars(fitted) == before


def test_a_pickled_estimator_predicts_the_same(fitted: EnsembleClassifier) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(IMAGES), fitted.predict_proba(IMAGES))


@pytest.mark.parametrize("images", [IMAGES, FLAT], ids=["images", "flat"])
def test_it_works_in_cross_validation_and_searches(images: np.ndarray) -> None:
    proba = cross_val_predict(estimator(), images, LABELS, cv=3, method="predict_proba")
    assert np.array_equal(proba.argmax(axis=1), LABELS)
    search = GridSearchCV(estimator(), {"members": np.arange(1, 3)}, cv=2).fit(images, LABELS)
    assert search.best_score_ == 1
