"""`digits-ray serve` as a user starts it: a real Ray Serve on loopback, one ensemble for all tests of this file."""

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import CHROMIUM, Page, browser
from commands import ALONE, NO_REPORT, digits_ray, started
from drawn_digits import DIGITS
from http_load import Client, under_load
from processes import descendants, kill, title
from sockets import is_loopback, listening
from waiting import LIMIT_SECONDS, eventually

TOKEN = secrets.token_hex(16)
DRAWING = {"drawing": DIGITS[3]}

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """The command, and what it has started."""

    def __init__(self, run_dir: Path) -> None:
        port = free_port()
        self.url, self.run_dir = f"http://127.0.0.1:{port}/", run_dir
        self.client = Client(self.url, TOKEN)
        self.command = started("serve", run_dir, "--port", port, "--replicas", 2)

    def is_ready(self) -> bool:
        try:
            return self.client.ask("readyz")[0] == 200
        except OSError:
            assert self.command.poll() is None, self.command.communicate()
            return False

    def all_replicas_answer(self) -> bool:
        """Whether those that have been started in the place of killed ones do, too: reloading waits for them."""
        return self.client.ask("reload", b"")[0] == 200

    def processes(self) -> list[int]:
        """The command, and all that it has started."""
        return [self.command.pid, *descendants(self.command.pid)]

    def replicas(self, deployment: str) -> list[int]:
        """The processes of a deployment."""
        return [pid for pid in self.processes() if f"ServeReplica:digits-ray:{deployment}" in title(pid)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an ensemble of two that shows one: the second is finished later."""
    run_dir = tmp_path_factory.mktemp("served") / "digits"
    trained = digits_ray("run", "--members", 2, "--out", run_dir, *ALONE, altered=NO_REPORT)
    assert trained.returncode == 0, trained.stderr
    (run_dir / "members/001/result.json").rename(run_dir / "finished-later.json")
    os.environ["DIGITS_RAY_TOKEN"] = TOKEN
    server = Server(run_dir)
    try:
        assert eventually(server.is_ready)
        yield server
    finally:
        del os.environ["DIGITS_RAY_TOKEN"]
        server.command.terminate()
        server.command.communicate(timeout=LIMIT_SECONDS)


def test_a_drawing_is_answered_with_label_probabilities_and_votes(server: Server) -> None:
    status, answer = server.client.ask("predict", DRAWING)
    assert status == 200
    assert answer["labels"] == [3]
    assert sum(answer["probabilities"][0]) == pytest.approx(1, abs=1e-4)
    assert answer["votes"] == [[3]]
    assert Client(server.url).ask("predict", DRAWING)[0] == 401


def test_what_the_model_refuses_is_told_in_words(server: Server) -> None:
    status, answer = server.client.ask("predict?sets=0.999999", DRAWING)
    assert status == 422
    assert answer["error"].startswith("prediction sets")
    assert len(answer["error"].splitlines()) == 1


def test_nothing_listens_beyond_loopback(server: Server) -> None:
    addresses = [(title(pid), address) for pid in server.processes() for address in listening(pid)]
    assert len(addresses) > 5
    assert [each for each in addresses if not is_loopback(each[1])] == []


def test_replicas_listen_on_no_port_but_that_of_ray_which_asks_for_a_token(server: Server) -> None:
    def ports() -> list[int]:
        return [len(listening(pid)) for name in ("model", "ingress") for pid in server.replicas(name)]

    assert eventually(lambda: ports() == [1, 1, 1, 1]), ports()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_digits_that_are_drawn_with_the_mouse_are_recognised(server: Server, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.open(server.url)
        give_token(page)
        recognised = [digit for digit in DIGITS if recognises(page, digit)]
        assert len(recognised) >= 9
        assert [text for text in page.console if "401" not in text] == []


def give_token(page: Page) -> None:
    """Types the token where the page asks for it."""
    assert page.eventually(lambda: not page.value("document.getElementById('token-form').hidden"))
    page.value(f"document.getElementById('token').value = {TOKEN!r}")
    page.value("document.getElementById('token-form').requestSubmit()")
    assert page.eventually(lambda: "networks" in page.text("facts") or "1 network" in page.text("facts"))


def recognises(page: Page, digit: int) -> bool:
    """Draws a digit, waits until all of it is answered, and tells whether the page shows it."""
    page.value("document.getElementById('clear').click()")
    page.draw(DIGITS[digit])
    assert page.eventually(lambda: page.value("document.body.dataset.answered") == "all")
    return page.text("label") == str(digit)


def test_a_model_process_that_dies_under_load_costs_no_client_an_error(server: Server) -> None:
    with under_load(server.client, DRAWING) as load:
        assert eventually(lambda: load.total > 30)
        kill(server.replicas("model")[0])
        before = load.total
        assert eventually(lambda: load.total > before + 60)
    assert set(load.answers) == {200}


def test_an_ingress_process_that_dies_costs_its_own_running_requests_alone(server: Server) -> None:
    assert eventually(server.all_replicas_answer)
    with under_load(server.client, DRAWING, clients=6) as load:
        assert eventually(lambda: load.total > 30)
        kill(server.replicas("ingress")[0])
        before = load.total
        assert eventually(lambda: load.total > before + 60)
    assert load.total - load.answers[200] <= 6
    with under_load(server.client, DRAWING) as later:
        assert eventually(lambda: later.total > 30)
    assert set(later.answers) == {200}


def test_a_newer_run_is_swapped_in_without_a_failed_request_also_while_a_process_starts(server: Server) -> None:
    assert eventually(server.all_replicas_answer)
    with under_load(server.client, DRAWING, clients=2) as load:
        assert eventually(lambda: load.total > 10)
        killed, other = server.replicas("model")
        kill(killed)
        assert eventually(lambda: len({*server.replicas("model")} - {killed, other}) == 1)
        (server.run_dir / "finished-later.json").rename(server.run_dir / "members/001/result.json")
        assert eventually(server.all_replicas_answer)
        assert server.client.ask("run")[1]["members"] == [0, 1]
        before = load.total
        assert eventually(lambda: load.total > before + 20)
    assert set(load.answers) == {200}
    assert load.members == {1, 2}
    with under_load(server.client, DRAWING) as load:
        assert eventually(lambda: load.total > 30)
    assert load.members == {2}
