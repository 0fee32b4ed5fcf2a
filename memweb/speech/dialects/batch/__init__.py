"""Finished results of every provider, and the gateway's own, as one Transcript and what stands beside it.

    result = read("assemblyai", payload)     -> BatchResult(transcript, extras, failure, pending)

The same payload gives the same segments under the same keys, whenever it is read. Nothing here raises for anything a
provider may send: what has no place in the text is in `extras`, and what no reader knows is there under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memweb.speech.dialects.batch import assemblyai, elevenlabs, openai, rows
from memweb.speech.dialects.batch.result import KINDS, BatchResult, Extra, Kind

__all__ = ["KINDS", "PROVIDERS", "BatchResult", "Extra", "Kind", "read"]

_READERS: Mapping[str, Callable[[object], BatchResult]] = {
    "elevenlabs": elevenlabs.read,
    "assemblyai": assemblyai.read,
    "whisper-1": rows.read_text,
    "pyannote": rows.read_speakers,
    "openai": openai.read,
}
PROVIDERS = tuple(_READERS)


def read(provider: str, payload: object) -> BatchResult:
    """What a parsed result says. Raises KeyError for a provider that is not in PROVIDERS, and nothing else."""
    return _READERS[provider](payload)
