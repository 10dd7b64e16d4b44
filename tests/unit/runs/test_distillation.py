"""One network that learns from a finished run: who teaches it, what it learns, and what it is compared with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from factories import CLASSES, images_of, write_kaggle_csv
from pretended_work import PretendedWork
from recording_callback import RecordingCallback

from digits_ray import RunCallback, UserError, distil, load_run
from digits_ray.cli.commands.distilling import distil as distil_command
from digits_ray.config.schema import BaselinesConfig, Config, DataConfig, MembersConfig, SplitConfig
from digits_ray.data import Rows
from digits_ray.ensemble import mcnemar
from digits_ray.report.run_contents import read_run
from digits_ray.report.summary import summarize
from digits_ray.runs import distillation, pipeline, stages
from digits_ray.runs.distillation_plan import DistillationPlan
from digits_ray.runs.distillation_scores import PredictSpeed
from digits_ray.runs.pipeline import run


@pytest.fixture
def config(tmp_path: Path) -> Config:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 120)))
    return Config(
        out=str(tmp_path / "run"), data=data, members=MembersConfig(count=4), baselines=BaselinesConfig(enabled=False)
    )


class Teaching:
    """Takes the place of the members' predictions of the rows that are taught, and of what is sent to the actors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work: PretendedWork) -> None:
        self.asked: list[list[int]] = []  # members that were asked to teach, each time
        self.sent: list[Rows] = []  # to the actors, each time
        monkeypatch.setattr(distillation, "ray_session", work.session)
        monkeypatch.setattr(distillation, "teachers_proba", self.teach)
        monkeypatch.setattr(distillation, "measure_speed", lambda *_: PredictSpeed(900.0, 300.0, 4, 120, 3))
        monkeypatch.setattr(stages.datasets, "put_dataset", self.sent.append)

    def teach(self, plan: DistillationPlan, images: np.ndarray) -> np.ndarray:
        self.asked.append(plan.teachers.member_ids)
        return lessons(len(images))


def lessons(rows: int) -> np.ndarray:
    """Probabilities (rows, classes) that no label has."""
    proba = np.random.default_rng(3).random((rows, CLASSES)).astype(np.float32)
    return proba / proba.sum(axis=1, keepdims=True)


@pytest.fixture
def teaching(monkeypatch: pytest.MonkeyPatch, work: PretendedWork) -> Teaching:
    return Teaching(monkeypatch, work)


@pytest.fixture
def finished(config: Config, teaching: Teaching, recorder: RecordingCallback) -> Callable[..., str]:
    """Makes the run that teaches; returns its directory."""

    def make(**changes: Any) -> str:
        changed = replace(config, **changes)
        run(changed, [recorder])
        teaching.sent.clear()
        return str(changed.out)

    return make


def with_members(**values: Any) -> dict[str, Any]:
    return {"members": MembersConfig(**{"count": 4, **values})}


KFOLD = SplitConfig(scheme="kfold", folds=2)


def test_one_network_is_trained_in_a_run_directory_inside_the_run(
    finished: Callable[..., str], work: PretendedWork, recorder: RecordingCallback
) -> None:
    directory = finished()
    before = {path: path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}
    work.trained = []
    network = distil(directory, architecture="notebook", epochs=7, callbacks=[recorder])
    assert network.path == f"{directory}/distilled"
    assert work.trained == network.member_ids == [0]
    assert network.config.members.architectures == ("notebook",)
    assert (network.config.members.recipe.epochs, network.config.members.recipe.min_steps) == (7, 0)
    assert network.config.split == load_run(directory).config.split
    assert network.metrics["status"] == "done"
    assert (Path(network.path) / "report.html").exists()
    assert {path: path.read_bytes() for path in before} == before


def test_the_network_learns_labels_and_the_teachers_probabilities_alike(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    distil(finished(), callbacks=[recorder])
    rows = teaching.sent[-1]
    taught = rows.train_index(0)
    assert rows.soft_labels is not None
    assert np.allclose(rows.targets(taught), (lessons(len(taught)) + rows.one_hot_labels(taught)) / 2)
    assert np.array_equal(rows.one_hot_labels(taught).argmax(axis=1), rows.labels[taught])
    assert len(taught) == 108


def test_it_begins_with_the_weights_of_none_of_its_teachers(
    finished: Callable[..., str], recorder: RecordingCallback
) -> None:
    directory = finished()
    distil(directory, callbacks=[recorder])
    seeds = {
        path.parent.name: json.loads(path.read_text())["seed"] for path in Path(directory).glob("members/*/s*.json")
    }
    own = json.loads((Path(directory) / "distilled/members/000/spec.json").read_text())["seed"]
    assert len(seeds) == 4
    assert own not in seeds.values()


def test_after_a_holdout_all_members_teach_and_each_is_compared_with_on_the_same_rows(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    directory = finished()
    network = distil(directory, callbacks=[recorder])
    told = network.metrics["distillation"]
    assert teaching.asked == [told["teachers"]] == [[0, 1, 2, 3]]
    assert told["which"].startswith("4 members taught: none saw the held-out rows")
    assert [compared["model"] for compared in told["against_members"]] == [
        f"member-{number:03d}" for number in range(4)
    ]
    ensemble, own = arrays(f"{directory}/ensemble.npz"), arrays(f"{directory}/distilled/ensemble.npz")
    labels = arrays(f"{directory}/dataset.npz")["labels"][own["holdout_row_ids"]]
    right = [each["holdout_proba"].argmax(axis=1) == labels for each in (own, ensemble)]
    test, compared = mcnemar(*right), told["against_ensemble"]
    assert compared["p_value"] == test.p_value
    assert (compared["only_a_right"], compared["only_b_right"]) == (test.only_a_right, test.only_b_right)
    assert compared["accuracy"] == right[1].mean() == load_run(directory).metrics["ensemble"]["holdout"]["accuracy"]
    assert compared["difference"] == pytest.approx(right[0].mean() - right[1].mean())


def arrays(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as content:
        return dict(content)


def test_with_folds_only_those_that_held_out_the_rows_that_score_teach(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    network = distil(finished(split=KFOLD), callbacks=[recorder])
    assert teaching.asked == [[0, 2]]
    told = network.metrics["distillation"]
    assert told["which"].startswith("2 of 4 members taught: those that held out fold 0")
    assert told["against_ensemble"]["rows"] == network.metrics["ensemble"]["holdout"]["rows"] == 60
    assert network.metrics["data"]["train_rows"] == network.metrics["data"]["holdout_rows"] == 60
    assert network.held_out.folds.tolist() == [0] * 60


def test_first_networks_teach_where_there_are_refits(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = finished(**with_members(refit_on_all=True))
    assert "Refits did not" in distil(directory, callbacks=[recorder]).metrics["distillation"]["which"]
    monkeypatch.undo()
    (Path(directory) / "members/000/model.keras").write_bytes(b"")
    plan = distillation.plan_distillation(directory)
    with pytest.raises(UserError, match=r"members/000/model\.keras"):
        distillation.teachers_proba(plan, images_of(np.arange(3)))


def test_where_no_row_was_held_out_all_teach_and_there_is_no_score(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    metrics = distil(finished(split=SplitConfig(scheme="none")), callbacks=[recorder]).metrics
    assert teaching.asked == [[0, 1, 2, 3]]
    assert metrics["ensemble"]["holdout"] is None
    assert metrics["distillation"]["against_ensemble"] is None
    assert metrics["distillation"]["against_members"] == []
    assert "neither they nor the distilled network can be scored" in metrics["distillation"]["which"]


def test_a_distillation_that_was_stopped_goes_on_with_the_lessons_that_it_had(
    finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    class Stops(RunCallback):
        def on_plan(self, *_: object) -> None:
            raise KeyboardInterrupt

    directory = finished()
    with pytest.raises(KeyboardInterrupt):
        distil(directory, callbacks=[recorder, Stops()])
    network = distil(directory, callbacks=[recorder])
    assert len(teaching.asked) == 1
    assert recorder.events.count("on_teaching_begin") == 1
    taught = teaching.sent[-1].train_index(0)
    assert np.allclose(
        teaching.sent[-1].targets(taught) * 2 - teaching.sent[-1].one_hot_labels(taught), lessons(108), atol=1e-6
    )
    assert network.path == f"{directory}/distilled"


def test_a_finished_distillation_starts_no_ray_and_writes_nothing(
    finished: Callable[..., str], work: PretendedWork, recorder: RecordingCallback
) -> None:
    directory = finished()
    before = distil(directory, callbacks=[recorder]).metrics
    assert distil(directory, callbacks=[recorder]).metrics == before
    assert (work.sessions, work.reports) == (2, 2)


def test_other_members_make_another_distillation_beside_the_first_and_it_is_told(
    config: Config, finished: Callable[..., str], teaching: Teaching, recorder: RecordingCallback
) -> None:
    directory = finished()
    first = distil(directory, callbacks=[recorder]).metrics
    finished(**with_members(count=5))
    plan = distillation.plan_distillation(directory)
    assert plan.config.out == f"{directory}/distilled-2"
    assert len(plan.notes) == 1
    assert "distilled is another distillation: members.teachers is" in plan.notes[0]
    assert distil(directory, callbacks=[recorder]).metrics["distillation"]["teachers"] == [0, 1, 2, 3, 4]
    assert load_run(f"{directory}/distilled").metrics == first
    assert distil(directory, epochs=3, callbacks=[recorder]).path == f"{directory}/distilled-3"
    assert distil(directory, callbacks=[recorder]).path == f"{directory}/distilled-2"


def test_members_that_are_missing_are_told(
    config: Config, finished: Callable[..., str], recorder: RecordingCallback
) -> None:
    directory = finished()
    (Path(directory) / "members/002/result.json").unlink()
    plan = distillation.plan_distillation(directory)
    assert plan.teachers.member_ids == [0, 1, 3]
    assert plan.notes == ("WARNING 3 of 4 members are finished: these alone teach.",)


def test_data_that_have_changed_since_are_refused(
    config: Config, finished: Callable[..., str], recorder: RecordingCallback
) -> None:
    directory = finished()
    write_kaggle_csv(Path(str(config.data.train)), 120, seed=9)
    with pytest.raises(UserError, match=r"was made with other data: data\.train_sha256 is"):
        distil(directory, callbacks=[recorder])
    assert not (Path(directory) / "distilled").exists()


def test_files_that_are_elsewhere_now_are_given_by_their_new_paths(
    config: Config, finished: Callable[..., str], recorder: RecordingCallback, tmp_path: Path
) -> None:
    directory = finished()
    moved = Path(str(config.data.train)).rename(tmp_path / "moved.csv")
    with pytest.raises(UserError, match=r"train\.csv"):
        distil(directory, callbacks=[recorder])
    assert distil(directory, train=moved, callbacks=[recorder]).metrics["status"] == "done"


def test_a_run_on_arrays_is_distilled_with_the_same_arrays(
    config: Config, teaching: Teaching, recorder: RecordingCallback
) -> None:
    labels = np.arange(120) % CLASSES
    on_arrays = replace(config, data=DataConfig())
    train = images_of(labels), labels
    run(on_arrays, [recorder], train=train)
    with pytest.raises(UserError, match=r"Give them again, in Python: distil\(run_dir, train="):
        distil(str(config.out), callbacks=[recorder])
    assert distil(str(config.out), train=train, callbacks=[recorder]).metrics["status"] == "done"


def test_a_distilled_network_is_neither_continued_as_a_run_nor_distilled_again(
    finished: Callable[..., str], recorder: RecordingCallback
) -> None:
    network = distil(finished(), callbacks=[recorder])
    with pytest.raises(UserError, match="Continue it by `digits-ray distil"):
        run(network.config, [recorder])
    with pytest.raises(UserError, match="a network that was distilled"):
        distil(network.path, callbacks=[recorder])


def test_the_last_screen_and_the_report_tell_who_taught_and_how_it_compares(
    finished: Callable[..., str], recorder: RecordingCallback
) -> None:
    directory = finished()
    shown = CliRunner().invoke(distil_command, [directory, "--epochs", "2"], catch_exceptions=False)
    assert "4 members taught" in shown.output
    assert "3.0 times as fast" in shown.output
    facts = dict(summarize(read_run(f"{directory}/distilled")).facts)
    assert "McNemar" in facts["Against them"]
    assert "of 4 teachers" in facts["Against each"]
    assert facts["Same run again"] == f"digits-ray distil {directory} --architecture compact --epochs 2"


NETWORK = """
import keras

def build(height, width, classes, channels):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax")])
"""


def test_a_network_of_the_users_own_is_executed_only_where_he_names_it(
    finished: Callable[..., str], recorder: RecordingCallback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in (pipeline, distillation):
        monkeypatch.setattr(module, "try_networks", lambda *_: None)
    (tmp_path / "nets.py").write_text(NETWORK)
    own = f"{tmp_path}/nets.py:build"
    directory = finished(**with_members(architectures=(own,)))
    with pytest.raises(UserError, match=rf"its network is one of your own\. Give --architecture {own} once more"):
        distil(directory, callbacks=[recorder])
    network = distil(directory, architecture=own, callbacks=[recorder])
    assert network.config.members.architectures[0].startswith(f"{own}@")
    assert network.metrics["members"][0]["architecture"] == "nets.py:build"
    assert distil(directory, architecture="compact", callbacks=[recorder]).path == f"{directory}/distilled-2"
