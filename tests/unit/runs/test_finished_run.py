"""A run loaded in Python."""

from pathlib import Path

from report_runs import make_run

from digits_ray import load_run


def test_a_path_is_taken_as_well_as_its_text(tmp_path: Path) -> None:
    place = Path(make_run(tmp_path))
    assert load_run(place).member_ids == load_run(str(place)).member_ids != []
