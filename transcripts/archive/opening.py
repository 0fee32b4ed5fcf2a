"""A zip that somebody brings: opened, held to what an archive may be, and read member by member with its digests."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from transcripts.archive import lines
from transcripts.archive.lines import Line, Wrong
from transcripts.archive.packing import FORMAT, NUMBER
from transcripts.errors import Refused

MOST_MEMBERS = 500_000
LARGEST_INDEX = 128 * 2**20
LARGEST_SUMS = 96 * 2**20
LARGEST_JSON = 8 * 2**20
LARGEST_RECORD = 2 * 2**30
"""Bytes of a record's lines, unpacked: a day of speech in ten versions is a quarter of it."""
MOST_TIMES = 250
"""A member may be so many times as large as it is packed, at most; lines of speech are about ten times."""

NO_ZIP = "This is not an archive of memweb."
NO_ARCHIVE = "This zip is not an archive of memweb. Unpack it, and drop the files that are in it."
CUT = "This archive is cut off or damaged: its end is missing. Fetch or copy it again, then bring it in again."
NEWER = "This archive was made by a newer memweb (format {}). Update this one, then bring it in again."
SPOILT = "This archive is damaged: {} is not as it was written. Nothing was brought in. Fetch or copy it again."
STRANGE = "This is not as memweb makes archives: {}. Nothing was brought in."

_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAMES = re.compile(
    rf"memweb\.json|account\.json|callbacks\.jsonl|SHA256SUMS|records/{_ID}\.jsonl"
    rf"|recordings/{_ID}\.(?:flac|mwspool|[1-9][0-9]{{0,4}}\.upload)"
)
_SUM = re.compile(r"([0-9a-f]{64})  ([\x21-\x7e]{1,200})")
_PIECE = 1 << 20


class Damaged(Refused):
    """A member is not as it was written. `str()` is its name."""


class Opened:
    """An archive whose index, summary and digests are in order. Its other members are checked as they are read."""

    def __init__(self, path: Path) -> None:
        """Raises Refused with a sentence."""
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise Refused(NO_ZIP)
            _look_at_the_index(file)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
            raise Refused(CUT) from error
        try:
            self._members = self._indexed()
            self.summary = self._summary()
            self._sums = self._digests()
        except BaseException:
            self._zip.close()
            raise
        self.sound = bool(self.summary.get("recordings"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def records(self) -> Iterator[uuid.UUID]:
        """In the order they were written."""
        for name in self._members:
            if name.startswith("records/"):
                yield uuid.UUID(name[8:44])

    def of(self, record_id: uuid.UUID) -> Iterator[str]:
        """The members of one record."""
        beside = f"recordings/{record_id}."
        for name in (f"records/{record_id}.jsonl", f"{beside}flac", f"{beside}mwspool"):
            if name in self._members:
                yield name
        for _, name in self.uploads_of(record_id):
            yield name

    def packed(self, name: str) -> int:
        """Bytes of the file that this member takes."""
        return self._members[name].compress_size

    def size(self, name: str) -> int:
        return self._members[name].file_size

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes of all members: in the file, and unpacked."""
        return (
            sum(info.compress_size for info in self._members.values()),
            sum(info.file_size for info in self._members.values()),
        )

    def uploads_of(self, record_id: uuid.UUID) -> Iterator[tuple[int, str]]:
        number = 1
        while (name := f"recordings/{record_id}.{number}.upload") in self._members:
            yield number, name
            number += 1

    def whole(self, name: str) -> bytes:
        """A small member. Raises Damaged."""
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes; after the last one they are known to be right. Raises Damaged."""
        digest = hashlib.sha256()
        with self._member(name) as member:
            for piece in self._read(name, lambda: member.read(_PIECE)):
                digest.update(piece)
                yield piece
        self._confirm(name, digest.hexdigest())

    def lines(self, name: str) -> Generator[Line, None, None]:
        """A member's lines; after the last one they are known to be right. Raises Damaged, Wrong."""
        digest = hashlib.sha256()
        with self._member(name) as member:
            for data in self._read(name, lambda: member.readline(lines.LONGEST + 1)):
                digest.update(data)
                if len(data) > lines.LONGEST:
                    raise Wrong("a line is too long")
                yield lines.read(data)
        self._confirm(name, digest.hexdigest())

    def check(self, name: str) -> None:
        """Raises Damaged."""
        for _ in self.pieces(name):
            pass

    def _member(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(self._members[name])
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, KeyError) as error:
            raise Damaged(name) from error

    def _read(self, name: str, read: Callable[[], bytes]) -> Iterator[bytes]:
        while True:
            try:
                data = read()
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
                raise Damaged(name) from error
            if not data:
                return
            yield data

    def _confirm(self, name: str, digest: str) -> None:
        if self._sums[name] != digest:
            raise Damaged(name)

    def _indexed(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        infos = self._zip.infolist()
        if "memweb.json" not in self._zip.NameToInfo:
            raise Refused(NO_ARCHIVE)
        for info in infos:
            if not _NAMES.fullmatch(info.filename) or info.filename in members:
                raise Refused(STRANGE.format(f"it holds {_shown(info.filename)}"))
            _look_at(info)
            members[info.filename] = info
        return members

    def _summary(self) -> dict[str, Any]:
        try:
            with self._member("memweb.json") as member:
                said = json.loads(member.read(LARGEST_JSON))
        except (ValueError, RecursionError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise Refused(SPOILT.format("memweb.json")) from error
        if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("version"), int):
            raise Refused(NO_ARCHIVE)
        if said["version"] > NUMBER:
            raise Refused(NEWER.format(said["version"]))
        return said

    def _digests(self) -> dict[str, str]:
        """By member, what SHA256SUMS says; that file's own digest is in memweb.json."""
        self._sums = {"SHA256SUMS": str(self.summary.get("sums_sha256"))}
        try:
            text = self.whole("SHA256SUMS").decode("ascii")
        except (Damaged, ValueError) as error:
            raise Refused(SPOILT.format("SHA256SUMS")) from error
        found = {match[2]: match[1] for line in text.splitlines() if (match := _SUM.fullmatch(line))}
        for name in found.keys() ^ (self._members.keys() - {"memweb.json", "SHA256SUMS"}):
            there = "has no digest" if name in self._members else "is missing"
            raise Refused(SPOILT.format(name).replace("is not as it was written", there))
        return found


def _look_at(info: zipfile.ZipInfo) -> None:
    """Raises Refused for what memweb never writes: secrets, other packings, what swells."""
    name = _shown(info.filename)
    if info.flag_bits & 0x1:
        raise Refused(STRANGE.format(f"{name} is encrypted"))
    if info.filename.startswith("recordings/"):
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise Refused(STRANGE.format(f"{name} is packed"))
        return
    if info.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        raise Refused(STRANGE.format(f"{name} is packed in another way"))
    most = LARGEST_RECORD if info.filename.endswith(".jsonl") else LARGEST_JSON
    most = LARGEST_SUMS if info.filename == "SHA256SUMS" else most
    if info.file_size > most or info.file_size > max(info.compress_size, 4096) * MOST_TIMES:
        raise Refused(STRANGE.format(f"{name} is too large"))


def _shown(name: str) -> str:
    kept = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in name)
    return f"“{kept[:80]}”"


def _look_at_the_index(file: BinaryIO) -> None:
    """Before it is read into memory as a whole. Raises Refused."""
    size = file.seek(0, 2)
    file.seek(max(size - 65_557 - 76, 0))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise Refused(CUT)
    count, length = struct.unpack_from("<HI", tail, at + 10)
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if wide >= 0 and len(tail) >= wide + 56:
        count, length = (
            max(count if count < 0xFFFF else 0, struct.unpack_from("<Q", tail, wide + 32)[0]),
            max(length if length < 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, wide + 40)[0]),
        )
    if count > MOST_MEMBERS or length > LARGEST_INDEX:
        raise Refused(STRANGE.format("it holds too many files"))
