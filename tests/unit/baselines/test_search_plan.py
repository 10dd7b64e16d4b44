"""Which rows a search is trained and scored on, and which searches are refused before any work."""

from typing import Any

import numpy as np
import pytest
from classical import data_of

from digits_ray.baselines.search_plan import plan_search
from digits_ray.config import BaselinesConfig, Config, KnnSpace, SplitConfig
from digits_ray.data import TRAIN_ONLY, Data, split
from digits_ray.errors import UserError


def refusal(config: Config, data: Data | None = None) -> str:
    data = data or data_of()
    with pytest.raises(UserError) as caught:
        plan_search(config, data, split(data, config.split, config.seed))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_more_neighbours_than_training_rows_are_refused() -> None:
    config = Config(baselines=BaselinesConfig(knn=KnnSpace(n_neighbors=(1, 500))))
    assert "500 neighbours, but the search trains on" in refusal(config)


def test_pca_wider_than_the_pixels_is_refused() -> None:
    config = Config(baselines=BaselinesConfig(knn=KnnSpace(pca=(65,))))
    assert "65 dimensions of 64 pixels" in refusal(config)
    assert "Use 64 or fewer" in refusal(config)


def test_too_few_rows_for_a_validation_part_are_refused_with_the_cure() -> None:
    data = data_of(rows=9)
    config = Config(split=SplitConfig(holdout=0.4))
    assert "--no-baselines" in refusal(config, data)


@pytest.mark.parametrize("scheme", ["holdout", "kfold", "none"])
def test_a_search_never_sees_the_holdout(scheme: Any) -> None:
    data, config = data_of(), Config(split=SplitConfig(scheme))
    folds = split(data, config.split, config.seed)
    plan = plan_search(config, data, folds)
    seen = np.concatenate([plan.train, plan.validation])
    assert len(set(seen)) == len(seen)
    training = np.arange(120) if scheme == "kfold" else np.flatnonzero(folds == TRAIN_ONLY)
    assert sorted(seen) == training.tolist()
    assert len(plan.validation) == pytest.approx(0.1 * len(training), abs=1)
