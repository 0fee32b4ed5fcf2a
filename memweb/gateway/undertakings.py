"""What can be asked of a file in the gateway's own words, and how it is done: now, or as a Task.

Whisper on this machine gives text ("audio"); Moonshine's port of pyannote says who spoke when ("speaker").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from memweb.engines.errors import EngineError, EngineMissing, HintsRefused
from memweb.gateway import assets, ledger
from memweb.gateway.models import Asset, Task
from memweb.gateway.recognise import recognise, turns_of
from memweb.gateway.tasks import Hindered, Kind, Outcome, Useless
from memweb.media.errors import NotMedia
from memweb.speech import envelope
from memweb.speech.dialects import orders, rows
from memweb.speech.meter import UNIT_MS
from memweb.speech.recognition import Hints

Progress = Callable[[int], None]
DELETED = "The asset was deleted before it was read."
NO_BALANCE = "The balance does not cover this file."
FAILED = 500
UNPAID = 402


@dataclass(frozen=True, slots=True)
class Read:
    """What was found in a file."""

    model: str
    items: list[dict[str, Any]]
    """As the synchronous answer has them."""
    rows: list[dict[str, Any]]
    """As the callback has them."""
    audio_ms: int
    language: str | None = None
    """Of most of the words: as asked, else detected."""
    words: list[list[dict[str, Any]]] = field(default_factory=list)
    """Those of each item; none of who spoke when."""

    @property
    def told(self) -> dict[str, Any]:
        """All of it as memweb's own app is told. The documented answers and callbacks have no place for a language,
        nor for words."""
        items = self.items
        if self.words:
            items = [item | {"words": words} for item, words in zip(items, self.words, strict=True)]
        return {"model": self.model, "items": items} | ({"language": self.language} if self.language else {})


def as_documented(told: Any) -> Any:
    """What `Read.told` says, for who is not memweb's own app: its rows without their words."""
    if not isinstance(told, dict) or not isinstance(told.get("items"), list):
        return told
    return told | {"items": [{name: row[name] for name in row if name != "words"} for row in told["items"]]}


def text_of(asset: Asset, *, speaker: bool, language: str = "", progress: Progress | None = None) -> Read:
    """What is said in it. Raises what `recognise` raises, and FileNotFoundError."""
    order = orders.Order(hints=Hints(language=language or None), speakers=speaker)
    found = orders.fulfil(order, recognise(assets.path_of(asset), order, progress))
    items = rows.text_items(found, speakers=speaker)
    language_found = found.transcript.language
    return Read(rows.WHISPER, items, rows.text_rows(found), found.heard_ms, language_found, rows.word_rows(found))


def speakers_of(asset: Asset, *, most: int = 0, progress: Progress | None = None) -> Read:
    """Who speaks when in it, `most` voices at most (0: as many as there are). Raises as `text_of` does."""
    turns, audio_ms = turns_of(assets.path_of(asset), progress, most or None)
    listed = rows.speaker_rows(turns)
    return Read(rows.PYANNOTE, listed, listed, audio_ms)


def is_payable(asset: Asset, provider: str, *, speaker: bool) -> bool:
    """Whether the balance of its account holds its price, as far as can be known before it is read."""
    price = ledger.file_price(provider=provider, audio_ms=asset.duration_ms or UNIT_MS, speaker=speaker)
    return ledger.can_pay(account_id=asset.account_id, amount=price)


class _troubles:
    """Troubles of decoders and engines, as those of a task."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotMedia | EngineMissing | HintsRefused):
            raise Useless(str(error)) from error
        if isinstance(error, FileNotFoundError):
            raise Useless(DELETED) from error
        if isinstance(error, EngineError):
            raise Hindered(str(error)) from error


def _work(read: Callable[[Task, Asset, Progress], Read], provider: str) -> Callable[[Task, Progress], Outcome]:
    def work(task: Task, progress: Progress) -> Outcome:
        if task.asset is None:
            raise Useless(DELETED)
        speaker = bool(task.options.get("speaker"))
        if not is_payable(task.asset, provider, speaker=speaker):  # others were charged since this one was asked for
            raise Useless(NO_BALANCE)
        with _troubles():
            found = read(task, task.asset, progress)
        body = envelope.rows_callback(task.task_id, found.rows, found.audio_ms / 1000, found.model)
        return Outcome(found.told, body, found.model, found.audio_ms, speaker)

    return work


def _failed(task: Task, reason: str) -> Outcome:
    code = UNPAID if reason == NO_BALANCE else FAILED
    return Outcome(None, envelope.failed_callback(task.task_id, code, reason), "", 0)


def _text(task: Task, asset: Asset, progress: Progress) -> Read:
    language = str(task.options.get("language") or "")
    return text_of(asset, speaker=bool(task.options.get("speaker")), language=language, progress=progress)


def _speakers(task: Task, asset: Asset, progress: Progress) -> Read:
    return speakers_of(asset, most=int(task.options.get("speakers") or 0), progress=progress)


KINDS: dict[str, Kind] = {
    "audio": Kind(_work(_text, rows.WHISPER), _failed),
    "speaker": Kind(_work(_speakers, rows.PYANNOTE), _failed),
}
