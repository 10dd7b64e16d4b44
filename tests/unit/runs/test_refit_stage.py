"""Members trained once more on all labelled rows: what is trained, and which networks the results come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import images_of, write_kaggle_csv
from pretended_work import PretendedWork
from recording_callback import RecordingCallback
from report_runs import arrays_of

from digits_ray import RunCallback, UserError, load_run
from digits_ray.config.schema import BaselinesConfig, Config, DataConfig, MembersConfig, SplitConfig
from digits_ray.runs import status_of
from digits_ray.runs.pipeline import run, tune


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Three members, once scored, are trained once more on all rows."""
    np.savez(tmp_path / "test.npz", images=images_of(np.arange(24) % 3, seed=1))
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 120)), str(tmp_path / "test.npz"))
    members = MembersConfig(count=3, min_members=2, refit_on_all=True)
    return Config(out=str(tmp_path / "run"), data=data, members=members, baselines=BaselinesConfig(enabled=False))


def without_refit(config: Config) -> Config:
    return replace(config, members=replace(config.members, refit_on_all=False))


def with_members(config: Config, count: int) -> Config:
    return replace(config, members=replace(config.members, count=count))


def test_proba(path: str, *files: str) -> np.ndarray:
    """The mean of what some networks predict of the test rows."""
    return np.mean([arrays_of((Path(path) / file).read_bytes())["test_proba"] for file in files], axis=0)


test_proba.__test__ = False  # type: ignore[attr-defined]

FIRST = [f"members/{number:03d}/predictions.npz" for number in range(3)]
REFITS = [f"members/{number:03d}/refit/predictions.npz" for number in range(3)]


def test_refits_come_after_the_scores_and_before_the_report(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    metrics = run(config, [recorder]).metrics
    scored = recorder.events.index("on_training_end")
    after = ["on_refit_begin", *["on_member_progress", "on_refit_end"] * 3, "on_report_step", "on_run_end"]
    assert recorder.events[scored + 1 :] == after
    assert recorder.given("on_refit_begin")[1:] == (3, 3)
    assert work.trained == work.refitted == [0, 1, 2]
    assert work.sessions == 1
    assert metrics["status"] == "done"


def test_refits_write_the_submission_and_the_first_networks_give_every_score(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    without = run(without_refit(replace(config, out=f"{config.out}-without")), [recorder]).metrics
    finished = run(config, [recorder])
    ensemble = arrays_of((Path(finished.path) / "ensemble.npz").read_bytes())
    assert np.allclose(ensemble["test_proba"], test_proba(finished.path, *REFITS))
    assert not np.allclose(ensemble["test_proba"], test_proba(finished.path, *FIRST))
    labels = [line.split(",")[1] for line in (Path(finished.path) / "submission.csv").read_text().split()[1:]]
    assert labels == [str(label) for label in ensemble["test_proba"].argmax(axis=1)]
    assert finished.metrics["ensemble"] == without["ensemble"] | {"refitted": [0, 1, 2]}
    for member, alone in zip(finished.metrics["members"], without["members"], strict=True):
        refit = member.pop("refit")
        assert member == alone
        assert (refit["status"], refit["epochs"]) == ("done", member["epochs"])
        assert "holdout" not in refit
    assert (Path(finished.path) / "leaderboard.csv").read_text().count("member-") == 3


def test_the_networks_that_wrote_the_submission_predict(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    finished = run(config, [recorder])
    for number in range(3):
        (Path(finished.path) / f"members/{number:03d}/refit/model.keras").write_bytes(b"")
    with pytest.raises(UserError, match=r"members/000/refit/model\.keras: missing or damaged"):
        load_run(finished.path).predict(images_of(np.arange(3)))
    run(without_refit(config), [recorder])
    with pytest.raises(UserError, match=r"members/000/model\.keras: missing or damaged"):
        load_run(finished.path).predict(images_of(np.arange(3)))


def test_a_finished_run_called_again_with_a_refit_trains_the_refits_alone_and_draws_its_report_anew(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(without_refit(config), [recorder])
    work.trained = []
    seen: list[str] = []

    class Status(RunCallback):
        def on_refit_begin(self, *_: object) -> None:
            seen.append(status_of(str(config.out)).metrics["status"])

    again = RecordingCallback()
    finished = run(config, [again, Status()])
    assert (work.trained, work.refitted) == ([], [0, 1, 2])
    assert "on_plan" not in again.events
    assert seen == ["running"]
    assert finished.metrics["status"] == "done"
    assert (work.sessions, work.reports) == (2, 2)


def test_the_same_run_again_trains_the_refits_that_are_missing(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    before = run(config, [recorder])
    submission = (Path(before.path) / "submission.csv").read_bytes()
    (Path(before.path) / "members/001/refit/result.json").unlink()
    work.trained, work.refitted = [], []
    run(config, [recorder])
    assert (work.trained, work.refitted) == ([], [1])
    assert (Path(before.path) / "submission.csv").read_bytes() == submission


def test_a_finished_run_with_refits_starts_no_ray_and_writes_nothing(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    before = run(config, [recorder]).metrics
    assert run(config, [RecordingCallback()]).metrics == before
    assert (work.sessions, work.reports) == (1, 1)


def test_without_the_refit_the_first_networks_write_the_submission_again(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(config, [recorder])
    finished = run(without_refit(config), [recorder])
    ensemble = arrays_of((Path(finished.path) / "ensemble.npz").read_bytes())
    assert np.allclose(ensemble["test_proba"], test_proba(finished.path, *FIRST))
    assert "refitted" not in finished.metrics["ensemble"]
    assert (work.sessions, work.reports) == (1, 2)


def test_until_the_last_refit_is_done_the_first_networks_write_the_results(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    class Stops(RunCallback):
        def on_refit_end(self, member_id: int, *_: object) -> None:
            if member_id == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, [recorder, Stops()])
    stopped = load_run(str(config.out))
    ensemble = arrays_of((Path(stopped.path) / "ensemble.npz").read_bytes())
    assert np.allclose(ensemble["test_proba"], test_proba(stopped.path, *FIRST))
    assert stopped.metrics["ensemble"]["refitted"] == []
    assert [refit.state for refit in status_of(stopped.path).refits] == ["done", "done", "waiting"]
    run(config, [recorder])
    assert work.refitted == [0, 1, 2]


def test_a_refit_that_is_given_up_leaves_its_vote_to_the_first_network_and_is_tried_again(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.lost_refits = {1}
    finished = run(config, [recorder])
    ensemble = arrays_of((Path(finished.path) / "ensemble.npz").read_bytes())
    assert np.allclose(ensemble["test_proba"], test_proba(finished.path, REFITS[0], FIRST[1], REFITS[2]))
    assert recorder.given("on_refit_failure")[0].member_id == 1
    assert finished.metrics["status"] == "done"
    assert finished.metrics["ensemble"]["refitted"] == [0, 2]
    assert finished.metrics["members"][1]["refit"]["error"] == "FloatingPointError: the loss is nan"
    work.lost_refits = set()
    assert run(config, [recorder]).metrics["ensemble"]["refitted"] == [0, 1, 2]
    assert work.refitted == [0, 1, 2, 1]


def test_a_member_that_was_given_up_is_not_trained_once_more(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    work.lost = {1}
    finished = run(config, [recorder])
    assert work.refitted == finished.metrics["ensemble"]["refitted"] == [0, 2]
    assert finished.metrics["status"] == "done"


@pytest.mark.parametrize("split", [SplitConfig(), SplitConfig(scheme="kfold", folds=3)])
def test_a_larger_ensemble_trains_the_new_members_and_their_refits_alone(
    split: SplitConfig, config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    config = replace(config, split=split)
    before = run(config, [recorder]).metrics
    larger = run(with_members(config, 5), [recorder]).metrics
    assert work.trained == work.refitted == [0, 1, 2, 3, 4]
    assert larger["ensemble"]["refitted"] == [0, 1, 2, 3, 4]
    assert larger["members"][:3] == before["members"]


def test_tune_trains_no_refit_and_leaves_those_that_are_there_their_votes(
    config: Config, work: PretendedWork, recorder: RecordingCallback
) -> None:
    run(config, [recorder])
    assert tune(config, [recorder]).metrics["ensemble"]["refitted"] == [0, 1, 2]
    run(with_members(config, 4), [recorder])
    (Path(str(config.out)) / "members/003/refit/result.json").unlink()
    work.refitted = []
    assert tune(with_members(config, 4), [recorder]).metrics["status"] == "running"
    assert work.refitted == []
