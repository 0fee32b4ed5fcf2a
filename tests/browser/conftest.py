"""What the microphone hears in the browser's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.driving import microphone


@pytest.fixture(scope="session")
def two_cities(wheel_speech: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a reading voice."""
    target = tmp_path_factory.mktemp("microphone") / "two_cities.wav"
    return microphone(wheel_speech["two_cities"], target, seconds=12)
