"""Who may ask: this machine's own page, and whoever has the token."""

import pytest

from digits_ray.serving.guard import OPEN_PATHS, Guard
from digits_ray.serving.requests import RequestError
from digits_ray.serving.settings import MOST_BODY_BYTES, ServeSettings

TOKEN = "a-token-of-20-letters"
PAGE = {"host": "127.0.0.1:8000"}


async def nothing(*given: object) -> None:
    """An application that answers nothing."""


def status(
    headers: dict[str, str],
    path: str = "/predict",
    method: str = "POST",
    host: str = "127.0.0.1",
    token: str | None = None,
) -> int:
    """What a request is refused with; 200 where it passes."""
    try:
        Guard(nothing, ServeSettings("runs/first", host=host, token=token)).check(method, path, headers)
    except RequestError as error:
        return error.status
    return 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "[::1]:8000", "LOCALHOST", "127.0.0.1"])
def test_on_loopback_the_machine_s_own_names_pass(host: str) -> None:
    assert status({"host": host}) == 200
    assert status({"host": host, "origin": f"http://{host}"}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8000", "[::1", "user@evil"]
)
def test_on_loopback_any_other_host_is_refused(host: str) -> None:
    assert status({"host": host}) == 403
    assert status({"host": host}, path="/", method="GET") == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", "http://[", "file://"])
def test_a_web_page_elsewhere_is_refused(origin: str) -> None:
    assert status({**PAGE, "origin": origin}) == 403
    headers = {"host": "digits.example", "origin": origin, "authorization": f"Bearer {TOKEN}"}
    assert status(headers, path="/reload", host="0.0.0.0", token=TOKEN) == 403


def test_a_request_that_the_browser_calls_cross_site_is_refused_but_a_link_to_the_page_is_not() -> None:
    assert status({**PAGE, "sec-fetch-site": "cross-site"}) == 403
    assert status({**PAGE, "sec-fetch-site": "same-site"}, path="/run", method="GET") == 403
    assert status({**PAGE, "sec-fetch-site": "cross-site"}, path="/", method="GET") == 200
    assert status({**PAGE, "sec-fetch-site": "same-origin"}) == 200


@pytest.mark.parametrize("path", ["/predict", "/run", "/reload", "/openapi.json", "/page.js/", "//", "/anything"])
@pytest.mark.parametrize(
    "given", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ümlaut"]
)
def test_without_the_token_everything_but_the_page_is_refused(path: str, given: str) -> None:
    assert status({**PAGE, "authorization": given}, path=path, token=TOKEN) == 401
    assert status({**PAGE, "authorization": f"Bearer {TOKEN}"}, path=path, token=TOKEN) == 200


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_the_page_and_the_health_need_no_token(path: str) -> None:
    assert status(PAGE, path=path, method="GET", token=TOKEN) == 200


@pytest.mark.parametrize("length", [str(MOST_BODY_BYTES + 1), "-1", "many"])
def test_a_body_that_is_announced_too_long_is_refused(length: str) -> None:
    assert status({**PAGE, "content-length": length}) == 413
    assert status({**PAGE, "content-length": str(MOST_BODY_BYTES)}) == 200
