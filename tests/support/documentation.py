"""What the pages of the documentation show: blocks, and lines for a shell."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = [page for page in PAGES if page.name != "CHANGELOG.md"]  # it may name what is gone

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for name, text in FENCE.findall(page.read_text(encoding="utf8")) if name == language]


def shell_lines() -> list[str]:
    """Every line that a shell runs, without remarks, `!` of a notebook's cell, and line breaks within a command."""
    text = "\n".join(block for page in NAMED for language in ("", "bash") for block in blocks(page, language))
    lines = [line.removeprefix("!") for line in re.sub(r" \\\n +", " ", text).splitlines()]
    return list(dict.fromkeys(re.split(r"\s{2,}|\s#|\s>", line)[0] for line in lines if line.strip()))
