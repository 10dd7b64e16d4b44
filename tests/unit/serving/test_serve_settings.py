"""What `serve` refuses before anything starts."""

import socket

import pytest

from digits_ray.errors import UserError
from digits_ray.serving.settings import REFUSED_VARIABLES, ServeSettings, check_port, check_settings

TOKEN = "a-token-of-20-letters"


def settings(**changed: object) -> ServeSettings:
    return ServeSettings("runs/first", **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_loopback_needs_no_token(host: str) -> None:
    check_settings(settings(host=host), {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.5", "myhost", "127.0.0.1.example.com", ""])
def test_any_other_host_needs_a_token(host: str) -> None:
    with pytest.raises(UserError, match="a token is needed"):
        check_settings(settings(host=host), {})
    check_settings(settings(host=host, token=TOKEN), {})


@pytest.mark.parametrize(
    "token", ["", "short", "with a blank in it", "ümlaute-sind-auch-dabei", "line\nbreak-in-the-token"]
)
def test_a_token_that_is_weak_or_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(UserError, match="at least 16 characters") as refusal:
        check_settings(settings(token=token), {})
    assert not token or token not in str(refusal.value)


def test_the_token_is_in_no_text_of_the_settings() -> None:
    assert TOKEN not in repr(settings(token=TOKEN))


@pytest.mark.parametrize("name", REFUSED_VARIABLES)
@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_variables_that_make_ray_serve_open_ports_are_refused(name: str, value: str) -> None:
    with pytest.raises(UserError, match=name):
        check_settings(settings(), {name: value})
    check_settings(settings(), {name: "0"})


@pytest.mark.parametrize("changed", [{"replicas": 0}, {"port": 0}, {"port": 65536}])
def test_impossible_numbers_are_refused(changed: dict[str, int]) -> None:
    (name,) = changed
    with pytest.raises(UserError, match=f"--{name}"):
        check_settings(settings(**changed), {})


def test_a_missing_extra_is_told_before_ray_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.serving.settings.find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(UserError, match=r"pip install 'digits-ray\[serve\]'"):
        check_settings(settings(), {})


def test_a_port_that_is_taken_is_told_with_the_cure() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: .* Choose another --port"):
            check_port(settings(port=port))


def test_the_url_of_an_ipv6_host_has_brackets() -> None:
    assert settings(host="::1").url == "http://[::1]:8000/"
