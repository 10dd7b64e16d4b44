"""Fails unless all tests of a file ran, by a JUnit file: `none_skipped.py rest.xml tests.cluster.test_cables`."""

import sys
import xml.etree.ElementTree as ElementTree


def main(file: str, module: str) -> None:
    cases = [case for case in ElementTree.parse(file).iter("testcase") if case.get("classname") == module]
    skipped = [f"{case.get('name')}: {found.get('message')}" for case in cases for found in case.iter("skipped")]
    if skipped or not cases:
        sys.exit(f"{module} was skipped, and could have run: {'; '.join(skipped) or 'no test of it is in the results'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
