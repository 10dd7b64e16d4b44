"""Which array of an archive holds what: images, labels or ids, to train on, to validate on or to label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ROLES = {
    "images": {"x", "image", "images", "img", "imgs", "data", "features", "inputs", "pixels"},
    "labels": {"y", "label", "labels", "target", "targets", "class", "classes", "lbl", "lbls"},
    "ids": {"id", "ids"},
}
_PARTS = {"train": {"train", "training"}, "val": {"val", "valid", "validation", "dev"}, "test": {"test", "testing"}}
_FILLERS = {"set"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_JOINED = re.compile(r"(?i)(x|y)(train|val|valid|test)")  # xtrain, without anything between
_BY_POSITION = {"arr_0": ("images", ""), "arr_1": ("labels", "")}  # np.savez(path, images, labels)


@dataclass(frozen=True)
class ArrayName:
    """What an array's name tells."""

    key: str  # in the archive
    role: str  # "images", "labels" or "ids"
    part: str  # "train", "val", "test", or "" where the archive has one set alone


def recognised(keys: Sequence[str]) -> list[ArrayName]:
    """Returns the arrays whose names tell what they hold; others are left out."""
    names = [_by_position(key) if key in _BY_POSITION else _by_words(key) for key in keys]
    return [name for name in names if name is not None]


def _by_position(key: str) -> ArrayName:
    role, part = _BY_POSITION[key]
    return ArrayName(key, role, part)


def _by_words(key: str) -> ArrayName | None:
    words = {word.lower() for word in _WORD.findall(_JOINED.sub(r"\1_\2", key))} - _FILLERS
    parts = [part for part, spellings in _PARTS.items() if words & spellings]
    rest = words - {spelling for spellings in _PARTS.values() for spelling in spellings}
    roles = [role for role, spellings in _ROLES.items() if rest and rest <= spellings]
    if len(roles) != 1 or len(parts) > 1:
        return None
    return ArrayName(key, roles[0], parts[0] if parts else "")
