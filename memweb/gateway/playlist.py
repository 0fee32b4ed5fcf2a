"""HLS playlists (RFC 8216), read by us, so that each address in them can be looked at. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

MOST_BYTES = 1 << 20
MOST_PARTS = 20_000
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


class Unread(Exception):
    """It is no playlist, or one that asks for what is not offered. `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """One segment."""

    url: str
    seconds: float
    head: str
    """The URL of the initialisation that comes before it; empty where there is none."""
    breaks: bool
    """Whether what follows does not join what was before."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A media playlist: what can be fetched now."""

    first: int
    """The number of the first part."""
    parts: tuple[Part, ...]
    ended: bool
    target_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A master playlist: of the variant of least bandwidth the sound by itself, where that is offered.

    Where it is offered more than once (languages, comments) it is the one a player would begin with: the default one,
    else the first of those to be chosen without being asked for, else the first.
    """

    url: str


def is_playlist(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"#EXTM3U")


def read(body: bytes, url: str) -> Parts | Choice:
    """A playlist that was fetched from `url`. Raises Unread."""
    if not is_playlist(body):
        raise Unread("The playlist is not one of HLS.")
    lines = [line.strip() for line in body.decode("utf-8", "replace").splitlines() if line.strip()]
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return Choice(_absolute(url, _chosen(lines)))
    return _parts(lines, url)


def _chosen(lines: list[str]) -> str:
    variants = [
        (_attributes(line), lines[at + 1])
        for at, line in enumerate(lines[:-1])
        if line.startswith("#EXT-X-STREAM-INF") and not lines[at + 1].startswith("#")
    ]
    if not variants:
        raise Unread("The playlist names no variant.")
    told, url = min(variants, key=lambda variant: _number(variant[0].get("BANDWIDTH", ""), 1e12))
    offered = [_attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:")]
    sounds = [one for one in offered if one.get("TYPE") == "AUDIO" and one.get("GROUP-ID") == told.get("AUDIO")]
    if not sounds:
        return url
    first = min(sounds, key=lambda one: (one.get("DEFAULT") != "YES", one.get("AUTOSELECT") != "YES"))
    return first.get("URI") or url  # without an address of its own, it is inside the variant


def _parts(lines: list[str], url: str) -> Parts:
    parts: list[Part] = []
    first, target, seconds, head, breaks, ended = 0, 0.0, 0.0, "", False, False
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            seconds = _number(value.partition(",")[0], 0.0)
        elif name == "#EXT-X-TARGETDURATION":
            target = _number(value, 0.0)
        elif name == "#EXT-X-MEDIA-SEQUENCE":
            first = int(_number(value, 0.0))
        elif name == "#EXT-X-DISCONTINUITY":
            breaks = True
        elif name == "#EXT-X-MAP":
            head = _absolute(url, _attributes(line).get("URI", ""))
        elif name == "#EXT-X-ENDLIST":
            ended = True
        elif name in ("#EXT-X-BYTERANGE", "#EXT-X-KEY"):
            _refuse(name, value)
        elif not line.startswith("#"):
            parts.append(Part(_absolute(url, line), seconds, head, breaks))
            breaks = False
        if len(parts) > MOST_PARTS:
            raise Unread(f"The playlist has more than {MOST_PARTS} parts.")
    return Parts(first, tuple(parts), ended, min(max(target, 1.0), 30.0))


def _refuse(name: str, value: str) -> None:
    if name == "#EXT-X-KEY" and _attributes(f"#:{value}").get("METHOD") == "NONE":
        return
    what = "encrypted" if name == "#EXT-X-KEY" else "given by ranges of bytes"
    raise Unread(f"The parts of this playlist are {what}, which is not read here.")


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _absolute(base: str, reference: str) -> str:
    if not reference:
        raise Unread("The playlist names a part without an address.")
    try:
        return urljoin(base, reference)
    except ValueError:
        raise Unread("The playlist names a part by an address that cannot be read.") from None


def _number(written: str, default: float) -> float:
    try:
        value = float(written.strip())
    except ValueError:
        return default
    return value if 0 <= value < 1e15 else default
