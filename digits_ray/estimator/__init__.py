"""The ensemble as a classifier of scikit-learn's kind."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.estimator.classifier import EnsembleClassifier

__getattr__, __all__ = lazy_exports(__name__, {"classifier": ["EnsembleClassifier"]})
