"""`digits-ray serve`: what it passes on, what it prints, and what it refuses before Ray starts."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from digits_ray import serving
from digits_ray.cli.commands.serving import serve
from digits_ray.errors import UserError
from digits_ray.serving.server import Serving
from digits_ray.serving.settings import ServeSettings

TOKEN = "a-token-of-20-letters"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """The settings that servers were started with; none really starts."""
    started: list[ServeSettings] = []

    def start(settings: ServeSettings, on_ready: Any) -> None:
        started.append(settings)
        on_ready(Serving(settings.url, "http://127.0.0.1:9/metrics", 10))

    monkeypatch.setattr(serving, "serve_run", start, raising=False)
    return started


def run_serve(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(serve, ["runs/kaggle", *words], env={"DIGITS_RAY_TOKEN": None, **environment})


def test_by_default_this_machine_alone_is_served(given: list[ServeSettings]) -> None:
    printed = run_serve().output
    assert given == [ServeSettings("runs/kaggle", "127.0.0.1", 8000, None, 1, None)]
    assert "10 members answer at http://127.0.0.1:8000/" in printed
    assert "This machine alone can reach it." in printed
    assert "Ctrl-C ends it." in printed


def test_the_token_is_read_from_the_environment_and_never_printed(given: list[ServeSettings]) -> None:
    printed = run_serve("--host", "0.0.0.0", DIGITS_RAY_TOKEN=TOKEN).output
    assert given[0].token == TOKEN
    assert TOKEN not in printed
    assert "$DIGITS_RAY_TOKEN" in printed


def test_a_host_that_others_reach_is_refused_without_a_token() -> None:
    refused = run_serve("--host", "0.0.0.0")
    assert isinstance(refused.exception, UserError)
    assert "a token is needed" in str(refused.exception)


def test_a_folder_without_a_run_is_refused(tmp_path: Any) -> None:
    refused = CliRunner().invoke(serve, [str(tmp_path)], env={"DIGITS_RAY_TOKEN": None})
    assert isinstance(refused.exception, UserError)
    assert "not a run directory" in str(refused.exception)
