"""YAML files of named values that a user gives."""

from collections.abc import Callable
from typing import Any

import yaml

from digits_ray.config.unique_keys import RepeatedKeyError, UniqueKeysLoader, UniqueKeysTextLoader
from digits_ray.encoding import in_utf8
from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path


def read_yaml(
    path: str,
    flag: str,
    read_remote: Callable[[str], bytes] | None = None,
    *,
    as_text: bool = False,
) -> dict[str, Any]:
    """Reads a YAML file of named values.

    Args:
        path: Of the file.
        flag: That named the file; for messages.
        read_remote: As for `load_config`.
        as_text: Whether every value is a text.

    Raises:
        UserError: it cannot be read, or holds no named values.
    """
    example = "See `digits-ray presets fast` for an example." if flag == "--config" else ""
    text = _read_text(path, flag, read_remote)
    try:
        values = yaml.load(text, UniqueKeysTextLoader if as_text else UniqueKeysLoader)
    except yaml.reader.ReaderError as error:
        line, character = text.count("\n", 0, error.position) + 1, repr(chr(error.character))
        raise UserError(
            f"{flag} {path}: line {line} holds {character}, which YAML does not allow. Remove it."
        ) from None
    except RepeatedKeyError as error:
        raise UserError(f"{flag} {path}: line {error.line}: {error.key!r} for the second time. Join the two.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark else ""
        problem = " ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)]))
        raise UserError(f"{flag} {path}:{where} cannot be read as YAML ({problem}). {example}".rstrip()) from None
    if not isinstance(values, dict):
        raise UserError(f"{flag} {path}: holds no settings. {example}".rstrip())
    return values


def _read_text(path: str, flag: str, read_remote: Callable[[str], bytes] | None) -> str:
    try:
        content = read_remote(path) if read_remote and is_remote(path) else local_path(path).read_bytes()
        return in_utf8(content).decode()  # PowerShell's > writes UTF-16
    except OSError as error:
        reason = "No such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{flag} {path}: {reason}. Name a readable YAML file.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{flag} {path}: is no valid {error.encoding.upper()}. Save it as UTF-8.") from None
