"""The page in headless Chromium, where one is installed: nothing is clipped, overlaps or scrolls sideways."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from report_runs import make_run
from waiting import LIMIT_SECONDS

from digits_ray.report import draw_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
LONG = tuple(f"class-of-long-name-{number:02d}" for number in range(47))

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

# Looks at each figure's texts: do any two overlap by more than a pixel, does any leave its figure?
LOOK = """
<script>
const problems = []; let seen = 0;
for (const svg of document.querySelectorAll('figure svg')) {
  const name = svg.closest('figure').id, frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('g[id*="-text_"]')].filter(text => text.querySelector('use'));
  const boxes = texts.map(text => text.getBoundingClientRect());
  seen += boxes.length;
  boxes.forEach((a, i) => {
    if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
      problems.push(name + ' clips ' + texts[i].id);
    boxes.slice(i + 1).forEach((b, j) => {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1.5 && down > 1.5) problems.push(name + ' overlaps ' + texts[i].id + ' ' + texts[i + 1 + j].id);
    });
  });
}
const root = document.documentElement;
document.title = JSON.stringify({problems: problems, texts: seen, width: root.scrollWidth, room: root.clientWidth});
</script>
"""


def browse(page: Path, *flags: str) -> str:
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *flags, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS).stdout


def looked_at(place: str, width: int) -> dict[str, Any]:
    """Opens a copy of the page that tells in its title what it looks like."""
    text = Path(place, "report.html").read_text(encoding="utf8")
    copy = Path(place, "look.html")
    copy.write_text(text.replace("</body>", LOOK + "</body>"), encoding="utf8")
    answer = browse(copy, "--dump-dom", f"--window-size={width},1000")
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", answer)[1]))  # type: ignore[index]


@pytest.mark.parametrize(
    "shape",
    [
        {"classes": 10, "side": 28, "members": 10, "labelled": 500},
        {"classes": 2, "side": 8, "members": 1, "labelled": 100, "test": 0, "baselines": False, "epochs": 1},
        {"classes": 47, "side": 64, "members": 24, "labelled": 940, "test": 60, "names": LONG, "skill": 1.8},
    ],
    ids=["usual", "smallest", "largest"],
)
def test_no_text_overlaps_or_is_clipped(tmp_path: Path, shape: dict[str, Any]) -> None:
    place = make_run(tmp_path / "run", **shape)
    draw_report(place)
    seen = looked_at(place, 1200)
    assert seen["texts"] > 100
    assert seen["problems"] == []
    for width in (1200, 500):
        assert looked_at(place, width)["width"] <= width, f"scrolls sideways at {width} pixels"


def test_the_page_can_be_seen_and_printed(tmp_path: Path) -> None:
    place = make_run(tmp_path / "run")
    page = Path(draw_report(place))
    browse(page, f"--screenshot={tmp_path / 'page.png'}", "--window-size=1200,2000")
    browse(page, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.png").stat().st_size > 50_000  # a blank page has some 10 KB
    assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") >= 6
