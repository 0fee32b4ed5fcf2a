"""Prices and limits as the reference tells them: out of the meter's rates and this server's settings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from memweb import guesses
from memweb.speech.meter import RATES

SECONDS = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Price:
    what: str
    price: str
    counted: str


@dataclass(frozen=True, slots=True)
class Limit:
    what: str
    most: str
    beyond: str


def prices() -> list[Price]:
    """What is offered here, in US dollars."""

    def by_the_hour(name: str) -> str:
        return f"${RATES[name].normalize():f} an hour"

    def by_the_second(name: str) -> str:
        return f"${(RATES[name] / SECONDS).normalize():f} a second"

    units, seconds = "begun units of 5 s", "begun seconds"
    return [
        Price("ElevenLabs, live and streams", by_the_hour("elevenlabs"), units),
        Price("AssemblyAI, live and streams", by_the_hour("assemblyai"), units),
        Price("ElevenLabs, files", by_the_hour("elevenlabs"), seconds),
        Price("AssemblyAI, files", by_the_hour("assemblyai"), seconds),
        Price("Whisper and OpenAI's addresses", by_the_second("whisper-1"), seconds),
        Price("Whisper with speakers", by_the_second("whisper-1-speaker"), seconds),
        Price("Speakers alone", by_the_second("pyannote"), seconds),
    ]


def limits() -> list[Limit]:
    """What this server allows at the moment."""
    again = "429, with Retry-After"
    return [
        Limit("Requests of one account", f"{settings.REQUESTS_PER_MINUTE} a minute", again),
        Limit(
            "Live sessions and streams on this machine", str(settings.MAX_SESSIONS), f"{again}; a stream ends with 16"
        ),
        Limit("Live sessions and streams of one account", str(settings.MAX_STREAMS), again),
        Limit("Live sessions that its engines answer", str(settings.LIVE_SLOTS), "resource_exhausted, or 3009"),
        Limit("One file", f"{settings.MAX_UPLOAD_MB} MB", "413"),
        Limit("Files of one account", f"{settings.ASSET_QUOTA_GB:g} GB", "413"),
        Limit("Wrong keys from one address", f"{guesses.ALLOWED} a minute", again),
        Limit("One live session", "3 hours", "told, then closed"),
    ]
