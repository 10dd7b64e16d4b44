"""The images that an exported file is checked with."""

import json
from pathlib import Path

import numpy as np
import pytest
from report_runs import make_run

from digits_ray.data import load
from digits_ray.errors import UserError
from digits_ray.export import check_rows as module
from digits_ray.export.check_rows import check_rows
from digits_ray.runs import load_run
from digits_ray.storage import RunDirectory


def rows_of(path: str) -> module.CheckRows:
    return check_rows(load_run(path), RunDirectory.existing(path))


def test_held_out_rows_of_the_training_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path / "run", models=False)
    data, recorded = load(load_run(path).config.data), RunDirectory.existing(path).data()
    facts = {**recorded, "train_sha256": data.fingerprint()["train_sha256"]}
    Path(path, "data.json").write_text(json.dumps(facts))
    folds = np.full(len(data.images), -1)
    folds[[3, 5, 8, 9]] = 0
    dataset = dict(np.load(Path(path, "dataset.npz")))
    np.savez(Path(path, "dataset.npz"), **{**dataset, "folds": folds})
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    rows = rows_of(path)
    assert rows.kind == "held-out rows"
    assert np.array_equal(rows.images, data.images[[3, 9]])
    Path(path, "data.json").write_text(json.dumps({**facts, "holdout_sha256": "of a file that has changed"}))
    assert np.array_equal(rows_of(path).images, np.load(Path(path, "cases.npz"))["images"])


def test_the_run_s_own_images_where_the_training_file_has_changed(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", models=False)
    rows = rows_of(path)
    assert rows.kind == "held-out rows"
    assert np.array_equal(rows.images, np.load(Path(path, "cases.npz"))["images"])
    Path(path, "cases.npz").unlink()
    assert rows_of(path).kind == "labelled rows"


def test_a_run_without_any_image_is_refused(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", models=False)
    for name in ("cases.npz", "dataset.npz"):
        Path(path, name).unlink()
    with pytest.raises(UserError, match=r"dataset\.npz is missing or damaged"):
        rows_of(path)
