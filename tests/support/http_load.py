"""Clients that ask a server again and again, each over a connection of its own."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 100  # after which a request counts as hanging


@dataclass
class Client:
    """Asks one server, with a token."""

    url: str
    token: str | None = None

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Returns the status and the body of an answer, parsed where it is JSON. A `body` makes it a POST."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_SECONDS)
        try:
            return self.ask_over(connection, path, body, headers)
        finally:
            connection.close()

    def ask_over(
        self, connection: http.client.HTTPConnection, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The same over a connection."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request("GET" if body is None else "POST", f"/{path}", data, {**token, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        is_json = (response.getheader("Content-Type") or "").startswith("application/json")
        return response.status, json.loads(content) if is_json else content


@dataclass
class Load:
    """What came of the requests so far."""

    answers: Counter[int | str] = field(default_factory=Counter)  # by status; errors by their type
    members: set[int] = field(default_factory=set)  # how many members voted

    @property
    def total(self) -> int:
        """Requests that were answered or failed."""
        return sum(self.answers.values())


@contextmanager
def under_load(client: Client, body: Any, clients: int = 6) -> Iterator[Load]:
    """Runs the body while clients post `predict`; none of them is left waiting when it returns."""
    load, ended = Load(), threading.Event()
    threads = [threading.Thread(target=_ask_until, args=(client, body, load, ended)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join(2 * ANSWER_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a request hangs"


def _ask_until(client: Client, body: Any, load: Load, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            status, answer = client.ask("predict", body)
        except (OSError, http.client.HTTPException) as error:
            load.answers[type(error).__name__] += 1
            continue
        load.answers[status] += 1
        if status == 200:
            load.members.add(len(answer["members"]))
