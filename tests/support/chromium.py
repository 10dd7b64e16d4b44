"""A real headless Chromium, driven over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drawn_digits import Strokes
from waiting import eventually
from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
LIMIT_SECONDS = 60


class Page:
    """One page of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._ids = connection, itertools.count(1)
        self.console: list[str] = []  # errors and warnings of the page, refused requests included
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=LIMIT_SECONDS))
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] != "verbose":
            self.console.append(message["params"]["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.console.append(str(message["params"]["exceptionDetails"]))

    def open(self, url: str, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Opens a page in a window of this size, and waits until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        assert self.eventually(lambda: self.value("document.readyState") == "complete")

    def value(self, expression: str) -> Any:
        """Returns the value of an expression of JavaScript, or of its promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, identity: str) -> str:
        """Returns the text of an element."""
        return self.value(f"document.getElementById({identity!r}).textContent.trim()")

    def eventually(self, holds: Callable[[], bool]) -> bool:
        """Waits until something holds."""
        return eventually(holds)

    def draw(self, strokes: Strokes, identity: str = "canvas") -> None:
        """Draws with the mouse, along points of a square from (0, 0) to (1, 1) over an element."""
        self.value(f"document.getElementById({identity!r}).scrollIntoView({{block: 'center'}})")
        left, top, side = self.value(
            f"(b => [b.left, b.top, b.width])(document.getElementById({identity!r}).getBoundingClientRect())"
        )
        for stroke in strokes:
            points = [(left + x * side, top + y * side) for x, y in stroke]
            self._mouse("mousePressed", points[0])
            for point in points[1:]:
                self._mouse("mouseMoved", point)
            self._mouse("mouseReleased", points[-1])

    def _mouse(self, kind: str, point: tuple[float, float]) -> None:
        buttons = 0 if kind == "mouseReleased" else 1
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button="left", buttons=buttons, clickCount=1
        )

    def press(self, key: str, code: int, text: str = "", modifiers: int = 0) -> None:
        """Presses a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        """Writes a PNG of the whole page."""
        result = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(result["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Starts Chromium with a profile of its own in this folder; yields its page."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    ready = profile / "DevToolsActivePort"
    ready.unlink(missing_ok=True)  # of an earlier browser
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: ready.exists() and len(ready.read_text().split()) == 2)
        port = ready.read_text().split()[0]
        assert eventually(lambda: _pages(port) != [])
        with connect(_pages(port)[0], max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait()


def _pages(port: str) -> list[str]:
    """The addresses by which open pages are spoken to."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=LIMIT_SECONDS) as answer:
        return [each["webSocketDebuggerUrl"] for each in json.load(answer) if each["type"] == "page"]
