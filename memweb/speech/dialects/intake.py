"""Audio as it comes in: whole samples out, and how much there was."""

from __future__ import annotations

from base64 import b64decode

from memweb.speech.dialects.contract import Encoding


class Intake:
    """Counts the audio of one connection. Half a sample at the end of a frame waits for the next frame."""

    def __init__(self, encoding: Encoding, sample_rate: int) -> None:
        self._width = 2 if encoding == "pcm_s16le" else 1
        self._rate = sample_rate
        self._half = b""
        self._samples = 0

    @property
    def ms(self) -> int:
        """Milliseconds of audio so far."""
        return self._samples * 1000 // self._rate

    def take(self, data: bytes) -> bytes:
        """The whole samples now in hand; may be empty."""
        data = self._half + data
        whole = len(data) - len(data) % self._width
        self._half = data[whole:]
        self._samples += whole // self._width
        return data[:whole]


def decoded(base64: object) -> bytes | None:
    """The bytes of a base64 string, or None for what is none."""
    if not isinstance(base64, str):
        return None
    try:
        return b64decode(base64, validate=True)
    except ValueError:
        return None
