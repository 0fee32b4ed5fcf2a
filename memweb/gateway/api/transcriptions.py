"""`/transcriptions/*` of the gateway: Whisper and speakers on this machine."""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from django.http import HttpRequest
from ninja import Field, Router

from memweb.gateway import assets, ledger, outbox, reading, tasks, undertakings
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.shapes import FAILURES, FAULTS, Answer, AssetId, Shape
from memweb.gateway.doors import Refused
from memweb.gateway.models import Asset, LedgerEntry
from memweb.gateway.native.door import refused
from memweb.gateway.waiting import room
from memweb.speech import envelope
from memweb.speech.dialects.orders import MOST_SPEAKERS
from memweb.speech.dialects.rows import PYANNOTE, WHISPER

router = Router(tags=["transcriptions"])
UNKNOWN = "Request has exceeded the limit."
"""The contract's words for an unknown asset here, and for much else: clients decide by the status."""
NO_WEBHOOK = "An async request requires at least one webhook."


class OfAsset(Shape):
    """What every one of these takes."""

    asset_id: AssetId
    """Which file."""


class Audio(OfAsset):
    model: Literal["whisper-1"] = "whisper-1"
    """Whisper on this machine."""
    speaker: bool = False
    """Whether each row says who speaks."""
    language: str = Field("", max_length=16)
    """ISO 639-1; empty: detected. This server's own: the hosted one detects."""


class Voices(OfAsset):
    speakers: int = Field(0, ge=0, le=MOST_SPEAKERS)
    """How many there are at most; 0: as many as are heard. This server's own."""


class Word(Shape):
    """A word of a row, in seconds."""

    text: str
    """As it is written in the row."""
    start: float
    """Where it begins."""
    end: float
    """Where it ends."""
    confidence: float | None = None
    """How sure the engine is, 0 to 1."""
    estimated: bool = False
    """Whether its times were not heard but reckoned from the row's."""


class Item(Shape):
    """Times in seconds. `speaker` is there only where it was asked for."""

    text: str
    """What is said."""
    start_time: float
    """Where it begins, in seconds."""
    end_time: float
    """Where it ends."""
    speaker: str | None = None
    """SPEAKER_00, SPEAKER_01, where it was asked for."""
    words: list[Word] | None = None
    """For memweb's own app alone."""


class Turn(Shape):
    """Times in seconds."""

    start: float
    """Where it begins, in seconds."""
    end: float
    """Where it ends."""
    speaker: str
    """SPEAKER_00, SPEAKER_01."""


class Text(Shape):
    model: str
    """whisper-1."""
    items: list[Item]
    """The rows, in order."""
    language: str | None = None
    """For memweb's own app alone."""


class Turns(Shape):
    model: str
    """pyannote, as the hosted gateway calls it."""
    items: list[Turn]
    """The turns, in order."""


class Begun(Shape):
    task_id: str
    """What the callback will name."""


@router.post("/sync-generate-audio", response={200: Answer[Text], **FAILURES, **FAULTS}, exclude_unset=True)
def sync_generate_audio(request: HttpRequest, payload: Audio) -> dict[str, Any]:
    """What is said in an asset, at once. Long files are better asked for asynchronously."""
    return _now(request, payload, WHISPER, speaker=payload.speaker, language=payload.language)


@router.post("/sync-generate-speaker", response={200: Answer[Turns], **FAILURES, **FAULTS})
def sync_generate_speaker(request: HttpRequest, payload: Voices) -> dict[str, Any]:
    """Who speaks when in an asset, at once."""
    return _now(request, payload, PYANNOTE, most=payload.speakers)


@router.post("/async-generate-audio", response={200: Answer[Begun], **FAILURES})
def async_generate_audio(request: HttpRequest, payload: Audio) -> dict[str, Any]:
    """What is said in an asset, later, by the account's webhook."""
    return _later(request, payload, "audio", WHISPER, speaker=payload.speaker, language=payload.language)


@router.post("/async-generate-speaker", response={200: Answer[Begun], **FAILURES})
def async_generate_speaker(request: HttpRequest, payload: Voices) -> dict[str, Any]:
    """Who speaks when in an asset, later, by the account's webhook."""
    return _later(request, payload, "speaker", PYANNOTE, speakers=payload.speakers)


def _now(
    request: HttpRequest, payload: OfAsset, provider: str, *, speaker: bool = False, language: str = "", most: int = 0
) -> dict[str, Any]:
    caller = caller_of(request)
    account_id = caller.account_id
    asset = ready(account_id, payload.asset_id, provider, speaker=speaker)
    session = tasks.fresh_id()
    with room.served():
        try:
            if provider == WHISPER:
                found = undertakings.text_of(asset, speaker=speaker, language=language)
            else:
                found = undertakings.speakers_of(asset, most=most)
        except FileNotFoundError:
            raise Refused(400, undertakings.DELETED) from None
        except reading.EXPECTED as error:
            raise refused(error) from None
    ledger.charge_file(
        account_id=account_id,
        session=session,
        provider=provider,
        kind=LedgerEntry.FILE,
        audio_ms=found.audio_ms,
        speaker=speaker,
    )
    is_own_app = caller.key_id is None
    return envelope.success(found.told if is_own_app else {"model": found.model, "items": found.items})


def _later(
    request: HttpRequest, payload: OfAsset, kind: str, provider: str, **options: bool | str | int
) -> dict[str, Any]:
    caller = caller_of(request)
    account_id = caller.account_id
    if caller.key_id is not None and not outbox.has_webhook(account_id):  # the app itself asks after its tasks
        raise Refused(400, NO_WEBHOOK)
    asset = ready(account_id, payload.asset_id, provider, speaker=bool(options.get("speaker")))
    task = tasks.create(account_id=account_id, asset=asset, kind=kind, options=options)
    return envelope.success({"task_id": task.task_id})


def ready(account_id: int, asset_id: str, provider: str, *, speaker: bool = False) -> Asset:
    """The account's own asset, whole, and paid for as far as can be known now. Raises Refused with 400 or 402."""
    asset = assets.find(account_id=account_id, asset_id=asset_id)
    if asset is None or asset.status != Asset.Status.SUCCESS:
        raise Refused(400, UNKNOWN)
    if not undertakings.is_payable(asset, provider, speaker=speaker):
        raise Refused(402, undertakings.NO_BALANCE)
    return asset


def _outside(name: str, what: str) -> None:
    """An endpoint of the hosted gateway that memweb does not have: it says so, in the contract's way."""

    @router.post(name, response=FAILURES, summary=f"Not offered here: {what}", operation_id=name.strip("/"))
    def refuse(request: HttpRequest, payload: OfAsset) -> NoReturn:
        raise Refused(400, f"This server does not offer {what}. It offers generate-audio and generate-speaker.")


_outside("/async-generate-multi-speaker", "speakers with names and faces, which need video")
_outside("/async-summary", "summaries")
_outside("/async-generate-video", "the reading of pictures in video")
