"""What a search tells of a trial or a refit that fails."""

from typing import Any

from ray.exceptions import RayTaskError

from digits_ray.baselines.refit import Refit
from digits_ray.baselines.search import SearchOutcome, _refitted
from digits_ray.baselines.tune_callback import _death_message

TEXT = """ray::_fit_predict() (pid=12, ip=10.0.0.1)
  File "/venv/lib/python3.11/site-packages/digits_ray/baselines/sweeps.py", line 40, in fit_predict
    model.fit(images, labels)
  File "/venv/lib/python3.11/site-packages/sklearn/tree.py", line 3, in fit
MemoryError: 7 GiB"""


class Trial:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def get_error(self) -> Exception | None:
        return self.error


def task_error() -> RayTaskError:
    return RayTaskError("_fit_predict", TEXT, MemoryError("7 GiB"), "title", 12, "10.0.0.1")


def test_a_trial_whose_process_fails_is_told_with_its_line() -> None:
    expected = "MemoryError: 7 GiB (digits_ray/baselines/sweeps.py:40, in fit_predict)"
    assert _death_message(Trial(task_error())) == expected
    assert _death_message(Trial(RuntimeError("one\nits process died"))) == "its process died"
    assert _death_message(Trial(None)) == "the trial's process died"


def test_a_winner_that_cannot_be_refitted_costs_its_baseline_alone() -> None:
    class Failing(Refit):
        def __init__(self) -> None:
            pass

        def result(self) -> Any:
            raise task_error()

    outcome = _refitted(SearchOutcome(None, [], None, None, 0.0, 1.0), Failing())  # type: ignore[arg-type]
    assert outcome.prediction is None
    assert outcome.refit_error == "MemoryError: 7 GiB (digits_ray/baselines/sweeps.py:40, in fit_predict)"
