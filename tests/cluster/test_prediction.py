"""Predicting by several processes of a cluster."""

import os
from pathlib import Path

import numpy as np
import pytest
from processes import descendants, kill, title
from report_runs import make_run

from digits_ray import load_run
from digits_ray.errors import RunError
from digits_ray.scheduling import prediction

ROWS, BLOCK_ROWS = 2500, 10


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_every_row_predicted_in_order(
    ray_here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "BLOCK_PIXELS", BLOCK_ROWS * 8 * 8)
    run = load_run(make_run(tmp_path / "run"))
    images = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 8), dtype=np.uint8)
    told: list[int] = []
    killed: list[int] = []

    def kill_one(rows: int) -> None:
        told.append(rows)
        if not killed:
            killed.append(predictors()[0])
            kill(killed[0])

    proba = run.predict_proba(images, address="auto", on_rows=kill_one)
    assert np.allclose(proba, run.predict_proba(images), rtol=0, atol=1e-6)
    assert len(killed) == 1
    assert told == list(range(BLOCK_ROWS, ROWS + 1, BLOCK_ROWS))


def predictors() -> list[int]:
    """The processes of this driver's Ray that predict."""
    return [pid for pid in descendants(os.getpid()) if "MapWorker(MapBatches(Predictor))" in title(pid)]


@pytest.mark.slow
def test_a_process_that_cannot_start_costs_one_line(ray_here: None) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(RunError, match=r"a process of the cluster cannot predict \(BadZipFile: File is not a zip file"):
        prediction.predict_on_cluster([b"no model"], "tensorflow", images, "auto", print)
