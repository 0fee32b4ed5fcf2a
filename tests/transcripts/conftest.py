"""Alice owns, Bob is a stranger; files go to a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from memweb.accounts.models import User
from tests.transcripts import making


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: object) -> Path:
    settings.SPOOL_DIR = tmp_path / "spools"  # type: ignore[attr-defined]
    settings.AUDIO_DIR = tmp_path / "audio"  # type: ignore[attr-defined]
    settings.UPLOAD_DIR = tmp_path / "uploads"  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture
def alice(db: None) -> User:
    return making.person("alice")


@pytest.fixture
def bob(db: None) -> User:
    return making.person("bob")
