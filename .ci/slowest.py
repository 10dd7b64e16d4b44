"""Prints how long each tier took and its tests that took longest, from JUnit files: `slowest.py quick.xml rest.xml`."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SHOWN = 20


def main(files: list[str]) -> None:
    cases = []
    for file in files:
        (suite,) = ElementTree.parse(file).getroot().iter("testsuite")
        print(f"{Path(file).stem}: {suite.get('tests')} tests in {float(suite.get('time', 0)):.0f} s")
        cases += [(float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}") for case in suite]
    print(f"\nThe {SHOWN} slowest, in seconds:")
    for seconds, name in sorted(cases, reverse=True)[:SHOWN]:
        print(f"{seconds:7.1f}  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
