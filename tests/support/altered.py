"""`digits-ray` with other waiting times, or other members: `python -m altered CHANGES words …`, with CHANGES in JSON.

{"module:name": value}          what a module has under this name while the command runs
{"members": "module:function"}  what trains the members
{"report": false}               none is drawn
"""

import json
import sys
from importlib import import_module
from typing import Any

from digits_ray.cli.entry import run
from digits_ray.report import ReportDrawing


def change(name: str, value: Any) -> None:
    if name == "members":
        train_with(value)
    elif name == "report":
        for step in ("open_process", "begin", "finish"):
            setattr(ReportDrawing, step, lambda *given: None)
    else:
        module, _, attribute = name.partition(":")
        assert hasattr(import_module(module), attribute), name
        setattr(import_module(module), attribute, value)


def train_with(prepare_fit: str) -> None:
    """Makes another function train the members of every run of this process."""
    from digits_ray.scheduling import ActorInputs

    ActorInputs.__init__.__defaults__ = (prepare_fit,)  # type: ignore[attr-defined]


if __name__ == "__main__":
    for name, value in json.loads(sys.argv.pop(1)).items():
        change(name, value)
    run()
