"""Saved epochs of a release that trained to other numbers."""

from io import BytesIO

import numpy as np
import pytest
from factories import Kept, rows_of, same, spec_of

from digits_ray.training import fit, numbers_version
from digits_ray.training.numbers_version import is_current, latest_state, version_array


def state(**arrays: object) -> bytes:
    file = BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def test_a_state_of_0_1_0_which_tells_no_version_is_of_the_first() -> None:
    for backend, version in numbers_version.NUMBERS_VERSIONS.items():
        assert is_current(state(history="[]"), backend) == (version == 1)


def test_the_latest_state_of_this_version_is_gone_on_from(monkeypatch: pytest.MonkeyPatch) -> None:
    old = state(history="old")
    monkeypatch.setitem(numbers_version.NUMBERS_VERSIONS, "jax", 2)
    later, earlier = state(epoch=2, **version_array("jax")), state(epoch=1, **version_array("jax"))
    assert latest_state(iter([old, later, earlier]), "jax") == later
    assert latest_state(iter([old]), "jax") == old  # for training to pass over, and to tell
    assert latest_state(iter([]), "jax") is None


def test_a_member_whose_saved_epochs_are_of_other_numbers_starts_afresh_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec, rows, old, new = spec_of(epochs=2), rows_of(), Kept(), Kept()
    undisturbed = fit.fit_member(spec, rows, old)
    backend = spec.recipe.backend
    monkeypatch.setitem(numbers_version.NUMBERS_VERSIONS, backend, numbers_version.NUMBERS_VERSIONS[backend] + 1)
    afresh = fit.fit_member(spec, rows, Kept({1: old.states[1]}))
    assert afresh.start_epoch == 0
    assert afresh.notes == (numbers_version.PASSED_OVER,)
    assert same(afresh, undisturbed)

    fit.fit_member(spec, rows, new)
    resumed = fit.fit_member(spec, rows, Kept({1: new.states[1], 2: old.states[2]}))
    assert (resumed.start_epoch, resumed.notes) == (1, ())
    assert same(resumed, undisturbed)
