"""What `.ci/run` refuses: tests that could have run and were skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

NONE_SKIPPED = Path(__file__).parents[2] / ".ci" / "none_skipped.py"
RAN = '<testcase classname="tests.a" name="test_ran"/>'
SKIPPED = '<testcase classname="tests.a" name="test_b"><skipped message="no namespaces here"/></testcase>'
ELSEWHERE = SKIPPED.replace("tests.a", "tests.c")


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (RAN + ELSEWHERE, ""),
        (RAN + SKIPPED, "tests.a was skipped, and could have run: test_b: no namespaces here\n"),
        (ELSEWHERE, "tests.a was skipped, and could have run: no test of it is in the results\n"),
    ],
)
def test_a_skipped_test_that_could_have_run_is_a_failure(cases: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    done = subprocess.run([sys.executable, NONE_SKIPPED, file, "tests.a"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1 if message else 0, message)


def test_the_cables_are_never_skipped_where_root_and_ip_exist() -> None:
    """Whatever the reason: what is printed alone goes unread."""
    lines = (NONE_SKIPPED.parent / "run").read_text().splitlines()
    condition = lines.index("if [[ $(id -u) == 0 ]] && command -v ip >/dev/null; then")
    assert "none_skipped.py" in lines[condition + 1] and "tests.cluster.test_cables" in lines[condition + 1]
    assert lines[condition + 2] == "fi"
