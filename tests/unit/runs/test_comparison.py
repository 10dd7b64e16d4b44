"""Two runs on the rows that both scored."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_runs import _data, invented_result, state_at

from digits_ray import UserError, compare, load_run
from digits_ray.data import Data
from digits_ray.data.holdout import Holdout, add_holdout
from digits_ray.ensemble import mcnemar
from digits_ray.runs.result_files import ResultFiles
from digits_ray.storage import RunDirectory, Store, layout

if TYPE_CHECKING:
    from s3_server import S3

DATA = _data(4, 8, 240, 30, None)


def run_at(out: Path | str, skill: float = 1.2, data: Data = DATA, **flags: Any) -> str:
    """A finished run of two members."""
    state = state_at(out, 2, data, **flags)  # type: ignore[arg-type]
    for spec in state.inputs.specs:
        state.write_member(invented_result(state, spec, skill))
    ResultFiles(state).write(final=True)
    state.directory.close()
    return str(out)


def correct_rows(out: str) -> dict[int, bool]:
    """Whether the ensemble is right on each row that it scored, by its id."""
    arrays = RunDirectory(Store.at(out)).read_arrays(layout.ENSEMBLE)
    assert arrays is not None
    top = arrays["holdout_proba"].argmax(axis=1)
    ids = arrays["holdout_row_ids"]
    return dict(zip(ids.tolist(), (top == DATA.labels[ids]).tolist(), strict=True))


def test_two_runs_are_compared_on_the_rows_that_both_scored_by_id(tmp_path: Path) -> None:
    a, b = run_at(tmp_path / "a", split__holdout=0.5), run_at(tmp_path / "b", 0.3, seed=1, split__holdout=0.5)
    right_a, right_b = correct_rows(a), correct_rows(b)
    common = sorted(set(right_a) & set(right_b))
    assert 20 < len(common) < 100
    found = compare(a, b)
    in_a, in_b = (np.array([right[row] for row in common]) for right in (right_a, right_b))
    test = mcnemar(in_a, in_b)
    assert (found.rows, found.a.scored_rows, found.b.scored_rows) == (len(common), 120, 120)
    assert (found.only_a_right, found.only_b_right, found.p_value) == tuple(vars(test).values())
    assert (found.a.accuracy, found.b.accuracy) == (in_a.mean(), in_b.mean())
    assert found.difference == pytest.approx(in_a.mean() - in_b.mean())
    assert found.difference_ci95[0] < found.difference < found.difference_ci95[1]
    assert found.p_value < 0.05
    assert found.conclusion.startswith(f"{a} is more accurate than {b}: ")


def test_the_conclusion_is_about_the_better_one_whichever_comes_first(tmp_path: Path) -> None:
    a, b = run_at(tmp_path / "a", 0.3, split__holdout=0.5), run_at(tmp_path / "b", split__holdout=0.5)
    forth, back = compare(a, b), compare(b, a)
    assert forth.conclusion == back.conclusion
    assert forth.conclusion.startswith(f"{b} is more accurate than {a}: ")
    assert "It gains +" in forth.conclusion


def test_runs_that_do_not_differ_are_told_so(tmp_path: Path) -> None:
    a = run_at(tmp_path / "a")
    found = compare(load_run(a), Path(a))
    assert (found.p_value, found.difference) == (1.0, 0.0)
    assert found.conclusion.startswith("No difference is shown: one like this may well be chance (McNemar's p = 1).")


def test_folds_and_a_split_of_the_same_images_have_rows_in_common(tmp_path: Path) -> None:
    a, b = run_at(tmp_path / "a"), run_at(tmp_path / "b", split__scheme="kfold", split__folds=2)
    assert compare(a, b).rows == 24


def given_holdout(train: slice, labels: np.ndarray | None = None) -> Data:
    """The first rows train, the last 40 are given as holdout."""
    held_out = DATA.labels[200:] if labels is None else labels
    data = replace(DATA, images=DATA.images[train], labels=DATA.labels[train])
    return add_holdout(data, Holdout("holdout.csv", DATA.images[200:], held_out, DATA.classes))


def test_runs_on_other_training_images_are_compared_on_the_same_holdout(tmp_path: Path) -> None:
    a = run_at(tmp_path / "a", data=given_holdout(slice(200)))
    b = run_at(tmp_path / "b", data=given_holdout(slice(100)))
    assert compare(a, b).rows == 40


def test_other_data_are_refused(tmp_path: Path) -> None:
    a = run_at(tmp_path / "a")
    others = replace(DATA, labels=DATA.labels[::-1].copy())
    with pytest.raises(UserError, match=r"scored rows of different data \(train_sha256 is \w+… and \w+…\)\. Compare"):
        compare(a, run_at(tmp_path / "b", data=others))
    c = run_at(tmp_path / "c", data=given_holdout(slice(200)))
    d = run_at(tmp_path / "d", data=given_holdout(slice(200), DATA.labels[200:][::-1].copy()))
    with pytest.raises(UserError, match=r"different data \(holdout_sha256 is"):
        compare(c, d)
    with pytest.raises(UserError, match=r"different data"):
        compare(a, c)


def test_runs_without_a_row_in_common_are_refused_with_a_cure(tmp_path: Path) -> None:
    a = run_at(tmp_path / "a", split__holdout=0.02)
    b = run_at(tmp_path / "b", seed=1, split__holdout=0.02)
    with pytest.raises(
        UserError, match=r"scored no row in common: 5 and 5 rows of other splits. Give both the same seed"
    ):
        compare(a, b)
    c = run_at(tmp_path / "c", data=replace(DATA, images=DATA.images[:200], labels=DATA.labels[:200]))
    d = run_at(tmp_path / "d", data=given_holdout(slice(200)))
    with pytest.raises(UserError, match=r"scored no row in common: one has a holdout of its own"):
        compare(c, d)


def test_what_has_no_scored_ensemble_is_refused(tmp_path: Path) -> None:
    a = run_at(tmp_path / "a")
    with pytest.raises(UserError, match=r"nothing: not a run directory"):
        compare(a, tmp_path / "nothing")
    unscored = run_at(tmp_path / "unscored", split__scheme="none")
    with pytest.raises(UserError, match=r"unscored: no rows were held out"):
        compare(unscored, a)
    (tmp_path / "a/ensemble.npz").unlink()
    with pytest.raises(UserError, match=r"a: ensemble.npz is missing or damaged, so there is no ensemble to compare"):
        compare(a, a)


def test_a_run_directory_may_be_remote(s3: "S3", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    a, b = run_at(tmp_path / "a"), run_at(tmp_path / "b", 0.3)
    for file in (path for path in Path(b).rglob("*") if path.is_file()):
        remote = s3.put(f"compared/{file.relative_to(b)}", file.read_bytes())
    found = compare(a, remote[: remote.index("compared") + len("compared")])
    assert (found.rows, found.difference) == (24, compare(a, b).difference)
