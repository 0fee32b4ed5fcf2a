"""A full disk and a locked database: said in words, nothing acknowledged that is not kept, and it goes on by itself."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dictation.evidence import assert_whole, broken, environment, spooled
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.small_disk import mounted
from tests.upstream_simulator import Simulator

pytestmark = pytest.mark.process

SWALLOWS_A_FULL_DISK = """
import contextlib
from memweb.dictation import recording
write = recording.Spool.write
def swallowing(spool, waiting):
    with contextlib.suppress(OSError):
        write(spool, waiting)
recording.Spool.write = swallowing
"""
SHOWS_BEFORE_IT_KEEPS = """
import sys
from importlib import abc, util
class Finder(abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "memweb.dictation.finals":
            return None
        sys.meta_path.remove(self)
        spec = util.find_spec(name)
        execute = spec.loader.exec_module
        def patched(module):
            execute(module)
            save = module.Finals.save
            def early(finals, segment, *, again):
                page = finals._dictation.page
                if page is not None and page.revision is not None:
                    html = module.fragments.final(segment, again=again)
                    page.say(module.frames.html(revision=page.revision, html=html))
                save(finals, segment, again=again)
            module.Finals.save = early
        spec.loader.exec_module = patched
        return spec
sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    with mounted(tmp_path / "small", "1m") as disk:
        yield disk.folder


async def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, small_disk: Path, simulator: Simulator) -> None:
    await fill_the_disk(tmp_path, small_disk, environment(simulator))


async def test_the_drill_sees_a_full_disk_that_is_swallowed(
    tmp_path: Path, small_disk: Path, simulator: Simulator
) -> None:
    twin = environment(simulator, **broken(tmp_path / "twin", SWALLOWS_A_FULL_DISK))
    with pytest.raises(AssertionError, match=r"acknowledged what is not on disk|a torn tail"):
        await fill_the_disk(tmp_path, small_disk, twin)


async def fill_the_disk(tmp_path: Path, small_disk: Path, env: dict[str, str]) -> None:
    with RunningServer(tmp_path, env=env) as server:
        (server.data_dir / "spools").mkdir(exist_ok=True)
        (server.data_dir / "spools").rmdir()
        (server.data_dir / "spools").symlink_to(small_disk)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(700_000))
        async with PageClient(server, server.sign_in()) as page:
            await page.record(200, interval=0.01)
            full = "the full disk in words"
            await page.until(lambda: bool(errors(page, "disk_full")) or page.acked == page.made, full)
            acked = page.acked
            assert len(spooled(server, page.record_id)) >= acked, "acknowledged what is not on disk"
            assert acked < page.made
            ballast.unlink()
            await page.until(lambda: page.acked == page.made, "going on by itself")
            assert errors(page, "disk_full")[-1]["message"] == ""
            await page.ended()
        assert_whole(server, page)


def errors(page: PageClient, code: str) -> list[dict[str, str]]:
    return [message for message in page.messages if message["t"] == "error" and message["code"] == code]


async def test_a_locked_database_holds_up_words_but_no_sound(tmp_path: Path, simulator: Simulator) -> None:
    if os.environ.get("DATABASE_URL", "sqlite").split(":")[0] != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    await lock_the_database(tmp_path, environment(simulator))


async def test_the_drill_sees_words_that_are_shown_too_early(tmp_path: Path, simulator: Simulator) -> None:
    if os.environ.get("DATABASE_URL", "sqlite").split(":")[0] != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    twin = environment(simulator, **broken(tmp_path / "twin", SHOWS_BEFORE_IT_KEEPS))
    with pytest.raises(AssertionError, match="a phrase was shown before it was kept"):
        await lock_the_database(tmp_path, twin)


async def lock_the_database(tmp_path: Path, env: dict[str, str]) -> None:
    with RunningServer(tmp_path, env=env) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(7)
            await page.until(lambda: len(page.log) == 1, "the first phrase")
            release = threading.Event()
            locked = threading.Event()
            holder = threading.Thread(target=hold, args=(server.data_dir / "memweb.sqlite3", locked, release))
            holder.start()
            assert locked.wait(20)
            try:
                began = time.monotonic()
                await page.record(28)
                await page.until(lambda: page.acked == 35, "sound to be acknowledged all the same")
                assert not release.is_set()
                assert len(page.log) == 1, "a phrase was shown before it was kept"
                while time.monotonic() - began < 5:
                    page.make()
                    await page.record(1, interval=0.1)
            finally:
                release.set()
                holder.join()
            await page.until(lambda: len(page.log) > 4, "the words that waited")
            await page.ended()
        assert_whole(server, page)
        assert "Traceback" not in server.log()


def hold(path: Path, locked: threading.Event, release: threading.Event) -> None:
    database = sqlite3.connect(path, timeout=20, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    locked.set()
    release.wait(60)
    database.execute("ROLLBACK")
    database.close()
