"""Proxies that the environment names, between a user and a dashboard."""

import os
import socket

import pytest

from digits_ray.errors import UserError
from digits_ray.ray_jobs.dashboard import Dashboard
from digits_ray.ray_jobs.proxy import Proxy, is_loopback, proxy_for


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, "")  # put back at the end, whatever is set meanwhile
            monkeypatch.delenv(variable)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_variable_that_names_the_proxy_is_found(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://proxy:3128")
    assert proxy_for("http://10.0.0.1:8265") == Proxy(variable, "http://proxy:3128", "10.0.0.1")


def test_each_scheme_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert proxy_for("http://10.0.0.1:8265") is None
    assert proxy_for("https://10.0.0.1") == Proxy("https_proxy", "http://proxy:3128", "10.0.0.1")


@pytest.mark.parametrize("excluded", ["10.0.0.1", "10.0.0.0/8", "*"])
def test_no_proxy_is_obeyed(excluded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", excluded)
    assert proxy_for("http://10.0.0.1:8265") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_this_machine_needs_no_proxy_and_other_exceptions_stay(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from requests.utils import get_environ_proxies

    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert proxy_for(f"http://{host}:8265") is None
    assert os.environ["no_proxy"].startswith("example.com,")
    assert get_environ_proxies(f"http://{host}:8265/api/version") == {}


def test_a_name_without_an_address_is_not_this_machine() -> None:
    assert not is_loopback("no.such.host.invalid")


def test_a_password_is_not_printed() -> None:
    assert str(Proxy("http_proxy", "http://me:secret@proxy:3128", "h")) == "http_proxy=http://proxy:3128"


def test_a_proxy_that_does_not_answer_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http_proxy=http://127.0.0.1:9, does not answer.*no_proxy=198.51.100.7"):
        Dashboard("http://198.51.100.7:8265")


def test_a_proxy_that_refuses_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        from threading import Thread

        def refuse() -> None:
            connection, _ = listener.accept()  # of the check that something listens
            connection.close()
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 403 Blocked by policy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.close()

        Thread(target=refuse, daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(UserError, match=rf"http_proxy={proxy}.*no_proxy=198.51.100.7"):
            Dashboard("http://198.51.100.7:8265")
