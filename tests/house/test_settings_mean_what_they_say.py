"""What stands in the environment, read by a process of its own: the settings that come of it, or a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as own
from django.http.request import validate_host
from pytest_django import Settings

from memweb import doctor
from tests.running import ROOT, SECRET_KEY, clean_environment

LOOK = """
import json
from memweb import settings
values = {name: value for name, value in vars(settings).items() if name.isupper() and name != "KNOWN_SETTINGS"}
print(json.dumps(values, default=repr))
"""


def python(*arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=clean_environment() | told, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def read(folder: Path | None = None, **told: str) -> dict[str, Any]:
    given = {} if folder is None else {"MEMWEB_DATA_DIR": os.fspath(folder)}
    done = python("-c", LOOK, **({"MEMWEB_SECRET_KEY": SECRET_KEY} | given | told))
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


def test_a_name_that_is_set_to_nothing_is_not_set() -> None:
    """Above all: no server that listens to every network, no folder that is wherever one stands."""
    names = [*own.KNOWN_SETTINGS - {"MEMWEB_SECRET_KEY"}, "DATABASE_URL", "REDIS_URL"]
    empty = read(**dict.fromkeys(names, ""))
    assert empty == read()
    assert (empty["HOST"], empty["DATA_DIR"]) == ("127.0.0.1", repr(ROOT / "data"))


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%41b", "a b&c=d"])
def test_the_database_is_in_its_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    assert read(folder)["DATABASES"]["default"]["NAME"] == str(folder / "memweb.sqlite3")


def test_another_database_is_told_by_its_address(tmp_path: Path) -> None:
    found = read(tmp_path, DATABASE_URL="postgres://ann:secret@db.example:5433/words")["DATABASES"]["default"]
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 5433, "words")


@pytest.mark.parametrize(
    ("told", "host", "origin"),
    [
        ({"MEMWEB_HOST": "fd00::5"}, "[fd00::5]", "http://[fd00::5]:8000"),
        ({"MEMWEB_HOST": "[fd00::5]", "MEMWEB_PORT": "80"}, "[fd00::5]", "http://[fd00::5]"),
        ({"MEMWEB_ALLOWED_HOSTS": "fd00::5"}, "[fd00::5]", "http://[fd00::5]:8000"),
        ({"MEMWEB_PUBLIC_URL": "https://[fd00::5]:8443"}, "[fd00::5]", "https://[fd00::5]:8443"),
        ({"MEMWEB_PUBLIC_URL": "https://Memweb.example:443/"}, "memweb.example", "https://memweb.example"),
        ({"MEMWEB_PUBLIC_URL": "http://memweb.example:80"}, "memweb.example", "http://memweb.example"),
        ({"MEMWEB_PUBLIC_URL": "https://memweb.example:80"}, "memweb.example", "https://memweb.example:80"),
    ],
)
def test_hosts_and_origins_are_as_browsers_write_them(
    tmp_path: Path, told: dict[str, str], host: str, origin: str
) -> None:
    found = read(tmp_path, **told)
    assert validate_host(host, found["ALLOWED_HOSTS"])
    assert origin in found["ALLOWED_ORIGINS"]
    if "MEMWEB_PUBLIC_URL" in told:
        assert found["PUBLIC_URL"] == origin
        assert found["CSRF_TRUSTED_ORIGINS"] == [origin]


def test_the_address_to_open_is_one(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.HOST, settings.PORT = "", "fd00::5", 8123
    assert doctor.public_address() == "http://[fd00::5]:8123"


@pytest.mark.parametrize("program", [("-m", "memweb.server"), ("manage.py", "check")], ids=["server", "manage"])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MEMWEB_PORT", "abc", "Not a valid integer"),
        ("MEMWEB_PORT", "70000", "70000 is not a port"),
        ("MEMWEB_PUBLIC_URL", "https://[memweb", "It must look like https://memweb.example.org"),
        ("MEMWEB_PUBLIC_URL", "https://memweb:eighty", "It must look like https://memweb.example.org"),
        ("MEMWEB_TIME_ZONE", "Berlin", "the name of a time zone"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, program: tuple[str, ...], name: str, value: str, says: str
) -> None:
    done = python(*program, MEMWEB_DATA_DIR=str(tmp_path), **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith("memweb cannot start.")
    assert name in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
