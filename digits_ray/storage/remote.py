"""Storage behind a URI: how it is reached, which errors are tried again, and what the user is told of the others."""

import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pyarrow import fs as pafs

from digits_ray.errors import RunError, UserError

PATIENCE_SECONDS = 90.0  # for which an operation is tried again; a request that fails takes some seconds by itself
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 10.0
WHOLE_UPLOAD_BYTES = 5 << 20  # up to here pyarrow uploads in one request, above in parts

_CONNECT_SECONDS, _REQUEST_SECONDS = 5, 10
_DENIED = (
    "ACCESS_DENIED|ACCESS_KEY|SIGNATURE|CLIENT_TOKEN|EXPIRED|UNRECOGNIZED_CLIENT|MISSING_AUTH|HTTP status 40[13]"
    "|ExpiredToken|InvalidToken|PERMISSION_DENIED|UNAUTHENTICATED"
)
_CURES = {
    "NO_SUCH_BUCKET|NOT_FOUND|HTTP status 404": "no such bucket. Create it, or correct the address.",
    _DENIED: "access denied. Check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the"
    " role of the machine) and what they may do in this bucket.",
    "HTTP status 30[1278]|PermanentRedirect": "the bucket lies in another region. Set AWS_REGION, or add ?region=… .",
    r"HTTP status 4(?!08|29)\d\d": "the storage refuses the request. Check the address, and that the credentials"
    " have not expired.",
}  # what no repetition mends

_Result = TypeVar("_Result")


def is_remote(place: str) -> bool:
    """Tells whether a place is named by a URI of storage elsewhere, not by a path."""
    return "://" in place and not place.startswith("file://")


def joined(place: str, name: str) -> str:
    """Returns the path or URI of a name inside a folder; a URI's query (endpoint, region) stays at its end."""
    if not is_remote(place):
        return f"{place.rstrip('/')}/{name}"
    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def parted(place: str) -> tuple[str, str]:
    """Returns the folder, and the name in it, of a file's path or URI."""
    if not is_remote(place):
        folder, _, name = place.rpartition("/")
        return folder or ("/" if place.startswith("/") else "."), name
    parts = urlsplit(place)
    folder, _, name = parts.path.rpartition("/")
    return urlunsplit(parts._replace(path=folder)), name


def file_system(place: str, *, whole_uploads: bool = False) -> tuple[pafs.FileSystem, str]:
    """Returns the file system of an absolute path or URI, and the path on it.

    Args:
        place: s3:// takes endpoint_override, scheme and region as a query, and AWS_ENDPOINT_URL as boto3 does.
        whole_uploads: For files of up to WHOLE_UPLOAD_BYTES: one request in the place of three.

    Raises:
        UserError: the URI holds a password.
        ArrowException, ValueError, OSError: no such kind of storage.
    """
    if not is_remote(place):
        return pafs.FileSystem.from_uri(place)
    parts = urlsplit(place)
    if "@" in parts.netloc:
        raise UserError(
            f"{parts.scheme}://: keys in an address end in logs and reports. Set AWS_ACCESS_KEY_ID instead."
        )
    if parts.scheme == "s3":
        return _s3(parts.netloc, parts.query, _endpoint(), whole_uploads), f"{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme in ("gs", "gcs"):
        limit = {"retry_limit_seconds": "10", **dict(parse_qsl(parts.query))}  # pyarrow's own is 15 minutes
        place = urlunsplit(parts._replace(query=urlencode(limit)))
    return pafs.FileSystem.from_uri(place)


def patiently(call: Callable[[], _Result], place: str, patience: float = PATIENCE_SECONDS) -> _Result:
    """Returns the result of an operation on remote storage, which is tried again while the storage fails.

    Args:
        call: What may be done twice without harm.
        place: The path or URI, for the message.
        patience: Seconds after which nothing more is tried.

    Raises:
        FileNotFoundError: there is no such name.
        UserError: what no repetition mends: no such bucket, access denied.
        RunError: the storage still failed when patience ended.
    """
    deadline = time.monotonic() + patience
    for number, wait in enumerate(_waits()):
        try:
            return call()
        except FileNotFoundError:
            raise
        except OSError as error:
            _refuse_lasting(error, place)
            if time.monotonic() + wait > deadline:
                raise _gave_up(error, place, patience) from None
            if number == 0:
                _log().warning("%s: the storage fails (%s); trying again for %.0f s", place, short(error), patience)
        time.sleep(wait)
    raise AssertionError("the waits never end")


def short(error: BaseException) -> str:
    """Returns the part of a storage error that tells something, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"^When .*?: (?=AWS Error)", "", text)
    return re.sub(r" \(Request ID: .*?\)|: No response body\.$|; Details: .*$", "", text)[:160]


def _refuse_lasting(error: OSError, place: str) -> None:
    for pattern, cure in _CURES.items():
        if re.search(pattern, str(error)):
            raise UserError(f"{place}: {cure} ({short(error)})") from None


def _gave_up(error: OSError, place: str, patience: float) -> RunError:
    return RunError(
        f"{place}: the storage failed for {patience:.0f} s ({short(error)}). When it answers again, run the same"
        " command again: what is finished is kept."
    )


def _waits() -> Iterator[float]:
    """Yields seconds to wait: doubling, and spread so that many actors do not come back at once."""
    wait = FIRST_WAIT_SECONDS
    while True:
        yield wait * random.uniform(0.5, 1)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


@lru_cache(maxsize=16)
def _s3(bucket: str, query: str, endpoint: str | None, whole_uploads: bool) -> pafs.FileSystem:
    """Keeps a file system, and with it its connections, for the next request."""
    options: dict[str, Any] = {key: values[-1] for key, values in parse_qs(query).items()}
    unknown = options.keys() - {"endpoint_override", "scheme", "region"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: not known; endpoint_override, scheme and region are")
    endpoint = options.setdefault("endpoint_override", endpoint)
    if "region" not in options:
        options["region"] = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not options["region"]:
        options["region"] = "us-east-1" if endpoint else pafs.resolve_s3_region(bucket)
    return pafs.S3FileSystem(
        **options,
        allow_delayed_open=whole_uploads,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=2),  # `patiently` does the rest
    )


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _log() -> logging.Logger:
    return logging.getLogger("digits_ray")
