"""What each further member costs the driver: bounded writes, flat memory."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_runs import invented_result, make_run, state_at

from digits_ray.data import Data
from digits_ray.report import draw_ensemble, missing, run_contents
from digits_ray.runs import result_files
from digits_ray.runs.result_files import INTERIM_SECONDS, ResultFiles
from digits_ray.storage.member_files import MemberFiles


class Clock:
    """A clock that tests move; a write takes `write_seconds`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.write_seconds, self.writes = 1000.0, 0.0, 0
        original = ResultFiles.write

        def write(results: ResultFiles, *, final: bool) -> Mapping[str, Any]:
            self.writes += 1
            self.now += self.write_seconds
            return original(results, final=final)

        monkeypatch.setattr(result_files.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(ResultFiles, "write", write)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def results_at(place: Path, members: int, data: Data | None = None) -> ResultFiles:
    """Begins a run that has no member yet."""
    return ResultFiles(state_at(place, members, data))


def write_member(results: ResultFiles, number: int) -> None:
    """Counts a member in."""
    results.state.write_member(invented_result(results.state, results.state.inputs.specs[number]))


def finish_member(results: ResultFiles, number: int) -> int:
    """Counts a member in, and returns how many the ensemble has that was written last."""
    write_member(results, number)
    return results.write_interim()["ensemble"]["members_used"]


def test_the_first_member_is_in_a_submission_at_once(tmp_path: Path, clock: Clock) -> None:
    results = results_at(tmp_path, members=3)
    assert results.write_interim() == {}
    assert clock.writes == 0
    assert finish_member(results, 0) == 1
    assert (tmp_path / "submission.csv").read_text().count("\n") == 31


def test_a_submission_has_the_ids_of_the_test_file_and_the_names_of_the_settings(tmp_path: Path, clock: Clock) -> None:
    ids = tuple(f"sheet {row}" for row in range(30))
    data = replace(state_at(tmp_path / "plain", 1).inputs.data, test_ids=ids, id_column="scan")
    for folder, flags, header in (
        ("own", {}, "scan,Label"),
        ("set", {"submission__label_column": "digit"}, "scan,digit"),
    ):
        finish_member(ResultFiles(state_at(tmp_path / folder, 1, data, **flags)), 0)
        lines = (tmp_path / folder / "submission.csv").read_text().splitlines()
        assert lines[0] == header
        assert [line.split(",")[0] for line in lines[1:]] == list(ids)


def test_members_that_end_together_are_written_together_as_soon_as_it_is_due(tmp_path: Path, clock: Clock) -> None:
    results = results_at(tmp_path, members=9)
    assert [finish_member(results, number) for number in range(5)] == [1, 1, 1, 1, 1]
    clock.now += INTERIM_SECONDS
    assert results.write_interim()["ensemble"]["members_used"] == 5  # no member had to end for it
    clock.now += INTERIM_SECONDS
    results.write_interim()
    assert clock.writes == 2  # nothing new, nothing written


def test_slow_storage_is_written_to_for_a_tenth_of_the_time_at_most(tmp_path: Path, clock: Clock) -> None:
    results, clock.write_seconds = results_at(tmp_path, members=4), 5.0
    finish_member(results, 0)
    clock.now += 44.0  # 49 s after the write began
    assert finish_member(results, 1) == 1
    clock.now += 1.0
    assert finish_member(results, 2) == 3


def test_the_last_members_are_not_kept_waiting_when_nothing_follows(tmp_path: Path, clock: Clock) -> None:
    results = results_at(tmp_path, members=3)
    finish_member(results, 0)
    finish_member(results, 1)
    assert results.write_interim(at_once=True)["ensemble"]["members_used"] == 2


def test_the_final_files_do_not_depend_on_the_interim_ones(tmp_path: Path) -> None:
    written, unwritten = results_at(tmp_path / "written", members=4), results_at(tmp_path / "unwritten", members=4)
    for number in (2, 0, 3, 1):
        finish_member(written, number)
        write_member(unwritten, number)
    written.write_final()
    unwritten.write_final()
    for file in ("submission.csv", "ensemble.npz", "leaderboard.csv"):
        assert (tmp_path / "written" / file).read_bytes() == (tmp_path / "unwritten" / file).read_bytes()


def test_the_drivers_memory_does_not_grow_with_the_members(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(400) % 4).astype(np.int32)
    images = rng.integers(0, 256, (400, 8, 8), dtype=np.uint8)
    data = Data(images, labels, (0, 1, 2, 3), rng.integers(0, 256, (20_000, 8, 8), dtype=np.uint8), "a.csv", "b.csv")
    results = results_at(tmp_path, members=24, data=data)
    one_prediction = 20_000 * (4 * 4 + 8)  # probabilities and row ids, bytes
    finish_member(results, 0)
    tracemalloc.start()
    for number in range(1, 24):
        write_member(results, number)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    results.write(final=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 2 * one_prediction
    assert peak < 12 * one_prediction  # sums, checks and files of one ensemble; 23 predictions would not fit


def test_the_report_reads_predictions_when_it_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_run(tmp_path / "run", members=3, models=False)
    read: list[int] = []
    original = MemberFiles.prediction
    monkeypatch.setattr(
        MemberFiles, "prediction", lambda directory, number: (read.append(number), original(directory, number))[1]
    )
    contents = run_contents.read_run(place)
    assert read == []
    assert contents.members[1].prediction is not None
    assert read == [1]


def test_pictures_of_single_members_show_some_of_many_and_say_so(tmp_path: Path) -> None:
    contents = run_contents.read_run(make_run(tmp_path / "run", members=run_contents.SHOWN_MEMBERS + 3, models=False))
    assert len(contents.finished_members) == 43
    assert [member.spec.member_id for member in contents.shown_members] == list(range(40))
    assert "Pictures of single members show the first 40 of 43." in missing.missing_from_members(contents, "")
    assert "From one member to 43" in draw_ensemble.ensemble_size(contents).caption
