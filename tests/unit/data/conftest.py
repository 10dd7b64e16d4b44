"""Fixtures for the files of images."""

from pathlib import Path

import pytest
from image_files import Refusal, complaint


@pytest.fixture
def refusal(tmp_path: Path) -> Refusal:
    """Writes a file, tries to read it and returns the complaint without the file's name."""

    def write_and_read(content: str | bytes, name: str = "train.csv", labelled: bool = True) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return complaint(path, labelled)

    return write_and_read
