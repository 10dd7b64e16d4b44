"""Run directories with invented results."""

from pathlib import Path

import numpy as np

from digits_ray.config import Config
from digits_ray.ensemble import MemberResult, Prediction
from digits_ray.storage import RunDirectory

DATA = {"train_sha256": "a" * 64, "train_rows": 3, "classes": [0, 1], "channels": 1}


def result_of(member_id: int = 0) -> MemberResult:
    proba = np.full((2, 2), 0.5, np.float32)
    prediction = Prediction(f"member-{member_id:03d}", np.arange(2), proba, np.arange(2), proba)
    return MemberResult(member_id, prediction, [{"loss": 1.0, "seconds": 2.0}], b"model", 2.0, 10.0, "float32", "cpu")


def claimed(place: Path, config: Config | None = None) -> RunDirectory:
    config = config or Config()
    run = RunDirectory.at(str(place), config, DATA)
    run.claim(config, DATA)
    return run
