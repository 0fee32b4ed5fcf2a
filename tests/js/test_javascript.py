"""The page's scripts, tested by Node's own runner: pytest stays the one door."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STATIC = HERE.parent.parent / "static"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        assert not os.environ.get("CI"), "Node is missing: the scripts of the page cannot be tested"
        pytest.skip("Node is not installed: the scripts of the page are NOT tested here")
    return found


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name.split(".")[0])
def test_the_scripts_keep_their_promises(path: Path, node: str) -> None:
    done = subprocess.run([node, "--test", str(path)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# tests 0" not in done.stdout


def test_every_script_can_be_read(node: str) -> None:
    for path in sorted((STATIC / "js").glob("*.js")):
        done = subprocess.run(
            [node, "--input-type=module", "--check"], input=path.read_text(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{path.name}: {done.stderr}"


def test_what_was_taken_from_others_is_as_it_came() -> None:
    rows = [
        line.split() for line in (STATIC / "js/vendor/vendor.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert len(rows) >= 3
    for name, _version, _licence, digest, path in rows:
        assert hashlib.sha256((STATIC / path).read_bytes()).hexdigest() == digest, name
