"""What every request passes before anything is done for it: who asks, from which page, with which token, how much."""

import hmac
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digits_ray.serving.page_files import PAGE_FILES
from digits_ray.serving.requests import RequestError
from digits_ray.serving.settings import MOST_BODY_BYTES, ServeSettings, is_loopback

OPEN_PATHS = (*PAGE_FILES, "/healthz", "/readyz")  # that ask for no token

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """The outermost part of the server, an ASGI application round another."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers why not; every answer has the security headers."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websocket is opened

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        try:
            self.check(scope["method"], scope["path"], Headers(scope=scope))
        except RequestError as error:
            return await error_response(error)(scope, receive, send_with_headers)
        await self._app(scope, receive, send_with_headers)

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Refuses a request that a web page elsewhere makes, or that lacks the token.

        Args:
            method: GET or POST.
            path: Of the URL.
            headers: By their names in lower case.

        Raises:
            RequestError: 403, 401 or 413.
        """
        host = headers.get("host", "")
        if self._settings.is_loopback and not is_loopback(_split(f"//{host}").hostname or ""):
            raise RequestError(403, "the Host header names another machine. Open the page as localhost.")
        origin = headers.get("origin")
        if origin is not None and _split(origin).netloc.lower() != host.lower():
            raise RequestError(403, "a web page elsewhere may not ask this server.")
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site") and (method, path) != ("GET", "/"):
            raise RequestError(403, "a web page elsewhere may not ask this server.")
        if path not in OPEN_PATHS:
            self._check_token(headers.get("authorization", ""))
        check_length(headers.get("content-length", "0"))

    def _check_token(self, authorization: str) -> None:
        token = self._settings.token
        if token is None:
            return
        given = authorization.removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, token.encode()):
            raise RequestError(401, "the token is missing or wrong. Send the header `Authorization: Bearer TOKEN`.")


def check_length(content_length: str) -> None:
    """Raises RequestError where a body is announced that is too long."""
    if not content_length.isdigit() or int(content_length) > MOST_BODY_BYTES:
        raise too_long()


def too_long() -> RequestError:
    """Returns the error of a body that is too long."""
    return RequestError(413, f"the body is longer than {MOST_BODY_BYTES >> 20} MiB. Send less at a time.")


def error_response(error: RequestError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns the answer that tells of an error."""
    challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return JSONResponse({"error": str(error)}, error.status, {**challenge, **(headers or {})})


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
