"""A file system as small as a test wants it, which can be filled to its last byte."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = 4096


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at `folder`."""

    folder: Path

    def fill(self, *, leave: int = 0) -> None:
        """Until it refuses one byte more; then `leave` bytes are given back."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(PAGE))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            ballast.truncate(ballast.tell() - leave)

    def is_full(self) -> bool:
        """Whether a file cannot be given its first byte."""
        probe = self.folder / "probe"
        try:
            probe.write_bytes(b"x")
        except OSError as error:
            return error.errno == errno.ENOSPC
        else:
            return False
        finally:
            probe.unlink(missing_ok=True)

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of this size ("16m") at `folder`, which is made. Skips where tests may not mount."""
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small disk needs root and mount: a full disk is NOT tested here")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("this machine does not allow mounting: a full disk is NOT tested here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
