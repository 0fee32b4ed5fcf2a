"""What must hold for the code as a whole: style, types, arrows, migrations, settings, nothing of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.running import ROOT, clean_environment

# Written apart, so that this file does not find itself.
FORBIDDEN = {
    "a package registry": r"py" + r"pi\.org|python" + r"hosted|registry\.npm" + r"js|deb\.deb" + r"ian\.org",
    "a path of one machine": r"(?<![\w.:/-])/(?:root|opt|work)" + r"/[\w.]|/home/\w+/",
    "a credential": r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE " + r"KEY-----|gh[pousr]_[A-Za-z0-9]{30}",
}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".html",
    ".css",
    ".js",
    ".mjs",
    ".json",
    ".yml",
    ".conf",
    ".service",
    ".svg",
    ".sh",
    "",
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=280
    )


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("importlinter.cli", "lint"),
    ],
    ids=["ruff", "format", "mypy", "arrows"],
)
def test_the_tools_find_nothing(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def manage(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment() | {"MEMWEB_DATA_DIR": str(tmp_path)} | environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_no_migration_is_missing(tmp_path: Path) -> None:
    done = manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


def test_the_system_checks_are_silent(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_a_production_set_as_documented_is_clean(tmp_path: Path) -> None:
    done = manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING",
        MEMWEB_ENV="production", MEMWEB_PUBLIC_URL="https://memweb.example.org", MEMWEB_BEHIND_PROXY="true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


SAFE = {
    "MEMWEB_ENV": "production",
    "MEMWEB_PUBLIC_URL": "https://memweb.example.org",
    "MEMWEB_BEHIND_PROXY": "true",
}


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"MEMWEB_DEBUG": "true"}, "MEMWEB_DEBUG"),
        ({"MEMWEB_PUBLIC_URL": "http://memweb.example.org"}, "MEMWEB_PUBLIC_URL"),
        ({"MEMWEB_PUBLIC_URL": ""}, "MEMWEB_ALLOWED_HOSTS names this machine only"),
        ({"MEMWEB_BEHIND_PROXY": ""}, "MEMWEB_BEHIND_PROXY is not set"),
        ({"MEMWEB_ALLOWED_HOSTS": "*"}, "MEMWEB_ALLOWED_HOSTS allows every name"),
        ({"MEMWEB_SECRET_KEY": "short"}, "MEMWEB_SECRET_KEY"),
        ({"MEMWEB_PUBLIC_URL": "https://memweb.example.org/below"}, "MEMWEB_PUBLIC_URL has a path"),
        ({"MEMWEB_GATEWAY_URL": "speech.example.org"}, "MEMWEB_GATEWAY_URL is not an address"),
    ],
)
def test_production_refuses_what_is_unsafe_by_name(tmp_path: Path, unsafe: dict[str, str], named: str) -> None:
    done = manage(tmp_path, "check", **(SAFE | unsafe))
    assert done.returncode == 1
    assert named in done.stderr
    assert "HINT" in done.stderr


def test_a_production_server_refuses_them_as_well(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import memweb.asgi"],
        cwd=ROOT,
        env=clean_environment() | {"MEMWEB_DATA_DIR": str(tmp_path), "MEMWEB_ENV": "production"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "MEMWEB_PUBLIC_URL is not an https address." in done.stderr


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(r"`(MEMWEB_\w+|DATABASE_URL|REDIS_URL)` \|", (ROOT / "docs/settings.md").read_text()))
    internal = {"MEMWEB_SUPERVISOR"}
    assert documented == (settings.KNOWN_SETTINGS - internal) | {"DATABASE_URL", "REDIS_URL"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_of_a_machine_or_a_registry_is_in_the_tree(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path.suffix in TEXT and "vendor" not in path.parts
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"{what}: {found}"


def test_every_pin_is_a_name_and_a_version() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(pins) > 50
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
