"""How much audio a client gives, told from the frames it sends: what a relay counts while it passes them on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.wire import read_object

_NAME = b'"audio_base_64"'
_VALUE = re.compile(_NAME + rb'\s*:\s*"')
_DECIDING = {"elevenlabs": ("audio_format",), "assemblyai": ("encoding", "sample_rate")}
_WITHOUT_AUDIO = 256
"""A text frame longer than this without audio in plain sight is read as JSON, however it is spelt."""


class AudioCount(Protocol):
    """Counts the audio of one connection, in milliseconds."""

    reads_text: bool
    """Whether text frames must be given whole; where False the lengths of binary frames are enough."""

    def binary(self, size: int) -> int:
        """A binary frame of this payload length; all audio so far."""

    def text(self, payload: bytes) -> int:
        """A text frame; all audio so far."""


def audio_count(provider: str, query: Mapping[str, list[str]]) -> AudioCount | None:
    """The count for a connection with these parameters. None where sound is packed: its length says nothing of time.

    Raises KeyError for a provider that has no live dialect, RefusedParameter for what decides the count and is given
    twice: the provider might go by the other one.
    """
    for name in _DECIDING[provider]:
        if len(query.get(name, [])) > 1:
            raise RefusedParameter(name, f"{name} is given more than once.")
    return {"elevenlabs": _elevenlabs, "assemblyai": _assemblyai}[provider](query)


def _elevenlabs(query: Mapping[str, list[str]]) -> AudioCount:
    name, _, rate = query.get("audio_format", ["pcm_16000"])[0].partition("_")
    return _Chunks(_rate(rate) * (1 if name == "ulaw" else 2))


def _assemblyai(query: Mapping[str, list[str]]) -> AudioCount | None:
    width = {"pcm_s16le": 2, "pcm_mulaw": 1}.get(query.get("encoding", ["pcm_s16le"])[0])
    return None if width is None else _Binary(_rate(query.get("sample_rate", [""])[0]) * width)


def _rate(given: str) -> int:
    """Hertz; 16000 where the provider will refuse what was given, or was given nothing."""
    return int(given) if given.isascii() and given.isdigit() and 4000 <= int(given[:9]) <= 192_000 else 16_000


class _Binary:
    """AssemblyAI: sound is binary, everything else is text."""

    reads_text = False

    def __init__(self, bytes_per_second: int) -> None:
        self._per_second, self._bytes = bytes_per_second, 0

    def binary(self, size: int) -> int:
        self._bytes += size
        return self._bytes * 1000 // self._per_second

    def text(self, payload: bytes) -> int:
        return self.binary(0)


class _Chunks(_Binary):
    """ElevenLabs: sound is base64 within JSON. Its length is enough; it is not decoded."""

    reads_text = True

    def text(self, payload: bytes) -> int:
        size = _in_plain_sight(payload)
        if size is None and len(payload) > _WITHOUT_AUDIO:
            size = _spelt_otherwise(payload)
        return self.binary(size or 0)


def _in_plain_sight(payload: bytes) -> int | None:
    """The bytes of sound in a frame as clients write it; None where there is no such thing."""
    found, at = None, payload.find(_NAME)
    while at >= 0:
        value = _VALUE.match(payload, at)
        end = payload.find(b'"', value.end()) if value else -1
        if value and end >= 0:
            found = (found or 0) + _decoded_size(payload, value.end(), end)
        at = payload.find(_NAME, max(at + 1, end))
    return found


def _decoded_size(text: bytes, start: int, end: int) -> int:
    slashes = text.count(b"\\", start, end)  # "\/" is one way to write "/" in JSON
    return (end - start - slashes - text.count(b"=", max(start, end - 4), end)) * 3 // 4


def _spelt_otherwise(payload: bytes) -> int:
    frame: dict[str, Any] | None = read_object(payload.decode("utf-8", "replace"))
    audio = (frame or {}).get("audio_base_64")
    if not isinstance(audio, str):
        return 0
    plain = audio.encode("utf-8", "replace")
    return _decoded_size(plain, 0, len(plain))
