"""The forms in which users name files: relative, ~, absolute and file:// lie on this machine, other URIs elsewhere."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from digits_ray.errors import UserError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # two letters at least: C:/ is a drive
_BUCKET_SCHEMES = ("s3", "gs", "gcs")
_REMOTE_SCHEMES = (*_BUCKET_SCHEMES, "abfs", "abfss", "az", "hdfs", "http", "https")
_THIS_MACHINE = ("", "localhost", "127.0.0.1")


def is_remote(path: str) -> bool:
    """Returns whether a URI of storage elsewhere is given, not a path or file:// URI.

    Raises:
        UserError: the URI is not valid, or lacks its bucket.
    """
    if "://" not in path or _scheme(path) == "file":
        return False
    _refuse_without_bucket(path)
    return True


def _refuse_without_bucket(path: str) -> None:
    scheme = _scheme(path)
    try:
        bucket = urlsplit(path).netloc
    except ValueError as error:
        raise UserError(f"{path}: not a valid URI ({error}). Write {scheme}://bucket/name.") from None
    if scheme in _BUCKET_SCHEMES and not bucket:
        raise UserError(f"{path}: names no bucket. Write {scheme}://bucket/name.")


def local_path(path: str | Path) -> Path:
    """Returns the file or folder of this machine that a path or file:// URI names, ~ expanded.

    Args:
        path: As users give it; one for which `is_remote` is False.

    Raises:
        UserError: a file:// URI of another machine, or a URI of remote storage that lacks a slash.
    """
    text = str(path)
    scheme = _scheme(text)
    if scheme == "file":
        return _path_of_file_uri(text)
    if scheme in _REMOTE_SCHEMES and "://" not in text:
        raise UserError(f"{text}: a URI has two slashes after the colon, as in {scheme}://….")
    return _expanded(text)


def _path_of_file_uri(uri: str) -> Path:
    """Reads file:///path, file:/path and file://localhost/path (RFC 8089), and file://~/path, which people write."""
    rest = uri.partition(":")[2]
    host, _, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest[1:])
    if host.startswith("~"):
        return _expanded(unquote(f"{host}/{path}"))
    if host not in _THIS_MACHINE:
        raise UserError(f"{uri}: names a machine, {host!r}. A path of this one has three slashes: file:///{path}.")
    return Path(unquote(f"/{path}"))


def _scheme(path: str) -> str:
    match = _SCHEME.match(path)
    return match[1].lower() if match else ""


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~name where there is no such user: a name like any other
        return Path(path)
