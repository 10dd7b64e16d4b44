"""The schema documents itself: the comment on a field's line is what the configuration's page shows."""

import ast
import inspect
from pathlib import Path, PurePosixPath
from typing import get_args

import pytest

from digits_ray.config import BASELINE_KINDS, BaselinesConfig, Config, DataConfig, baselines_schema, load_config, schema

SOURCES = [inspect.getsource(module) for module in (schema, baselines_schema)]


def field_lines() -> dict[str, str]:
    """The line of every field of every dataclass, by "Class.field"."""
    lines: dict[str, str] = {}
    for source in SOURCES:
        for group in (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)):
            for entry in (entry for entry in group.body if isinstance(entry, ast.AnnAssign)):
                lines[f"{group.name}.{ast.unparse(entry.target)}"] = source.splitlines()[entry.lineno - 1]
    return lines


@pytest.mark.parametrize(("name", "line"), field_lines().items(), ids=list(field_lines()))
def test_every_field_has_its_comment_on_the_same_line(name: str, line: str) -> None:
    assert name.split(".")[1] in line
    assert len(line.partition("  # ")[2]) > 0


def test_the_kinds_of_baselines_are_the_searched_spaces() -> None:
    spaces = zip(BASELINE_KINDS, BaselinesConfig().spaces(), strict=True)
    assert all(getattr(BaselinesConfig(), kind) == space for kind, space in spaces)
    assert get_args(baselines_schema.BaselineKind) == BASELINE_KINDS
    assert len(baselines_schema.NOTEBOOK_SPACES) == len(BASELINE_KINDS)


class Elsewhere:
    """A path of another library, such as pytest's own."""

    def __fspath__(self) -> str:
        return "a b/x"


@pytest.mark.parametrize(
    "path", [Path("a b/x"), PurePosixPath("a b/x"), Elsewhere()], ids=lambda path: type(path).__name__
)
def test_a_path_is_taken_as_its_text(path: Path) -> None:
    given = Config(out=path, data=DataConfig(train=path, test=path, holdout=path))
    assert given == Config(out="a b/x", data=DataConfig(train="a b/x", test="a b/x", holdout="a b/x"))
    flags = {"out": path, "data.train": path, "data.test": path}
    assert load_config(flags=flags) == load_config(flags=dict.fromkeys(flags, "a b/x"))
