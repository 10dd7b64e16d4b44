"""The stages of a run in their order, where training, searching and Ray itself are pretended."""

import errno
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import images_of, write_kaggle_csv
from pretended_work import PretendedWork
from recording_callback import RecordingCallback

import digits_ray
from digits_ray import RunCallback, RunError, UserError, load_run
from digits_ray.config.schema import (
    BaselinesConfig,
    Config,
    DataConfig,
    EnsembleConfig,
    MembersConfig,
    ResourcesConfig,
    SplitConfig,
)
from digits_ray.report import ReportStep
from digits_ray.runs import stages
from digits_ray.runs.pipeline import run, tune
from digits_ray.runs.result_files import ResultFiles


@pytest.fixture
def config(tmp_path: Path) -> Config:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 120)))
    members = MembersConfig(count=3, min_members=2)
    return Config(out=str(tmp_path / "run"), data=data, members=members, baselines=BaselinesConfig(enabled=False))


@pytest.fixture
def with_baselines(config: Config) -> Config:
    return replace(config, baselines=BaselinesConfig())


BEGINNING, END = ["on_run_begin", "on_settings", "on_data_loaded"], ["on_run_end"]
ONE_MEMBER = ["on_member_progress", "on_member_end"]
SEARCH = ["on_search_progress", *["on_baseline_end"] * 3]


def test_a_run_loads_trains_searches_combines_and_reports_in_this_order(
    with_baselines: Config, work: PretendedWork, recorder: RecordingCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NotedFiles(ResultFiles):
        def write_final(self) -> Mapping[str, Any]:
            recorder.calls.append(("combine", ()))
            return super().write_final()

    monkeypatch.setattr(stages, "ResultFiles", NotedFiles)
    finished = run(with_baselines, [recorder])
    training = ["on_plan", *ONE_MEMBER * 3, "on_training_end"]
    assert recorder.events == [*BEGINNING, *training, *SEARCH, "combine", "on_report_step", *END]
    assert work.searched == finished.baselines == ["knn", "tree", "forest"]
    assert work.trained == finished.member_ids == [0, 1, 2]
    assert (work.sessions, work.reports) == (1, 1)
    assert finished.metrics["status"] == "done"


def test_a_member_s_event_tells_what_its_files_hold(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    finished = run(config, [recorder])
    member_id, record, metrics = recorder.given("on_member_end")
    record_json = json.loads(json.dumps(record.to_json()))
    assert finished.metrics["members"][member_id] == finished.metrics["members"][0] | record_json
    assert metrics["ensemble"]["members_used"] == 1


def test_the_same_run_again_trains_and_searches_what_is_missing(
    with_baselines: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(with_baselines, [recorder])
    directory = Path(str(with_baselines.out))
    (directory / "members/001/result.json").unlink()
    (directory / "baselines/tree/result.json").unlink()
    work.trained, work.searched = [], []
    run(with_baselines, [recorder])
    assert work.trained == [1]
    assert work.searched == ["tree"]
    assert work.reports == 2


def test_a_finished_run_starts_no_ray_and_writes_nothing(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    before = run(config, [recorder]).metrics
    again = RecordingCallback()
    assert run(config, [again]).metrics == before
    assert again.events == [*BEGINNING, *END]
    assert (work.sessions, work.reports) == (1, 1)


@pytest.mark.parametrize(("split", "folds"), [(SplitConfig(), [0, 0]), (SplitConfig("kfold", folds=3), [0, 1])])
def test_a_finished_run_is_enlarged_by_the_missing_members_alone(
    split: SplitConfig, folds: list[int], config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    config = replace(config, split=split)
    before = run(config, [recorder]).metrics
    larger = run(replace(config, members=MembersConfig(count=5)), [recorder])
    assert work.trained == [0, 1, 2, 3, 4]
    assert larger.metrics["members"][:3] == before["members"]
    assert larger.metrics["ensemble"]["members_used"] == 5
    specs = [json.loads((Path(larger.path) / f"members/00{number}/spec.json").read_text()) for number in (3, 4)]
    assert [spec["fold"] for spec in specs] == folds


def test_another_rule_of_voting_combines_and_reports_anew_without_training(
    with_baselines: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(with_baselines, [recorder])
    voting = run(replace(with_baselines, ensemble=EnsembleConfig(True, 0.1)), [recorder])
    assert voting.metrics["ensemble"]["method"] == "weighted mean"
    assert (work.sessions, work.reports) == (1, 2)


def test_tune_searches_baselines_and_trains_no_member(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    found = tune(config, [recorder])
    assert recorder.events == [*BEGINNING, *SEARCH, "on_report_step", *END]
    assert work.trained == found.member_ids == []
    assert found.metrics["status"] == "running"


def test_too_few_members_end_the_run_and_what_was_finished_stays(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.lost = {1, 2}
    with pytest.raises(RunError, match=r"2 of 3 members failed, fewer than min_members=2 .*the loss is nan"):
        run(config, [recorder])
    assert recorder.events[-3:] == ["on_member_progress", "on_member_failure", "on_run_end"]
    assert load_run(str(config.out)).member_ids == [0]


def test_a_callback_that_raises_ends_the_run_and_loses_no_member(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    class Fails(RunCallback):
        def on_member_end(self, member_id: int, *_: object) -> None:
            if member_id == 1:
                raise ValueError("a defect of the callback")

    with pytest.raises(ValueError, match="a defect of the callback"):
        run(config, [recorder, Fails()])
    assert recorder.events[-1] == "on_run_end"
    assert load_run(str(config.out)).member_ids == [0, 1]
    assert run(config, [recorder]).member_ids == [0, 1, 2]
    assert work.trained == [0, 1, 2]


def test_a_report_that_cannot_be_drawn_is_told_and_costs_no_result(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.report_error = OSError("disk full")
    assert run(config, [recorder]).metrics["status"] == "done"
    (told,) = recorder.given("on_report_failure")
    assert told.startswith("OSError: disk full (")


def test_what_needs_no_ensemble_is_drawn_while_ray_ends(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(config, [recorder])
    assert work.drawing == ["begin", "Ray's end", "finish", "close"]


def test_members_on_gpus_do_not_wait_for_their_report_to_import_keras(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.gpus_per_member = 0.5
    run(config, [recorder])
    assert work.trained == [0, 1, 2]
    assert work.drawing == ["open_process", "begin", "Ray's end", "finish", "close"]


def test_without_a_report_nothing_of_it_is_begun(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.gpus_per_member = 0.5
    run(config, [recorder], report=False)
    assert work.drawing == ["Ray's end", "close"]


def test_an_interrupted_run_ends_the_report_that_it_has_begun(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    class Interrupts(RunCallback):
        def on_report_step(self, step: ReportStep) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, [recorder, Interrupts()])
    assert work.drawing[-2:] == ["finish", "close"]


def test_a_refused_run_has_an_end_too(config: Config, work: PretendedWork, recorder: RecordingCallback) -> None:
    with pytest.raises(UserError, match="above 1, Ray gives whole GPUs"):
        run(replace(config, resources=ResourcesConfig(gpus_per_member=1.5)), [recorder])
    assert recorder.events == ["on_run_begin", "on_run_end"]
    assert not Path(str(config.out)).exists()


def test_a_directory_that_cannot_be_written_is_refused_before_ray_starts(
    config: Config, work: PretendedWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**how: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("digits_ray.storage.store.TemporaryFile", refuse)
    with pytest.raises(UserError, match="the file system is read-only"):
        run(config)
    assert work.sessions == 0


def test_view_is_still_taken_and_warns(config: Config, work: PretendedWork, recorder: RecordingCallback) -> None:
    with pytest.warns(DeprecationWarning, match=r"callbacks=\[…\]") as caught:
        digits_ray.run(config, view=recorder)
    assert caught[0].filename == __file__
    assert recorder.events[-1] == "on_run_end"
    with pytest.warns(DeprecationWarning):
        tune(config, view=recorder)


def test_a_preset_s_name_a_path_and_out_make_a_run(
    config: Config, work: PretendedWork, recorder: RecordingCallback, tmp_path: Path
) -> None:
    finished = run("smoke", [recorder], train=config.data.train, out=tmp_path / "by name")
    (settings,) = recorder.given("on_settings")
    assert (settings.preset, settings.members.count, settings.data.train) == ("smoke", 2, config.data.train)
    assert finished.path == settings.out == str(tmp_path / "by name")
    assert len(work.trained) == 2


# Arrays in the place of files


@pytest.fixture
def arrays(config: Config) -> tuple[np.ndarray, list[str]]:
    """The images and labels of a learnable task."""
    labels = np.arange(120) % 3
    return images_of(labels), [f"class {label}" for label in labels]


@pytest.fixture
def without_files(config: Config) -> Config:
    return replace(config, data=DataConfig())


def test_arrays_are_trained_on_and_the_same_call_continues(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    finished = run(without_files, [recorder], train=(images, labels), test=images[:7])
    assert finished.classes == ("class 0", "class 1", "class 2")
    assert (Path(finished.path) / "submission.csv").read_text().count("\n") == 8
    (Path(finished.path) / "members/001/result.json").unlink()
    work.trained = []
    run(without_files, [recorder], train=(images[..., None].tolist(), labels), test=images[:7] / 255)
    assert work.trained == [1]


def test_a_file_of_the_same_images_continues_a_run_on_arrays(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback, tmp_path: Path
) -> None:
    np.savez(tmp_path / "train.npz", images=arrays[0], labels=arrays[1])
    run(without_files, [recorder], train=arrays)
    work.trained = []
    run(replace(without_files, data=DataConfig(train=tmp_path / "train.npz")), [recorder])
    assert work.trained == []


def test_other_arrays_are_another_run(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    run(without_files, [recorder], train=(images, labels))
    with pytest.raises(UserError, match=r"holds another run: data.train_sha256"):
        run(without_files, train=(255 - images, labels))


def test_a_run_on_arrays_is_not_continued_without_them(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(without_files, [recorder], train=arrays)
    with pytest.raises(UserError, match=r"run: this run was trained on arrays. Give them again, in Python: run\("):
        run(without_files)


def test_arrays_beside_files_or_without_training_images_are_refused(
    config: Config, without_files: Config, arrays: Any, work: PretendedWork
) -> None:
    with pytest.raises(UserError, match=r"data.train is .*train.csv, but arrays are given too"):
        run(config, train=arrays)
    with pytest.raises(UserError, match=r"data.train is .*train.csv, but arrays are given too"):
        run(config, test=arrays[0])
    with pytest.raises(UserError, match=r"test=images is given without training images"):
        tune(without_files, test=arrays[0])
    assert work.trained == work.searched == []


def test_colour_images_are_searched_without_deskewing_and_this_is_told(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    colour = np.stack([images, 255 - images, images], axis=-1)
    tune(without_files, [recorder], train=(colour, labels))
    data, *_ = recorder.given("on_data_loaded")
    assert data.notes == ("images in colour: the baselines are searched without deskewing",)


def test_all_training_rows_train_where_a_holdout_is_given_and_its_rows_score(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    finished = run(without_files, [recorder], train=(images[:90], labels[:90]), holdout=(images[90:], labels[90:]))
    assert finished.metrics["data"] == {"train_rows": 90, "holdout_rows": 30, "test_rows": 0, "classes": 3}
    scores = finished.metrics["ensemble"]["holdout"]
    assert scores["rows"] == finished.metrics["members"][0]["holdout"]["rows"] == 30
    assert finished.held_out.labels.tolist() == np.unique(labels, return_inverse=True)[1][90:].tolist()
    assert "without_training_images" not in scores


def test_held_out_images_that_are_trained_on_count_and_the_accuracy_without_them_is_there_too(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    finished = run(without_files, [recorder], train=(images[:90], labels[:90]), holdout=(images[80:], labels[80:]))
    scores = finished.metrics["ensemble"]["holdout"]
    unseen = scores["without_training_images"]
    assert (scores["rows"], unseen["rows"]) == (40, 30)
    low, high = unseen["accuracy_ci95"]
    assert low < unseen["accuracy"] <= high


def test_another_holdout_is_another_run(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback
) -> None:
    images, labels = arrays
    train = (images[:90], labels[:90])
    run(without_files, [recorder], train=train, holdout=(images[90:], labels[90:]))
    with pytest.raises(UserError, match=r"holds another run: data.holdout_rows is 30 there, 29 here"):
        run(without_files, train=train, holdout=(images[91:], labels[91:]))
    with pytest.raises(UserError, match=r"holds another run: data.holdout_rows is 30 there, 0 here"):
        run(without_files, train=train)


def test_a_run_continues_only_with_the_same_groups(
    without_files: Config, arrays: Any, work: PretendedWork, recorder: RecordingCallback, tmp_path: Path
) -> None:
    writers = np.arange(120) // 3
    run(without_files, [recorder], train=arrays, groups=writers)
    for others in (None, writers // 2):
        with pytest.raises(UserError, match=r"holds another run: data.groups_sha256 is .* there, "):
            run(without_files, train=arrays, groups=others)
    np.savez(tmp_path / "train.npz", images=arrays[0], labels=arrays[1], writer=1000 - writers)
    work.trained = []
    data, split = DataConfig(train=tmp_path / "train.npz"), SplitConfig(groups="writer")
    with_column = replace(without_files, data=data, split=split)
    assert run(with_column, [recorder]).member_ids == [0, 1, 2]
    assert work.trained == []


def test_groups_and_a_holdout_beside_files_or_without_training_images_are_refused(
    config: Config, without_files: Config, arrays: Any, work: PretendedWork
) -> None:
    with pytest.raises(UserError, match=r"data.train is .*train.csv, but arrays are given too"):
        run(config, groups=[1])
    with pytest.raises(UserError, match=r"split.groups is writer, but arrays are given too"):
        run(replace(without_files, split=SplitConfig(groups="writer")), train=arrays)
    with pytest.raises(UserError, match=r"data.size is 5 × 5, but images here have"):
        run(replace(without_files, data=DataConfig(size=5)), train=arrays)
    with pytest.raises(UserError, match=r"holdout=\(images, labels\) is given without training images"):
        run(without_files, holdout=arrays)
    with pytest.raises(UserError, match=r"split.scheme is kfold, but a holdout is given"):
        run(replace(without_files, split=SplitConfig("kfold")), train=arrays, holdout=arrays)
    assert work.trained == []
