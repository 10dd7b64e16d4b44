"""`digits-ray compare`."""

import json
from pathlib import Path

import pytest
from report_runs import make_run

from digits_ray.cli.main import main


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments])
    assert ended.value.code == code
    output = capsys.readouterr()
    return output.err if code else output.out


def test_two_runs_are_compared_for_people_and_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (make_run(tmp_path / name, models=False, skill=skill) for name, skill in (("a", 1.2), ("b", 0.3)))
    assert "24 in common, of 24 and 24 that each scored" in printed([a, b], capsys)
    values = json.loads(printed([a, b, "--json"], capsys))
    assert (values["a"]["run"], values["b"]["run"], values["rows"]) == (a, b, 24)
    expected = {
        "a",
        "b",
        "rows",
        "difference",
        "difference_ci95",
        "only_a_right",
        "only_b_right",
        "p_value",
        "conclusion",
    }
    assert set(values) == expected


def test_what_cannot_be_compared_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = make_run(tmp_path / "a", models=False)
    assert "not a run directory" in printed([a, str(tmp_path / "nothing")], capsys, code=2)
