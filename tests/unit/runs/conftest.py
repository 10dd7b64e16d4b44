"""What takes the place of Ray, training, searching and drawing in tests of a run's stages."""

import pytest
from pretended_work import PretendedWork
from recording_callback import RecordingCallback


@pytest.fixture
def recorder() -> RecordingCallback:
    return RecordingCallback()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, recorder: RecordingCallback) -> PretendedWork:
    return PretendedWork(monkeypatch, recorder)
