"""How Ray Tune runs the searches."""

from digits_ray.baselines.tune_callback import SearchRecorder
from digits_ray.baselines.tune_search import run_config
from digits_ray.storage import RunDirectory, Store


def test_tune_s_own_progress_does_not_clear_the_cell_of_a_notebook() -> None:
    recorder = SearchRecorder([], RunDirectory(Store.at("nowhere")), {}, lambda statuses: None)
    reporter = run_config("folder", recorder).progress_reporter
    assert not reporter.should_report([], done=True)
