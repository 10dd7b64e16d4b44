"""What a finished run shows last."""

from metrics_files import FAILED, MEMBER, SCORES, metrics_of, shown

from digits_ray.cli.terminal import last_screen


def test_the_last_screen_names_accuracy_with_interval_files_and_what_to_do_next() -> None:
    text = shown(last_screen(metrics_of([MEMBER]), "runs/x"))
    for part in (
        "member 0",
        "98.61 %",
        "95.00–99.60 %",
        "ensemble of 1",
        "runs/x/submission.csv",
        "digits-ray predict",
    ):
        assert part in text


def test_the_last_screen_warns_of_failed_members_loudly() -> None:
    text = shown(last_screen(metrics_of([MEMBER, FAILED]), "runs/x"))
    assert "WARNING 1 of 2 members failed: 1" in text
    assert "member 1 " not in text


def test_the_last_screen_of_a_run_without_holdout_or_members_still_names_the_files() -> None:
    assert "runs/x/metrics.json" in shown(last_screen(metrics_of([MEMBER | {"holdout": None}], holdout=None), "runs/x"))
    alone = metrics_of([], holdout=None) | {"baselines": {"knn": {"holdout": SCORES, "fit_seconds": 1.0}}}
    text = shown(last_screen(alone, "runs/x"))
    assert "knn" in text
    assert "submission.csv" not in text
