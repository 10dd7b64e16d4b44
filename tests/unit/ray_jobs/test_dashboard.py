"""What a dashboard's address leads to, and the error where that cannot be used."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from digits_ray.errors import UserError
from digits_ray.ray_jobs import dashboard
from digits_ray.ray_jobs.dashboard import DEFAULT_ADDRESS, Dashboard, default_address

Response = tuple[int, str]  # status and text
Responses = dict[str, Response | list[Response]]  # by path; of several, each is given once, the last one from then on
VERSION = json.dumps({"version": "4", "ray_version": "2.60.0", "ray_commit": "", "session_name": ""})


def metadata(python: str = "3.12.1", ray: str = "2.60.0") -> tuple[int, str]:
    return 200, json.dumps({"data": {"pythonVersion": python, "rayVersion": ray}})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "READY_POLL_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")  # put back at the end, whatever a dashboard sets


@pytest.fixture
def server() -> Iterator[Callable[[Responses], str]]:
    """Starts a web server that gives these responses, by path; returns its address."""
    started = []

    def start(responses: Responses) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                response = responses.get(self.path, (404, "not here"))
                if isinstance(response, list):
                    response = response.pop(0) if len(response) > 1 else response[0]
                status, text = response
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *arguments: object) -> None:
                """Logs nothing."""

        web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        started.append(web)
        return f"http://127.0.0.1:{web.server_port}"

    yield start
    for web in started:
        web.shutdown()
        web.server_close()


def test_a_dashboard_with_fitting_versions_is_accepted(server: Callable[[Responses], str]) -> None:
    address = server({"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata()})
    assert Dashboard(f"{address}/").address == address
    assert Dashboard(address.removeprefix("http://")).address == address


def test_the_address_that_was_given_wins_over_the_environment(
    server: Callable[[Responses], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    address = server({"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata()})
    assert Dashboard(address).address == address
    assert os.environ["RAY_API_SERVER_ADDRESS"] == address


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ({"/api/version": (401, "")}, "wants a token"),
        ({"/api/version": (403, "")}, "has another token"),
        ({}, "unexpected answer"),
        ({"/api/version": (200, "<html>")}, "no Ray dashboard answers"),
        (
            {"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata(python="3.10.14")},
            r"has Python 3\.10\.14, digits-ray needs Python >=3\.11",
        ),
        (
            {"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata(ray="2.9.3")},
            r"has Ray 2\.9\.3, digits-ray needs Ray .*>=2\.\d\d",
        ),
    ],
    ids=["no token", "another token", "another server", "a web page", "an old Python", "an old Ray"],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    responses: Responses, message: str, server: Callable[[Responses], str]
) -> None:
    with pytest.raises(UserError, match=message) as error:
        Dashboard(server(responses))
    assert "\n" not in str(error.value)


def test_a_token_in_the_home_directory_is_sent_to_this_machine_whose_clusters_ask_for_it(
    server: Callable[[Responses], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # put back at the end, whatever a dashboard sets
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    address = server({"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata()})
    Dashboard(address)
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a" * 64)
    Dashboard(address)
    assert os.environ.pop("RAY_AUTH_MODE") == "token"
    monkeypatch.setattr(dashboard, "is_loopback", lambda host: False)
    Dashboard(address)
    assert "RAY_AUTH_MODE" not in os.environ  # another machine is not sent it


@pytest.mark.parametrize(
    ("response", "content"), [((200, "ImageId,Label"), b"ImageId,Label"), ((200, ""), None), ((500, "not found"), None)]
)
def test_a_file_that_is_missing_or_empty_is_none(
    response: tuple[int, str], content: bytes | None, server: Callable[[Responses], str]
) -> None:
    path = "/api/v0/logs/file?node_id=node&filename=job%2Fsubmission.csv&lines=-1"
    responses = {"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata(), path: response}
    assert Dashboard(server(responses)).file("node", "job/submission.csv") == content


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "ray://127.0.0.1:10001", "http://no.such.host.invalid", "x:y"]
)
def test_an_address_without_a_dashboard_is_refused_at_once(address: str) -> None:
    with pytest.raises(UserError, match="kubectl port-forward"):
        Dashboard(address)


def test_a_dashboard_that_never_answers_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen head's, or the near end of a tunnel whose far end has gone."""
    monkeypatch.setattr(dashboard, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=r"no Ray dashboard answers .*timed out"):
            Dashboard(address)


def test_a_ray_without_jobs_names_what_to_install(
    server: Callable[[Responses], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.dashboard.modules.job.sdk.requests", None)  # as where ray[default] is missing
    with pytest.raises(UserError, match=r'pip install "digits-ray\[cluster\]"'):
        Dashboard(server({}))


def test_the_default_address_is_the_one_that_rays_commands_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert default_address() == DEFAULT_ADDRESS
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # a cluster's own address is no dashboard's
    assert default_address() == DEFAULT_ADDRESS
    monkeypatch.setenv("RAY_ADDRESS", "http://10.0.0.1:8265")
    assert default_address() == "http://10.0.0.1:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://10.0.0.2:8265")
    assert default_address() == "http://10.0.0.2:8265"


USABLE: Responses = {"/api/version": (200, VERSION), "/api/v0/cluster_metadata": metadata()}
NO_AGENT = (500, "No available agent to submit job, please try again later.")
ACCEPTED = (200, json.dumps({"job_id": "7", "submission_id": "7"}))


def submit(address: str, runtime_env: dict[str, object] | None = None) -> None:
    Dashboard(address).submit("7", "true", runtime_env or {}, {})


def test_a_head_that_has_just_started_is_asked_again(server: Callable[[Responses], str]) -> None:
    starting = {"/api/version": [(503, ""), (500, "starting"), (200, VERSION)], "/api/jobs/": [NO_AGENT, ACCEPTED]}
    submit(server(USABLE | starting))


def test_a_head_that_never_gets_ready_is_told_with_where_its_reason_is(
    server: Callable[[Responses], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "READY_SECONDS", 0.05)
    with pytest.raises(UserError, match=r"not ready after .*No available agent.*dashboard_agent\.log"):
        submit(server(USABLE | {"/api/jobs/": NO_AGENT}))


def test_a_refused_job_is_told_with_the_last_line_of_the_reason(server: Callable[[Responses], str]) -> None:
    failed = (500, "Traceback (most recent call last):\n  File x\nValueError: no such package")
    with pytest.raises(UserError, match=r"refuses the job \(500: ValueError: no such package\)") as error:
        submit(server(USABLE | {"/api/jobs/": failed}))
    assert "--address" not in str(error.value)


def test_a_runtime_env_that_ray_refuses_is_told_as_one(server: Callable[[Responses], str]) -> None:
    with pytest.raises(UserError, match=r"Ray refuses the runtime_env .*Correct --runtime-env") as error:
        submit(server(USABLE), {"env_vars": {"A": 1}})
    assert "--address" not in str(error.value)
