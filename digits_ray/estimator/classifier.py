"""The ensemble as an estimator of scikit-learn's."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from digits_ray.data import load_arrays
from digits_ray.errors import UserError
from digits_ray.estimator.image_format import ImageFormat, flattened, training_pixels
from digits_ray.estimator.run_settings import run_config
from digits_ray.estimator.training import train
from digits_ray.estimator.value_errors import value_errors

DARK = 64  # of 255: where the brightest pixel is darker, it is hardly meant so


class EnsembleClassifier(ClassifierMixin, BaseEstimator):
    """An ensemble of CNNs on small images, as an estimator of scikit-learn's.

    Each fit is a run: it starts Ray, or joins the cluster at `address`, or uses the Ray that this process has. Without
    an address, the fits of a user on a machine take turns, in `n_jobs` processes too. A fitted estimator holds the
    trained models and nothing of Ray: it pickles by value, and predicts wherever digits_ray is installed.

    The classical baselines are not searched, and no report is drawn.

    Attributes:
        classes_: (classes,) the distinct labels of y, sorted.
        n_features_in_: Numbers that an image has: height × width (× 3).
        image_shape_: (height, width), or (height, width, 3) in colour.
        metrics_: What the run's metrics.json holds; `metrics_["ensemble"]["holdout"]` are the scores of the rows that
            the run held out.
    """

    def __init__(
        self,
        members: int = 10,
        preset: str = "fast",
        image_shape: tuple[int, ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
        refit_on_all: bool = False,
        out: str | Path | None = None,
        address: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Sets the parameters; `fit` checks them.

        Args:
            members: CNNs in the ensemble.
            preset: The recipe's name, see `digits-ray presets`.
            image_shape: (height, width), or (height, width, 3) in colour, of the images that X has flat. Without it,
                flat images are square.
            random_state: A whole number: the run's seed, so that each fit gives the same models. None or a
                RandomState: each fit draws its seed.
            refit_on_all: Whether each member, once scored on the rows held out, is trained again on all rows; then
                these predict. Costs twice.
            out: A folder, s3:// or gs:// URI, where each fit gets a run directory of its own, named by its parameters
                and data; the same fit, with the same seed, goes on there. None: a temporary directory, which is
                removed.
            address: Of a running Ray cluster. Without it, Ray starts on this machine for the fit.
            settings: Any other setting by its dotted key, as `--set` takes it: {"members.recipe.epochs": 3}.
        """
        self.members = members
        self.preset = preset
        self.image_shape = image_shape
        self.random_state = random_state
        self.refit_on_all = refit_on_all
        self.out = out
        self.address = address
        self.settings = settings

    def fit(self, X: Any, y: Any) -> "EnsembleClassifier":
        """Trains the ensemble.

        Args:
            X: Images (rows, height, width), (rows, height, width, 1 or 3), or flat, (rows, pixels). Pixels are whole
                numbers of 0 … 255, or floats of 0 … 1 with a fraction among them.
            y: (rows,) labels, any strings or whole numbers.

        Returns:
            The estimator itself.

        Raises:
            ValueError: X, y, a parameter or a setting cannot be used.
            RunError: the members could not be trained.
        """
        with value_errors():
            config = run_config(self.get_params(deep=False))
            table, layout = flattened(X)
            rows, labels = validate_data(self, table, y, ensure_min_features=2)
            classes, first_rows = _classes_of(labels)
            pixels, pixel_scale = training_pixels(rows, layout, self.image_shape)
            data = load_arrays((pixels, labels), None)
            if len(data.classes) < len(classes):
                raise UserError(f"y: of its {len(classes)} classes some are the same but for white space. Rename them.")
            _warn_of_dark(pixels)
            trained = train(config, data, labels)
        self.classes_, self._columns = classes, data.labels[first_rows]
        self._image_format = ImageFormat(data.images.shape[1:], pixel_scale)
        self.image_shape_ = self._image_format.shape
        self.metrics_, self._models = trained.metrics, trained.models
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the soft vote of the members.

        Args:
            X: Images (rows, height, width) or (rows, pixels), on the scale that those of `fit` had.

        Returns:
            (rows, classes) float32, rows sum to 1, columns in the order of `classes_`.

        Raises:
            ValueError: X is not like the images of `fit`.
            NotFittedError: the estimator is not fitted.
        """
        check_is_fitted(self)
        with value_errors():
            table, layout = flattened(X)
            rows = validate_data(self, table, reset=False)
            return self._models.predict_proba(self._image_format.pixels(rows, layout))[:, self._columns]

    def predict(self, X: Any) -> np.ndarray:
        """Returns (rows,) labels; a tie goes to the lowest class. Arguments and errors as for `predict_proba`."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def __sklearn_is_fitted__(self) -> bool:
        """Returns whether `fit` has come to its end."""
        return hasattr(self, "_models")


def _classes_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the classes, sorted, and the first row of each.

    Raises:
        ValueError: the labels are no classes, or all of one.
    """
    try:
        check_classification_targets(labels)
        classes, first_rows = np.unique(labels, return_index=True)
    except TypeError:  # they cannot be sorted
        raise UserError(
            "y: labels of several types, or missing ones. Give whole numbers alone or text alone."
        ) from None
    if len(classes) < 2:
        raise UserError(f"y: 1 class, {classes.tolist()[0]!r}, in all rows. Add images of at least one other class.")
    return classes, first_rows


def _warn_of_dark(images: np.ndarray) -> None:
    """Warns where pixels seem to end at 16, say, as in scikit-learn's digits, which are learnt worse so.

    One member of the preset `fast`, trained on 1,347 of them: 98.6 % of the other 450 as they are, 99.4 % scaled
    (n = 2 seeds).
    """
    greatest = int(images.max())
    if greatest < DARK:
        warnings.warn(
            f"X: no pixel is above {greatest} of 255, so all images are nearly black. If {greatest} is white, give "
            f"np.uint8(X * (255 / {greatest})).",
            stacklevel=3,
        )
