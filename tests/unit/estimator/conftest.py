"""Fits without Ray."""

import numpy_ensemble
import pytest


@pytest.fixture
def numpy_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of this process train members in numpy."""
    monkeypatch.setattr("digits_ray.estimator.classifier.train", numpy_ensemble.train)
