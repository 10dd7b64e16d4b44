"""YAML whose keys are each given once: PyYAML itself lets the last one win, and all settings of the first are lost."""

from typing import Any

import yaml


class RepeatedKeyError(ValueError):
    """A key that its group has already."""

    def __init__(self, key: str, line: int) -> None:
        """Takes the key, and the line of the file, from 1, where it comes for the second time."""
        super().__init__(f"line {line}: {key!r}")
        self.key, self.line = key, line


class _UniqueKeys:
    """Goes before a loader of PyYAML."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise RepeatedKeyError(key.value, key.start_mark.line + 1)
            seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[misc]  # the loader's


class UniqueKeysLoader(_UniqueKeys, yaml.SafeLoader):
    """PyYAML's SafeLoader, which raises RepeatedKeyError where a key comes twice in the same group."""


class UniqueKeysTextLoader(_UniqueKeys, yaml.BaseLoader):
    """The same for BaseLoader, to which every value is a text."""
