"""Storage behind a URI: access, which errors are tried again, and the messages for the others."""

import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pyarrow import ArrowException, ArrowInvalid
from pyarrow import fs as pafs

from digits_ray.errors import RunError, UserError
from digits_ray.paths import is_remote, local_path

RETRY_SECONDS = 90.0  # for which an operation is tried again; a request that fails takes some seconds by itself
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 10.0
SINGLE_REQUEST_BYTES = 5 << 20  # up to here pyarrow uploads in one request, above in parts

RETRYING = "%s: the storage fails (%s); trying again for %.0f s"

_CONNECT_SECONDS, _REQUEST_SECONDS = 5, 10
_CREDENTIALS = {  # by kind of address: where the client looks for them
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or the role of the machine",
    "abfs": "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, `az login`, or the role of the machine",
}
_OTHER_NAMES = {"gcs": "gs", "abfss": "abfs"}
_USABLE = "a path, file://, s3:// or gs://"
_AZURE = "Azure's addresses are written abfs://container@account.dfs.core.windows.net/path."
_AMAZON = "Begin the address with s3://."
_WEB = f"Download the file first, or use {_USABLE}."
_SCHEME_CURES = {  # for addresses that pyarrow cannot open
    **dict.fromkeys(("az", "azure", "wasb", "wasbs", "adl", "abfs", "abfss"), _AZURE),
    **dict.fromkeys(("s3a", "s3n"), _AMAZON),
    **dict.fromkeys(("http", "https", "ftp"), _WEB),
}
_DENIED = (
    "ACCESS_DENIED|ACCESS_KEY|SIGNATURE|CLIENT_TOKEN|EXPIRED|UNRECOGNIZED_CLIENT|MISSING_AUTH|HTTP status 40[13]"
    "|ExpiredToken|InvalidToken|PERMISSION_DENIED|UNAUTHENTICATED|AuthenticationException|AuthorizationFailure"
)
_CURES = {
    "NO_SUCH_BUCKET|NOT_FOUND|HTTP status 404": "no such bucket. Create it, or correct the address.",
    _DENIED: "access denied. Check the credentials{credentials} and what they may do there.",
    "HTTP status 30[1278]|PermanentRedirect": "the bucket lies in another region. Set AWS_REGION, or add ?region=… .",
    r"HTTP status 4(?!08|29)\d\d": "the storage refuses the request. Check the address, and that the credentials"
    " have not expired.",
    "region must be set": "no region that can be used. Set AWS_REGION, e.g. to us-east-1, or add ?region=… .",
    "Not a regular file": "a folder, not a file. Name a file in it.",
}  # what no repetition mends

_Result = TypeVar("_Result")


def joined(folder: str, name: str) -> str:
    """Returns the path or URI of a name inside a folder; a URI's query (endpoint, region) stays at its end."""
    if not is_remote(folder):
        return f"{folder.rstrip('/')}/{name}"
    parts = urlsplit(folder)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def folder_and_name(path: str) -> tuple[str, str]:
    """Returns the folder, and the name in it, of a file's path or URI."""
    if not is_remote(path):
        local = local_path(path)
        return str(local.parent), local.name
    parts = urlsplit(path)
    folder, _, name = parts.path.rpartition("/")
    return urlunsplit(parts._replace(path=folder)), name


def file_system(path: str, *, single_request: bool = False) -> tuple[pafs.FileSystem, str]:
    """Returns the file system of an absolute path or URI, and the path on it.

    Args:
        path: s3:// takes endpoint_override, scheme and region as a query, and AWS_ENDPOINT_URL as boto3 does.
        single_request: For files of up to SINGLE_REQUEST_BYTES: one request instead of three.

    Raises:
        UserError: the URI holds a password, or a bucket of S3 is not known.
        ArrowException, ValueError, OSError: no such kind of storage.
    """
    if not is_remote(path):
        return pafs.FileSystem.from_uri(str(local_path(path)))
    parts = urlsplit(path)
    if parts.password or ("@" in parts.netloc and parts.scheme == "s3"):  # Azure's container@account is no secret
        source = f"; they are taken from {known}" if (known := _credentials(path)) else ""
        raise UserError(f"{parts.scheme}://: keys in an address end in logs and reports. Leave them out{source}.")
    if parts.scheme == "s3":
        return _s3(parts.netloc, parts.query, _endpoint(), single_request), f"{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme in ("gs", "gcs"):
        limit = {"retry_limit_seconds": "10", **dict(parse_qsl(parts.query))}  # pyarrow's own is 15 minutes
        path = urlunsplit(parts._replace(query=urlencode(limit)))
    return pafs.FileSystem.from_uri(path)


def cure_of_scheme(path: str) -> str:
    """Returns what to do where `file_system` cannot open a path or URI."""
    return _SCHEME_CURES.get(urlsplit(path).scheme, f"Use {_USABLE}.")


def with_retries(call: Callable[[], _Result], path: str, retry_seconds: float | None = None) -> _Result:
    """Returns the result of an operation on remote storage, which is tried again while the storage fails.

    Args:
        call: What may be done twice without harm.
        path: The path or URI, for the message.
        retry_seconds: Seconds after which nothing more is tried; by default `RETRY_SECONDS`.

    Raises:
        FileNotFoundError: there is no such name.
        UserError: what no repetition mends: no such bucket, access denied.
        RunError: the storage still failed after that time.
    """
    seconds = RETRY_SECONDS if retry_seconds is None else retry_seconds
    deadline = time.monotonic() + seconds
    for number, wait in enumerate(_waits()):
        try:
            return call()
        except FileNotFoundError:
            raise
        except (OSError, ArrowException) as error:  # the latter from Azure
            _refuse_lasting(error, path)
            if time.monotonic() + wait > deadline:
                raise _gave_up(error, path, seconds) from None
            if number == 0:
                _log().warning(RETRYING, path, short(error), seconds)
        time.sleep(wait)
    raise AssertionError("the waits never end")


def short(error: BaseException) -> str:
    """Returns the informative part of a storage error, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"^When .*?: (?=AWS Error)", "", text)
    return re.sub(r" \(Request ID: .*?\)|: No response body\.$|; Details: .*$", "", text)[:160]


def _refuse_lasting(error: Exception, path: str) -> None:
    if isinstance(error, ArrowInvalid):  # an empty part of the path, for instance
        raise UserError(f"{path}: not a usable address ({short(error)}). Correct it.") from None
    for pattern, cure in _CURES.items():
        if re.search(pattern, str(error)):
            known = _credentials(path)
            cure = cure.format(credentials=f" ({known})" if known else "")
            raise UserError(f"{path}: {cure} ({short(error)})") from None


def _credentials(path: str) -> str | None:
    """Returns where the client of this kind of storage looks for credentials, as far as that is known."""
    scheme = urlsplit(path).scheme
    return _CREDENTIALS.get(_OTHER_NAMES.get(scheme, scheme))


def _gave_up(error: Exception, path: str, seconds: float) -> RunError:
    return RunError(
        f"{path}: the storage failed for {seconds:.0f} s ({short(error)}). When it answers again, run the same"
        " command again: what is finished is kept."
    )


def _waits() -> Iterator[float]:
    """Yields seconds to wait: doubling, and spread so that many actors do not come back at once."""
    wait = FIRST_WAIT_SECONDS
    while True:
        yield wait * random.uniform(0.5, 1)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


@lru_cache(maxsize=16)
def _s3(bucket: str, query: str, endpoint: str | None, single_request: bool) -> pafs.FileSystem:
    """Caches a file system, and with it its connections, for the next request."""
    options: dict[str, Any] = {key: values[-1] for key, values in parse_qs(query).items()}
    unknown = options.keys() - {"endpoint_override", "scheme", "region"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: not known; endpoint_override, scheme and region are")
    endpoint = options.setdefault("endpoint_override", endpoint)
    if "region" not in options:
        options["region"] = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not options["region"]:
        options["region"] = "us-east-1" if endpoint else _region(bucket)
    return pafs.S3FileSystem(
        **options,
        allow_delayed_open=single_request,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=2),  # `with_retries` does the rest
    )


def _region(bucket: str) -> str:
    try:
        return pafs.resolve_s3_region(bucket)
    except OSError as error:
        raise UserError(
            f"s3://{bucket}: AWS does not tell the bucket's region ({short(error)}). Check its name and the network, "
            "or set AWS_REGION."
        ) from None


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _log() -> logging.Logger:
    return logging.getLogger("digits_ray")
