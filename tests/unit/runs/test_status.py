"""How far a run is, told from its directory alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from metrics_files import SCORES, shown
from run_directories import claimed, result_of

from digits_ray.cli.terminal import status_screen
from digits_ray.config import Config, member_specs, refit_specs
from digits_ray.errors import UserError
from digits_ray.runs.status import age, status_of
from digits_ray.storage.checkpoints import SavedEpochs


def test_each_member_is_done_unfinished_failed_or_waiting(tmp_path: Path) -> None:
    config = Config(members=replace(Config().members, count=4))
    run, specs = claimed(tmp_path, config), member_specs(config)
    run.write_member(specs[0], replace(result_of(0), attempts=2), SCORES)
    for attempt, epoch in (("01-aa", 3), ("02-bb", 5), ("02-bb", 6)):
        SavedEpochs(run.store, 1, attempt).save(epoch, b"state")
    failed = {"id": 2, "status": "failed", "attempts": 3}
    ensemble = {"members_used": 1, "holdout": SCORES}
    run.write_json("metrics.json", {"members": [failed], "ensemble": ensemble})
    run.write_json("baselines/knn/result.json", {"kind": "knn"})

    status = status_of(str(tmp_path))
    states = [(member.state, member.epoch, member.attempts) for member in status.members]
    assert states == [("done", 1, 2), ("unfinished", 6, 2), ("failed", 0, 3), ("waiting", 0, 0)]
    assert status.baselines == ("knn",)
    assert datetime.now(UTC) - status.last_write < timedelta(minutes=5)
    text = shown(status_screen(status))
    assert "1 of 4 done" in text
    assert "98.61 % (95.00–99.60 %, n = 144)" in text
    assert "submission" not in text


def test_a_refit_is_done_unfinished_failed_or_waiting_whatever_its_member_is(tmp_path: Path) -> None:
    config = Config(members=replace(Config().members, count=4, refit_on_all=True))
    run, refits = claimed(tmp_path, config), refit_specs(config)
    run.write_member(refits[0], result_of(0), None)
    SavedEpochs(run.store, 1, "01-aa", refit=True).save(3, b"state")
    failed = {"id": 2, "status": "done", "refit": {"status": "failed", "attempts": 3}}
    run.write_json("metrics.json", {"members": [failed]})
    status = status_of(str(tmp_path))
    assert {member.state for member in status.members} == {"waiting"}
    states = [(refit.state, refit.epoch, refit.attempts) for refit in status.refits]
    assert states == [("done", 1, 1), ("unfinished", 3, 1), ("failed", 0, 3), ("waiting", 0, 0)]
    text = shown(status_screen(status))
    assert "1 of 4 done" in next(line for line in text.splitlines() if line.startswith("refits"))
    assert "unfinished" in next(line for line in text.splitlines() if line.startswith("1 "))


def test_a_run_that_has_just_begun_and_a_folder_that_is_none(tmp_path: Path) -> None:
    claimed(tmp_path / "run")
    assert {member.state for member in status_of(str(tmp_path / "run")).members} == {"waiting"}
    with pytest.raises(UserError, match="not a run directory"):
        status_of(str(tmp_path))


AGES = [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (2e5, "2 days ago")]


@pytest.mark.parametrize(("seconds", "text"), AGES)
def test_how_long_ago(seconds: float, text: str) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=seconds), now) == text
