"""The names of what lies in a run directory: those that tests, jobs and users rely on."""

import pytest

from digits_ray.storage import layout
from digits_ray.storage.layout import SavedEpochFile


def test_members_and_baselines_lie_where_the_contract_says() -> None:
    assert layout.member_file(7, layout.RESULT) == "members/007/result.json"
    assert layout.member_folder(1234) == "members/1234"
    assert layout.member_file(7, layout.RESULT, refit=True) == "members/007/refit/result.json"
    assert layout.baseline_file("knn", layout.TRIALS) == "baselines/knn/trials.csv"
    assert layout.trial_file("knn", "ab12") == "baselines/knn/trials/ab12.json"
    assert layout.figure("curves") == "figures/curves.png"


@pytest.mark.parametrize(("member_id", "epoch", "refit"), [(0, 1, False), (7, 11, True), (1234, 1_000_000, True)])
def test_the_name_of_a_saved_epoch_tells_all_about_it(member_id: int, epoch: int, refit: bool) -> None:
    file = SavedEpochFile(member_id, layout.attempt_name(12, "5e59c718"), epoch, refit)
    assert SavedEpochFile.parse(file.name) == file
    assert file.attempt_number == 12


def test_a_saved_epoch_of_0_1_0_is_known_by_its_name() -> None:
    name = "members/001/attempts/01-5e59c718/epoch-000011.npz"
    assert SavedEpochFile.parse(name) == SavedEpochFile(1, "01-5e59c718", 11)


@pytest.mark.parametrize(
    "name", ["members/001/result.json", "members/001/attempts/notes/epoch-000011.npz", "ensemble.npz"]
)
def test_other_files_are_no_saved_epochs(name: str) -> None:
    assert SavedEpochFile.parse(name) is None


def test_a_baseline_is_finished_by_its_result_alone() -> None:
    assert layout.finished_baseline("baselines/knn/result.json") == "knn"
    assert layout.finished_baseline("baselines/knn/trials.csv") is None
