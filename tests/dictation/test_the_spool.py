"""The spool on its own: order, reading back from anywhere, a crash at any byte, a disk that refuses."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest

from memweb.dictation import recording
from memweb.dictation.recording import Held, Spool, Spooler, Taken
from memweb.speech import frames
from tests.page_client import frame


def sound(number: int, samples: int = 1600) -> bytes:
    return np.random.default_rng(number).integers(-20000, 20000, samples, dtype="<i2").tobytes()


async def filled(path: Path, count: int, *, short: int = 0) -> tuple[Spool, bytes]:
    """A spool with `count` durable frames, each `short`-th a short one, and all its samples."""
    spool, spooler, whole = Spool(path), Spooler(), b""
    for number in range(count):
        pcm = sound(number, 700 if short and number % short == 0 else 1600)
        whole += pcm
        assert spool.take(frame(number, pcm), 0.0) is Taken.NEW
    spooler.add(spool)
    await spooler.close()
    assert spool.durable == count
    return spool, whole


async def test_frames_are_taken_in_order_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.mwspool")
    assert spool.take(frame(0), 0.0) is Taken.NEW
    assert spool.take(frame(0), 0.0) is Taken.OLD
    assert spool.take(frame(2), 0.0) is Taken.HOLE
    assert spool.take(frame(1), 0.0) is Taken.NEW
    with pytest.raises(frames.BadFrame):
        spool.take(b"rubbish", 0.0)
    assert (spool.next, spool.durable, spool.samples) == (2, 0, 3200)


async def test_any_stretch_is_read_back_exactly(tmp_path: Path) -> None:
    spool, whole = await filled(tmp_path / "a.mwspool", 300, short=7)
    rng = random.Random(1)
    for _ in range(2):
        assert spool.samples == len(whole) // 2
        for _ in range(300):
            start = rng.randrange(spool.samples)
            end = min(spool.samples, start + rng.randrange(1, 20000))
            assert spool.read(start, end) == whole[2 * start : 2 * end]
        spool.close()
        spool = Spool.open(tmp_path / "a.mwspool")
    spool.close()


async def test_the_clocks_of_its_frames_are_told_also_once_it_was_opened_again(tmp_path: Path) -> None:
    spool, spooler = Spool(tmp_path / "a.mwspool"), Spooler()
    assert (spool.wall_ms, spool.walls(0, 9)) == (None, [])
    walls = [1.0e12 + 100 * number for number in range(150)]
    for number, wall in enumerate(walls):
        spool.take(frame(number, sound(number, 700 if number % 7 else 1600), wall=wall), 0.0)
    spooler.add(spool)
    await spooler.close()
    for _ in range(2):
        assert spool.wall_ms == walls[-1]
        for first in (0, 1, 63, 64, 65, 149):
            assert spool.walls(first, 1000) == walls[first:]
        assert spool.walls(3, 5) == walls[3:8]
        assert spool.walls(150, 9) == spool.walls(-1, 9) == []
        spool.close()
        spool = Spool.open(tmp_path / "a.mwspool")
    spool.take(frame(150, wall=float("nan")), 0.0)
    spooler = Spooler()
    spooler.add(spool)
    await spooler.close()
    assert spool.wall_ms is None
    spool.close()


async def test_only_recent_sound_stays_in_memory(tmp_path: Path) -> None:
    spool, _ = await filled(tmp_path / "a.mwspool", 600)
    assert sum(len(recent.frame) for recent in spool._recent) < 3 * 32000
    spool.close()


async def test_a_crash_at_any_byte_keeps_every_whole_frame(tmp_path: Path) -> None:
    spool, whole = await filled(tmp_path / "a.mwspool", 5, short=2)
    spool.close()
    data = (tmp_path / "a.mwspool").read_bytes()
    for cut in [*range(0, len(data), 97), len(data)]:
        path = tmp_path / f"{cut}.mwspool"
        path.write_bytes(data[:cut])
        again = Spool.open(path)
        assert path.stat().st_size == again.size <= cut
        assert again.read(0, again.samples) == whole[: 2 * again.samples]
        assert again.take(frame(again.next), 0.0) is Taken.NEW
        again.close()


async def test_a_tail_that_was_never_written_is_cut_off(tmp_path: Path) -> None:
    spool, _ = await filled(tmp_path / "a.mwspool", 4)
    spool.close()
    data = bytearray((tmp_path / "a.mwspool").read_bytes())
    data[-3200:] = bytes(3200)  # as long as it should be, but only zeros arrived on the disk
    (tmp_path / "a.mwspool").write_bytes(data)
    again = Spool.open(tmp_path / "a.mwspool")
    assert again.durable == 3
    again.close()


async def test_a_spool_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    spool, whole = await filled(tmp_path / "a.mwspool", 3)
    with pytest.raises(Held):
        Spool.open(tmp_path / "a.mwspool")
    spool.close()
    again = Spool.open(tmp_path / "a.mwspool")
    assert again.read(0, again.samples) == whole
    again.close()


async def test_nothing_is_durable_before_it_was_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    seen: list[tuple[int, int]] = []
    sync = os.fsync
    spool = Spool(tmp_path / "a.mwspool")

    def counting(file: int) -> None:
        sync(file)
        synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", counting)
    spool.changed = lambda: seen.append((spool.size, synced[-1]))
    spooler = Spooler()
    for number in range(30):
        spool.take(frame(number), 0.0)
        spooler.add(spool)
        await asyncio.sleep(0.02)
    await spooler.close()
    assert seen
    assert all(size == on_disk for size, on_disk in seen)
    spool.close()


async def test_many_sessions_share_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    end = Spooler._end

    def counting(self: Spooler, outcomes: list[tuple[Spool, list[bytes], OSError | None]]) -> None:
        rounds.append(len(outcomes))
        end(self, outcomes)

    monkeypatch.setattr(Spooler, "_end", counting)
    spools = [Spool(tmp_path / f"{number}.mwspool") for number in range(20)]
    spooler = Spooler()
    for number in range(10):
        for spool in spools:
            spool.take(frame(number), 0.0)
            spooler.add(spool)
    await spooler.close()
    assert rounds == [20]
    for spool in spools:
        assert spool.durable == 10
        spool.close()


async def test_what_the_disk_refused_is_as_if_it_had_never_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, whole = await filled(tmp_path / "a.mwspool", 3)
    size = spool.size
    write = os.write

    def full(file: int, data: bytes) -> int:
        write(file, data[:100])  # a part gets through
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(recording.os, "write", full)
    spooler = Spooler()
    for number in (3, 4, 5):
        spool.take(frame(number), 0.0)
    spooler.add(spool)
    await spooler.flush()
    assert spool.trouble is not None
    assert (spool.next, spool.durable, spool.samples, spool.waiting_bytes) == (3, 3, 4800, 0)
    assert (tmp_path / "a.mwspool").stat().st_size == size
    now = asyncio.get_running_loop().time()
    assert spool.take(frame(3), now) is Taken.UNWRITABLE
    assert not spool.wants_another_try(now)
    assert spool.wants_another_try(now + 2)
    monkeypatch.setattr(recording.os, "write", write)
    pcm = sound(99)
    assert spool.take(frame(3, pcm), now + 2) is Taken.NEW
    spooler.add(spool)
    await spooler.close()
    assert spool.trouble is None
    assert spool.read(0, spool.samples) == whole + pcm
    spool.close()


async def test_a_file_that_cannot_be_synced_is_no_other_files_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = Spool(tmp_path / "bad.mwspool"), Spool(tmp_path / "good.mwspool")
    sync = os.fsync

    def failing(file: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").endswith("bad.mwspool"):
            raise OSError(errno.EIO, "Input/output error")
        sync(file)

    monkeypatch.setattr(recording.os, "fsync", failing)
    spooler = Spooler()
    for spool in (bad, good):
        spool.take(frame(0), 0.0)
        spooler.add(spool)
    await spooler.close()
    assert (bad.trouble is None, bad.durable, bad.next) == (False, 0, 0)
    assert (tmp_path / "bad.mwspool").stat().st_size == 0
    assert (good.trouble, good.durable) == (None, 1)
    for spool in (bad, good):
        spool.close()


async def test_a_page_that_is_faster_than_the_disk_is_held_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.mwspool")
    number = 0
    while not spool.is_full:
        spool.take(frame(number), 0.0)
        number += 1
    assert spool.waiting_bytes < recording.MOST_WAITING + frames.MAX_FRAME
    spool.relieved.clear()
    spooler = Spooler()
    spooler.add(spool)
    await asyncio.wait_for(spool.relieved.wait(), 20)
    await spooler.close()
    spool.close()
