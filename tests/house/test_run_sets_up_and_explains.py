"""`./run`: what it says when it cannot set up, and that it sets up once. Real shells, stand-ins for Python and pip."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PACKAGES
from tests.running import ROOT

pytestmark = pytest.mark.process
TOOLS = ("sh", "cat", "cksum", "dirname", "ls", "id", "printf", "echo", "env", "mkdir", "touch")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script and what it reads, and a PATH with nothing but shell tools."""
    folder = tmp_path / "memweb"
    (folder / "bin").mkdir(parents=True)
    for name in ("run", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    for tool in TOOLS:
        found = shutil.which(tool)
        if found:
            (folder / "bin" / tool).symlink_to(found)
    return folder


def program(checkout: Path, name: str, text: str) -> None:
    path = checkout / "bin" / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout / "bin"), "HOME": str(checkout), **environment}
    return subprocess.run(
        [str(checkout / "run"), *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def test_it_is_a_script_any_posix_shell_reads() -> None:
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell
    assert subprocess.run([shell, "-n", ROOT / "run"], capture_output=True).returncode == 0
    assert os.access(ROOT / "run", os.X_OK)


def test_no_python_is_told(checkout: Path) -> None:
    done = run(checkout)
    assert done.returncode == 1
    assert "Python is missing. Install Python 3.11 or newer, then type ./run again." in done.stderr


def test_an_old_python_is_told_with_its_version(checkout: Path) -> None:
    program(checkout, "python3", '#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    done = run(checkout)
    assert done.returncode == 1
    assert "Python 3.9.2 is too old. Install Python 3.11 or newer" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(checkout: Path) -> None:
    program(checkout, "python3", "#!/bin/sh\nexit 1\n")
    program(checkout, "python3.12", '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexit 0\n')
    done = run(checkout)
    assert "sudo apt install python3-venv" in done.stderr


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path) -> None:
    (checkout / "bin" / "python3").symlink_to(sys.executable)
    precious = checkout / "precious"
    precious.mkdir()
    (precious / "letter.txt").write_text("keep me")
    done = run(checkout, MEMWEB_VENV=str(precious))
    assert done.returncode == 1
    assert f"{precious} is not a virtual environment." in done.stderr
    assert (precious / "letter.txt").read_text() == "keep me"


@pytest.fixture
def installed(checkout: Path) -> Path:
    """A checkout whose pip notes what it was asked for, and whose manage.py tells its arguments."""
    (checkout / "manage.py").write_text("import sys\nprint('manage', *sys.argv[1:])\n")
    environment = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    site = next((environment / "lib").glob("python3*")) / "site-packages" / "pip"
    site.mkdir()
    (site / "__init__.py").touch()
    (site / "__main__.py").write_text(
        "import sys\nif 'install' in sys.argv:\n    print(*sys.argv, file=open('asked', 'a'))\n"
        "    raise SystemExit(int(__import__('os').environ.get('PIP_FAILS', 0)))\n"
    )
    return checkout


def asked(checkout: Path) -> list[str]:
    path = checkout / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_parts_are_fetched_once_and_their_size_is_told_first(installed: Path) -> None:
    first = run(installed)
    assert first.stdout == "manage up\n"
    assert "about 350 MB to download, 1.0 GB on disk" in first.stderr
    second = run(installed, "doctor", "--json")
    assert (second.stdout, second.stderr) == ("manage doctor --json\n", "")
    assert len(asked(installed)) == 1
    assert "-c constraints.txt" in asked(installed)[0]


def test_a_changed_pin_fetches_again(installed: Path) -> None:
    run(installed)
    with (installed / "constraints.txt").open("a") as pins:
        pins.write("something==1.0\n")
    run(installed)
    assert len(asked(installed)) == 2


def test_a_fetch_that_failed_is_told_and_tried_again(installed: Path) -> None:
    failed = run(installed, PIP_FAILS="1")
    assert failed.returncode == 1
    assert "Check the network and the room on the disk" in failed.stderr
    assert failed.stdout == ""
    assert run(installed).stdout == "manage up\n"


def test_what_is_fetched_is_what_the_project_names(installed: Path) -> None:
    run(installed)
    wanted = (installed / ".venv" / "memweb-use.txt").read_text()
    assert "daphne>=" in wanted
    assert "faster-whisper" in wanted
    assert "pytest" not in wanted
    assert "memweb[" not in wanted
    assert "psycopg" not in wanted
    run(installed, DATABASE_URL="postgres://x@localhost/x", REDIS_URL="redis://localhost")
    wanted = (installed / ".venv" / "memweb-use.txt").read_text()
    assert "psycopg" in wanted
    assert "channels-redis" in wanted


def test_what_is_not_tested_for_want_of_a_program_is_said_loudly_and_how_to_have_it(tmp_path: Path) -> None:
    chosen = "tests/js/test_javascript.py::test_every_script_can_be_read"
    alone = {"PATH": str(tmp_path), "HOME": str(tmp_path)}  # no Node is found there, and this is not CI
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen],
        cwd=ROOT, env=alone, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Node is not installed: the scripts of the page are NOT tested here (1 test)\n" in done.stdout
    assert f"sudo apt-get install {PACKAGES}\n" in done.stdout


def test_the_packages_named_are_those_that_ci_installs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    named = re.findall(r"\binstall ((?:[a-z][\w.+-]* ?)+)", script.replace("apt-get install", ""))
    assert set(" ".join(named).split()) == set(PACKAGES.split())
