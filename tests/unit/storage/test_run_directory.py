"""The run directory: what counts as finished, what is refused, what a kill leaves behind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import spec_of
from run_directories import DATA, claimed, result_of

from digits_ray.config import loading
from digits_ray.config.schema import Config
from digits_ray.errors import UserError
from digits_ray.storage.run_directory import RunDirectory, SavedEpochs


def test_a_member_counts_as_finished_only_with_its_result_and_its_spec(tmp_path: Path) -> None:
    run, spec = claimed(tmp_path), spec_of()
    assert run.result(spec) is None
    run.write_member(spec, result_of(), {"accuracy": 1.0})
    assert run.result(spec)["holdout"] == {"accuracy": 1.0}
    assert run.result(replace(spec, seed=99)) is None
    (tmp_path / "members/000/result.json").write_text('{"spec_ha')
    assert run.result(spec) is None


def test_result_json_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from digits_ray.storage.store import Store

    written: list[str] = []
    original = Store.write
    monkeypatch.setattr(Store, "write", lambda store, name, data: (written.append(name), original(store, name, data)))
    claimed(tmp_path).write_member(spec_of(), result_of(), None)
    members = [name for name in written if name not in ("config.yaml", "data.json")]
    assert members == [
        "spec.json",
        "history.csv",
        "events.out.tfevents.history",
        "predictions.npz",
        "model.keras",
        "result.json",
    ]


def test_of_two_runs_that_begin_at_once_in_a_new_directory_the_later_changes_nothing(tmp_path: Path) -> None:
    other_data = {**DATA, "train_sha256": "b" * 64}
    later = RunDirectory.at(str(tmp_path), Config(), other_data)
    first = claimed(tmp_path)
    with pytest.raises(UserError, match="another digits-ray run is writing here"):
        later.claim(Config(), other_data)
    first.close()
    with pytest.raises(UserError, match="holds another run"):
        later.claim(Config(), other_data)
    assert first.data() == DATA


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    run.write_member(spec_of(), result_of(), None)
    back, expected = run.prediction(0), result_of().prediction
    assert back.model_id == expected.model_id
    for name in ("holdout_row_ids", "holdout_proba", "test_row_ids", "test_proba"):
        assert np.array_equal(getattr(back, name), getattr(expected, name))


def test_saved_epochs_go_once_the_member_is_finished(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    SavedEpochs(run.store, 0, "01-a").save(1, b"state")
    run.write_member(spec_of(), result_of(), None)
    assert run.store.names("members/000/attempts") == []


def archive(value: float) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.savez(file, value=np.full(1000, value))
    return file.getvalue()


def test_the_latest_whole_epoch_of_any_attempt_comes_first(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    first, second = SavedEpochs(run.store, 0, "01-a"), SavedEpochs(run.store, 0, "02-b")
    for epoch in (1, 2, 3):
        first.save(epoch, archive(epoch))
    second.save(4, archive(4)[:-200])  # cut short
    candidates = list(second.candidates())
    assert candidates == [archive(3), archive(2)]


def test_an_attempt_keeps_its_last_two_epochs_and_leaves_others_alone(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    SavedEpochs(run.store, 0, "01-a").save(1, archive(1))
    for epoch in (2, 3, 4):
        SavedEpochs(run.store, 0, "02-b").save(epoch, archive(epoch))
    names = [name.split("attempts/")[1] for name in run.store.names("members")]
    assert names == ["01-a/epoch-000001.npz", "02-b/epoch-000003.npz", "02-b/epoch-000004.npz"]


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    with pytest.raises(UserError, match=r"seed is 0 there, 1 here"):
        RunDirectory.at(str(tmp_path), Config(seed=1), DATA)
    other = loading.load_config(settings=["members.recipe.batch_size=7"])
    with pytest.raises(UserError, match=r"members\.recipe\.batch_size is \d+ there, 7 here"):
        RunDirectory.at(str(tmp_path), other, DATA)


def test_other_data_are_refused_and_named(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    with pytest.raises(UserError, match=r"data\.train_rows is 3 there, 4 here"):
        RunDirectory.at(str(tmp_path), Config(), DATA | {"train_rows": 4})


def test_more_members_other_resources_and_another_path_to_the_same_data_are_welcome(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    flags = {"members.count": 20, "resources.cpus_per_member": 2, "data.train": "elsewhere.csv", "out": "x"}
    config = loading.config_from_dict(loading.config_to_dict(Config()))
    values = loading.config_to_dict(config)
    for key, value in flags.items():
        loading._set_nested(values, key, value)
    RunDirectory.at(str(tmp_path), loading.config_from_dict(values), DATA)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(UserError, match="holds other files"):
        RunDirectory.at(str(tmp_path), Config(), DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_processes_never_write_to_one_run(tmp_path: Path) -> None:
    first = claimed(tmp_path)
    with pytest.raises(UserError, match="another digits-ray run"):
        claimed(tmp_path)
    first.close()
    claimed(tmp_path)


def test_looking_at_a_place_writes_nothing(tmp_path: Path) -> None:
    RunDirectory.at(str(tmp_path / "new"), Config(), DATA)
    assert not (tmp_path / "new").exists()


def test_a_place_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory"):
        RunDirectory.existing(str(tmp_path))


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_member_with_damaged_predictions_is_trained_anew(part: float, tmp_path: Path) -> None:
    run, spec = claimed(tmp_path), spec_of()
    run.write_member(spec, result_of(), None)
    assert run.finished(spec) is not None
    file = tmp_path / "members/000/predictions.npz"
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    assert run.finished(spec) is None
    with pytest.raises(UserError, match=r"predictions\.npz: missing or damaged.*digits-ray run"):
        run.prediction(0)
    file.unlink()
    assert run.finished(spec) is None


@pytest.mark.parametrize("content", [b"", b"members:\n\tcount", b"just text", b"- 1", b"memb: 1", b"\xff"])
def test_damaged_settings_are_told_in_one_line(content: bytes, tmp_path: Path) -> None:
    run = claimed(tmp_path)
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml: missing or damaged") as refusal:
        run.config()
    assert "\n" not in str(refusal.value)


def test_damaged_files_are_told_with_their_cure(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    run.write_member(spec_of(), result_of(), None)
    with pytest.raises(UserError, match=r"members/000/model\.keras: missing or damaged.*Delete result\.json"):
        run.whole_model_file(0)
    (tmp_path / "data.json").write_text('{"train_sha')
    with pytest.raises(UserError, match=r"data\.json: missing or damaged.*written anew"):
        run.data()
