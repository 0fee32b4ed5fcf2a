"""Which engines are here, and which one serves whom. Nothing native is imported to find out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import metadata, util

from memweb.engines import weights, wire
from memweb.engines.errors import EngineMissing

MOONSHINE = "moonshine-tiny-en"


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine chosen for a live stream."""

    kind: str
    name: str

    async def prepare(self) -> wire.Head:
        """Make what the worker needs and return its hello. Raises EngineMissing."""
        if self.kind == "moonshine":
            return {}
        return await asyncio.to_thread(weights.hello)


def has_moonshine() -> bool:
    """True where the package is installed, with its bundled model."""
    return _installed("moonshine-voice") and util.find_spec("moonshine_voice") is not None


def has_whisper() -> bool:
    """True where faster-whisper is installed; the weights are another matter."""
    return _installed("faster-whisper")


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def live(language: str | None) -> Choice:
    """Choose the live engine for a language, None meaning "detect". Raises EngineMissing."""
    if language is not None and language.split("-")[0].lower() == "en" and has_moonshine():
        return Choice("moonshine", MOONSHINE)
    if has_whisper():
        return Choice("whisper", weights.name())
    if not has_moonshine():
        raise EngineMissing("No speech engine is installed. Run `./run` again, or `pip install '.[whisper]'`.")
    raise EngineMissing(
        "Only English can be dictated here: the engine for other languages is not installed. "
        "Install it with `pip install '.[whisper]'`, or choose English."
    )
