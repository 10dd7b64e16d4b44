"""The page to draw on, in headless Chromium: what it shows, and what it does where the server refuses."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import CHROMIUM, Page, browser
from drawn_digits import DIGITS
from local_server import LocalModel, facts_of, serving
from PIL import Image

from digits_ray.serving.requests import RequestError

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, LocalModel]]:
    model = LocalModel()
    with serving(model) as url:
        yield url, model


@pytest.fixture
def model(served: tuple[str, LocalModel]) -> LocalModel:
    return served[1].start_anew(replace(facts_of(), set_level=0.9))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(window: Page, served: tuple[str, LocalModel], model: LocalModel) -> Page:
    window.console.clear()
    open_page(window, served[0])
    return window


def open_page(page: Page, url: str, width: int = 1280, scheme: str = "light") -> None:
    page.open(url, width, scheme=scheme)
    assert page.eventually(lambda: page.text("run") == "first")


def answered(page: Page) -> bool:
    return page.eventually(lambda: page.value("document.body.dataset.answered") == "all")


def sheet_is_empty(page: Page) -> bool:
    return "empty" in page.value("document.getElementById('canvas').getAttribute('aria-label')")


def test_what_is_drawn_is_answered_with_bars_dots_and_what_the_networks_see(page: Page, model: LocalModel) -> None:
    page.draw(DIGITS[0])
    assert answered(page)
    assert page.text("label") == "0"
    assert "unsure: it may be 1" in page.text("sentence")
    assert "2 of 3 networks agree" in page.text("sentence")
    dots = "[...document.querySelectorAll('#bars tr')].map(row => row.querySelectorAll('.dot').length)"
    assert page.value(dots) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    widths = page.value("[...document.querySelectorAll('.fill')].slice(0, 3).map(fill => parseFloat(fill.style.width))")
    assert widths == pytest.approx([55.33, 28.67, 2], abs=0.1)
    pixels = "[...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
    shown = np.array(page.value(pixels), np.uint8).reshape(28, 28, 4)[..., 0]
    assert np.array_equal(shown, model.seen[-1][0])
    assert page.eventually(lambda: page.text("status").startswith("0, "))
    assert page.console == []


def test_the_answer_follows_each_stroke_and_undo_and_clear_take_back(page: Page, model: LocalModel) -> None:
    page.draw(DIGITS[4][:1])
    assert answered(page)
    first = model.seen[-1]
    page.draw(DIGITS[4][1:])
    assert answered(page)
    assert not np.array_equal(model.seen[-1], first)
    page.press("z", 90, modifiers=2)
    assert answered(page)
    assert np.abs(model.seen[-1].astype(int) - first).max() <= 1
    page.value("document.getElementById('clear').click()")
    assert sheet_is_empty(page)
    assert page.text("label") == "Draw"
    assert page.value("document.getElementById('undo').disabled")


def test_the_keyboard_draws(page: Page, model: LocalModel) -> None:
    page.value("document.getElementById('canvas').focus()")
    page.press(" ", 32, " ")
    for _ in range(8):
        page.press("ArrowDown", 40)
    page.press(" ", 32, " ")
    page.press("ArrowRight", 39)
    assert answered(page)
    rows, columns = np.nonzero(model.seen[-1][0] > 127)
    assert np.ptp(rows) > 15
    assert np.ptp(columns) < 5
    page.press("Escape", 27)
    assert sheet_is_empty(page)


def test_a_picture_that_is_dropped_is_answered(page: Page, model: LocalModel) -> None:
    paper = np.full((80, 80), 230, np.uint8)
    paper[10:70, 35:45] = 20
    file = io.BytesIO()
    Image.fromarray(paper).save(file, "PNG")
    page.value(f"""(() => {{
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array({list(file.getvalue())})], "one.png", {{type: "image/png"}}));
        const options = {{dataTransfer: files, bubbles: true, cancelable: true}};
        document.getElementById("canvas").dispatchEvent(new DragEvent("drop", options));
    }})()""")
    assert page.eventually(lambda: len(model.seen) == 1)
    assert answered(page)
    assert np.nonzero(model.seen[0][0] > 127)[0].size > 40
    assert page.console == []


def test_a_server_that_refuses_is_told_in_words_and_asked_again(page: Page, model: LocalModel) -> None:
    model.failure = RequestError(503, "the server is busy. Try again in a moment.")
    page.draw(DIGITS[7])
    assert page.eventually(lambda: page.text("problem") == "The server is busy. Try again in a moment.")
    assert not page.value("document.getElementById('problem').hidden")
    model.failure = None
    assert page.eventually(lambda: page.value("document.getElementById('problem').hidden"))
    assert page.text("label") == "0"


def test_a_server_that_is_gone_is_told_in_words(window: Page, model: LocalModel) -> None:
    with serving(model) as url:
        open_page(window, url)
    window.draw(DIGITS[7])
    assert window.eventually(lambda: window.text("problem").startswith("The server does not answer."))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_or_scrolls_sideways_and_nothing_moves_while_one_draws(
    page: Page, served: tuple[str, LocalModel], model: LocalModel, width: int, scheme: str, tmp_path: Path
) -> None:
    model.known = replace(model.known, name="a-run-of-a-rather-long-name" * 4)
    page.open(served[0], width, scheme=scheme)
    assert page.eventually(lambda: page.text("run").startswith("a-run"))
    top = page.value("document.getElementById('canvas').getBoundingClientRect().top + scrollY")
    page.draw(DIGITS[2])
    assert answered(page)
    assert page.value("document.getElementById('canvas').getBoundingClientRect().top + scrollY") == top
    assert page.value("document.documentElement.scrollWidth") <= width
    ground = page.value("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 15_000
