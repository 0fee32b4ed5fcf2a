"""Times are shown in the machine's own zone, where it can be known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memweb.settings import ZONES, machine_zone
from tests.running import ROOT, SECRET_KEY, clean_environment

LISBON = ZONES / "Europe/Lisbon"


@pytest.mark.parametrize(
    ("told", "zone"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        (f"{ZONES}/Asia/Tokyo", "Asia/Tokyo"),
        ("", "Europe/Lisbon"),
        ("CET-1CEST", "Europe/Lisbon"),
        ("../../../etc/passwd", "Europe/Lisbon"),
        ("Europe", "Europe/Lisbon"),
    ],
)
def test_the_zone_is_told_by_tz_or_by_the_machines_clock(tmp_path: Path, told: str, zone: str) -> None:
    clock = tmp_path / "localtime"
    clock.symlink_to(LISBON)
    assert machine_zone(told, clock) == zone


def test_a_clock_without_a_name_is_utc(tmp_path: Path) -> None:
    copied = tmp_path / "localtime"
    copied.write_bytes(LISBON.read_bytes())
    assert machine_zone("", copied) == machine_zone("", tmp_path / "nothing") == "UTC"


@pytest.mark.parametrize(
    ("told", "zone"), [({"TZ": "Asia/Tokyo"}, "Asia/Tokyo"), ({"TZ": "Asia/Tokyo", "MEMWEB_TIME_ZONE": "UTC"}, "UTC")]
)
def test_memweb_goes_by_it_unless_a_setting_names_another(tmp_path: Path, told: dict[str, str], zone: str) -> None:
    given = {"MEMWEB_DATA_DIR": os.fspath(tmp_path), "MEMWEB_SECRET_KEY": SECRET_KEY, **told}
    look = "import django; django.setup(); from django.utils import timezone; print(timezone.get_current_timezone())"
    done = subprocess.run(
        [sys.executable, "-c", look],
        cwd=ROOT,
        env=clean_environment() | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == zone
