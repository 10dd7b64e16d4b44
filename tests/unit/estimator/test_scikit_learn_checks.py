"""scikit-learn's own checks of estimators, with its default tags.

Their tables are few features of any sign, which are no images, so those that train must fail on the estimator alone.
Behind two of scikit-learn's transformers, which make images of any table, they pass.
"""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from digits_ray import EnsembleClassifier

pytestmark = pytest.mark.usefixtures("numpy_members")

Check = Callable[[BaseEstimator], None]

SIDE = 5  # pixels: enough for the most features of any check, 20
RECIPE = {
    "split.scheme": "none",
    "members.recipe.epochs": 30,
    "members.recipe.batch_size": 8,
    "members.recipe.learning_rate": 0.1,
    "members.recipe.schedule": "constant",
}

NO_SQUARE = "trains on tables of 2, 3, 5 or 10 features, which are no square images"
BELOW_ZERO = "trains on numbers below 0, which are no pixels"
EXPECTED_FAILURES = {
    "check_fit_score_takes_y": NO_SQUARE,
    "check_estimators_overwrite_params": NO_SQUARE,
    "check_dont_overwrite_parameters": NO_SQUARE,
    "check_estimators_fit_returns_self": NO_SQUARE,
    "check_readonly_memmap_input": NO_SQUARE,
    "check_estimators_dtypes": NO_SQUARE,
    "check_dtype_object": NO_SQUARE,
    "check_pipeline_consistency": NO_SQUARE,
    "check_estimators_nan_inf": NO_SQUARE,
    "check_estimators_pickle": NO_SQUARE,
    "check_f_contiguous_array_estimator": NO_SQUARE,
    "check_classifier_data_not_an_array": NO_SQUARE,
    "check_classifiers_classes": NO_SQUARE,
    "check_classifiers_train": NO_SQUARE,
    "check_supervised_y_2d": NO_SQUARE,
    "check_methods_sample_order_invariance": NO_SQUARE,
    "check_methods_subset_invariance": NO_SQUARE,
    "check_dict_unchanged": NO_SQUARE,
    "check_fit_idempotent": NO_SQUARE,
    "check_fit_check_is_fitted": NO_SQUARE,
    "check_n_features_in": NO_SQUARE,
    "check_fit2d_predict1d": NO_SQUARE,
    "check_n_features_in_after_fitting": BELOW_ZERO,
    "check_positive_only_tag_during_fit": BELOW_ZERO,
}
IN_PLACE = "scikit-learn's Pipeline fits its steps in place, so that its parameter `steps` changes"
EXPECTED_PIPELINE_FAILURES = {
    "check_estimators_overwrite_params": IN_PLACE,
    "check_dont_overwrite_parameters": IN_PLACE,
}


class PaddedToSquares(TransformerMixin, BaseEstimator):
    """(rows, features) become (rows, SIDE²), white behind. A function's address would be in the names of the tests."""

    def fit(self, table: np.ndarray, y: object = None) -> "PaddedToSquares":
        return self

    def transform(self, table: np.ndarray) -> np.ndarray:
        return np.pad(table, ((0, 0), (0, SIDE**2 - table.shape[1])), constant_values=1.0)


def images_of_tables() -> Pipeline:
    """A classifier of any table."""
    classifier = EnsembleClassifier(members=2, preset="smoke", random_state=0, settings=RECIPE)
    return make_pipeline(MinMaxScaler(clip=True), PaddedToSquares(), classifier)


@parametrize_with_checks(
    [EnsembleClassifier(members=1, preset="smoke")], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_the_estimator_alone_passes_or_fails_as_expected(estimator: BaseEstimator, check: Check) -> None:
    check(estimator)


@parametrize_with_checks([images_of_tables()], expected_failed_checks=lambda estimator: EXPECTED_PIPELINE_FAILURES)
def test_behind_transformers_that_make_images_it_passes(estimator: BaseEstimator, check: Check) -> None:
    check(estimator)


def test_at_least_25_checks_are_to_pass_on_the_estimator_alone() -> None:
    marked = estimator_checks_generator(EnsembleClassifier(), expected_failed_checks=EXPECTED_FAILURES, mark="xfail")
    assert sum(not hasattr(each, "marks") for each in marked) >= 25


def test_the_tags_are_scikit_learn_s_own() -> None:
    class Plain(ClassifierMixin, BaseEstimator):
        """What scikit-learn makes of a classifier that says nothing."""

    assert get_tags(EnsembleClassifier()) == get_tags(Plain())
