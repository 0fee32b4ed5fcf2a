"""Live sessions have places: so many on the machine, so many for one account, over processes, and over their deaths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memweb.gateway.places import Full, Places
from tests.running import ROOT, clean_environment

HOLDER = (
    "import django; django.setup()\n"
    "from memweb.gateway.places import Full, places\n"
    "held = [places.take(1) for _ in range({held})]\n"
    "print('held', flush=True)\n"
    "input()\n"
)


@pytest.fixture(autouse=True)
def few(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.MAX_SESSIONS, settings.MAX_STREAMS = 5, 3


def other_process(tmp_path: Path, held: int) -> subprocess.Popen[bytes]:
    """A process that holds places of account 1, or dies of not getting them."""
    limits = {"MEMWEB_DATA_DIR": str(tmp_path), "MEMWEB_MAX_SESSIONS": "5", "MEMWEB_MAX_STREAMS": "3"}
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(held=held)],
        cwd=ROOT,
        env=clean_environment() | limits,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"held"
    return child


def test_an_account_has_a_most_and_so_has_the_machine() -> None:
    places = Places()
    first = [places.take(1) for _ in range(3)]
    with pytest.raises(Full, match="This account may have 3"):
        places.take(1)
    places.take(2)
    with places.taken(3), pytest.raises(Full, match="This machine has 5"):
        places.take(4)
    places.take(4).release()
    first[1].release()
    first[1].release()
    again = places.take(1)
    with pytest.raises(Full, match="This account"):
        places.take(1)
    again.release()


def test_processes_share_the_places_and_a_killed_one_leaves_its_own(tmp_path: Path) -> None:
    places = Places()
    child = other_process(tmp_path, held=2)
    try:
        mine = places.take(1)
        with pytest.raises(Full, match="This account"):
            places.take(1)
        mine.release()
    finally:
        child.kill()
        child.communicate()
    held = [places.take(1) for _ in range(3)]
    with pytest.raises(Full):
        places.take(1)
    for place in held:
        place.release()
