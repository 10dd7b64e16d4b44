"""Where a fit's run directory is, and what stays of it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from factories import images_of

from digits_ray.config import Config, MembersConfig, ResourcesConfig
from digits_ray.data import Data, load_arrays
from digits_ray.estimator import training
from digits_ray.estimator.training import directory_name, train

LABELS = np.arange(12) % 3
DATA = load_arrays((images_of(LABELS), LABELS), None)


class Runs:
    """Stands for `run`: writes a file to each run directory and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[SimpleNamespace] = []
        self.error: Exception | None = None

    def __call__(self, config: Config, **given: Any) -> Any:
        folder = Path(str(config.out))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text("{}")
        self.given.append(SimpleNamespace(config=config, folder=folder, **given))
        if self.error:
            raise self.error
        return SimpleNamespace(config=config, model_files=lambda: (b"first", b"second"), metrics={"status": "done"})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    fake = Runs()
    monkeypatch.setattr(training, "run", fake)
    return fake


def test_the_models_and_the_metrics_stay_and_the_temporary_directory_does_not(runs: Runs) -> None:
    trained = train(Config(), DATA, LABELS)
    assert trained.models.archives == (b"first", b"second")
    assert trained.metrics == {"status": "done"}
    assert not runs.given[0].folder.exists()


def test_a_fit_that_fails_leaves_no_temporary_directory(runs: Runs) -> None:
    runs.error = RuntimeError("of the run")
    with pytest.raises(RuntimeError, match="of the run"):
        train(Config(), DATA, LABELS)
    assert not runs.given[0].folder.exists()


def test_no_report_is_drawn_and_the_labels_are_the_user_s_own(runs: Runs) -> None:
    train(Config(), DATA, LABELS)
    images, labels = runs.given[0].train
    assert images is DATA.images
    assert labels is LABELS
    assert runs.given[0].report is False


def test_out_gets_a_folder_for_each_fit_which_stays(runs: Runs, tmp_path: Path) -> None:
    for members in (1, 2, 1):
        train(Config(out=str(tmp_path / "fits"), members=MembersConfig(count=members)), DATA, LABELS)
    first, second, again = (given.folder for given in runs.given)
    assert first == again != second
    assert {first, second} == set((tmp_path / "fits").iterdir())


def test_out_may_be_a_uri(runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    train(Config(out="s3://bucket/fits/"), DATA, LABELS)
    assert str(runs.given[0].config.out) == f"s3://bucket/fits/{directory_name(Config(), DATA)}"


def other_data() -> Data:
    images = DATA.images.copy()
    images[0, 0, 0] += 1
    return replace(DATA, images=images)


@pytest.mark.parametrize(
    ("config", "data"),
    [
        (Config(seed=1), DATA),
        (Config(members=MembersConfig(count=3)), DATA),
        (Config(), other_data()),
        (Config(), replace(DATA, labels=DATA.labels[::-1])),
    ],
    ids=["seed", "members", "a pixel", "labels"],
)
def test_another_fit_has_another_directory(config: Config, data: Data) -> None:
    assert directory_name(config, data) != directory_name(Config(), DATA)


def test_where_a_fit_trains_does_not_count() -> None:
    elsewhere = Config(out="elsewhere", resources=ResourcesConfig(address="head:6379"))
    assert directory_name(elsewhere, DATA) == directory_name(Config(), DATA)


def test_the_name_of_a_directory_says_what_it_is() -> None:
    assert directory_name(Config(preset="smoke", members=MembersConfig(count=3)), DATA).startswith("smoke-3-")
