"""Writes docs/configuration.md from digits_ray/config/schema.py: names, types, limits, defaults and comments.

python -m docs.generate_configuration
"""

import ast
import inspect
import json
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from io import StringIO
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from digits_ray.config import ARCHITECTURES, FLAG_OF_SETTING, Config, config_from_dict, preset_in_full

PAGE = Path(__file__).with_name("configuration.md")
DEFAULT_PRESET = "fast"

HEAD = """\
<!-- Generated from digits_ray/config/schema.py by `python -m docs.generate_configuration`. Do not edit by hand. -->

# Configuration

Settings come from a preset, a configuration file, flags and `--set key.path=value`; each overrides those before it.
`digits-ray presets fast > my.yaml` prints every setting of a preset; change the file and pass it with
`--config my.yaml`. A run directory holds the run's settings as `config.yaml`.

```
digits-ray run --config my.yaml --members 20 --set members.recipe.batch_size=64 --set split.scheme=kfold
```

An unknown key is an error that names the nearest valid one. In a file, each dot is a level of YAML:

```yaml
members:
  count: 20
  recipe: {batch_size: 64}
```

The default applies if neither a preset nor you set a value. The preset `fast` is used if you name none; if it has
another value for files of your own, that value follows. For the built-in digits, it trains a smaller network in fewer
steps. If a setting has a flag, the flag is below its name.
"""

BOUNDS = {"ge": "{} or more", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
KINDS = {int: "a whole number", float: "a number", str: "text", bool: "`true` or `false`", type(None): "`null`"}


def page() -> str:
    """Returns the whole page."""
    preset = config_from_dict(preset_in_full(DEFAULT_PRESET, built_in_digits=False) or {})
    sections = [_section(*group) for group in _groups("", Config(), preset)]
    return "\n".join([HEAD, *sections, _architectures()])


def _groups(prefix: str, group: Any, preset: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yields each group of settings, with its dotted name and the same group of the preset; outer ones first."""
    yield prefix, group, preset
    for entry in fields(group):
        deeper = getattr(group, entry.name)
        if is_dataclass(deeper):
            yield from _groups(f"{prefix}{entry.name}.", deeper, getattr(preset, entry.name))


def _section(prefix: str, group: Any, preset: Any) -> str:
    hints, comments = get_type_hints(type(group), include_extras=True), field_comments(type(group))
    lines = [f"## `{prefix.rstrip('.')}`" if prefix else "## The run", "", inspect.cleandoc(group.__doc__ or ""), ""]
    lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
    for entry in fields(group):
        value = getattr(group, entry.name)
        if not is_dataclass(value):
            key, default = prefix + entry.name, _default(value, getattr(preset, entry.name))
            meaning = comments.get(entry.name, "").replace("<", "&lt;")
            lines.append(_row(_name(key), _values(hints[entry.name]), default, meaning))
    return "\n".join([*lines, ""])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _name(key: str) -> str:
    return f"`{key}`<br>`{FLAG_OF_SETTING[key]}`" if key in FLAG_OF_SETTING else f"`{key}`"


def _default(value: Any, of_preset: Any) -> str:
    default = f"`{_yaml(value)}`"
    return default if of_preset == value else f"{default}; `{DEFAULT_PRESET}`: `{_yaml(of_preset)}`"


def _yaml(value: Any) -> str:
    """Returns a value as YAML has it, text without quotes: `null`, `true`, `[1, 3]`, `one_cycle`."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _values(hint: Any) -> str:
    """Returns in words which values a type with its limits allows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _either([f"`{_yaml(value)}`" for value in arguments])
    if origin in (UnionType, Union):
        return _either([_values(kind) for kind in sorted(arguments, key=lambda kind: kind is not type(None))])
    if origin is tuple:
        return f"a list; each is {_values(arguments[0])}"
    if origin is not Annotated:
        return KINDS[hint]
    limits = " and ".join(_limits(arguments[1:]))
    kind = arguments[0]
    if get_origin(kind) is tuple:
        return f"a list, {limits}; each is {_values(get_args(kind)[0])}"
    return f"{_values(kind)}, {limits}" if limits else _values(kind)


def _either(choices: list[str]) -> str:
    """Returns "a", "a or b", "a, b or c"."""
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)


def _limits(constraints: tuple[Any, ...]) -> Iterator[str]:
    for limit in (limit for constraint in constraints for limit in getattr(constraint, "metadata", ())):
        for name, text in BOUNDS.items():
            if hasattr(limit, name):
                yield text.format(f"{getattr(limit, name):,}")
        if hasattr(limit, "min_length"):
            yield "not empty"


def field_comments(group: type) -> dict[str, str]:
    """Returns the comment behind each field of a class, from its source."""
    source = inspect.getsource(sys.modules[group.__module__])
    by_line = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    (found,) = (node for node in classes if node.name == group.__name__)
    assigned = [node for node in found.body if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(node.target): by_line[node.lineno] for node in assigned if node.lineno in by_line}


def _architectures() -> str:
    lines = ["## Architectures", "", "Names for `members.architectures`, and the smallest images that each takes:", ""]
    lines += ["| name | smallest side, in pixels |", "|---|---|"]
    lines += [f"| `{name}` | {side} |" for name, side in ARCHITECTURES.items()]
    return "\n".join(
        [*lines, "", "One of your own is FILE.py:FUNCTION: [your-own-network.md](your-own-network.md).", ""]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf8")
