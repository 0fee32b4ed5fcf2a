"""Files through the engine of this machine: where the sound comes from, who may have it read, and the bill."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self, cast

import httpx
from django.http import HttpRequest

from memweb.engines.errors import EngineError
from memweb.gateway import assets, guard, ledger, recognise
from memweb.gateway import kept as uploads
from memweb.gateway.doors import Refused
from memweb.gateway.guard import Forbidden, TooMuch
from memweb.gateway.models import LedgerEntry
from memweb.gateway.waiting import Room, fetching, room
from memweb.media import decode
from memweb.media.errors import NotMedia
from memweb.speech.dialects import RefusedParameter
from memweb.speech.dialects.orders import Order
from memweb.speech.recognition import Recognised
from memweb.speech.transcript import Segment

EXPECTED = (Refused, RefusedParameter, NotMedia, Forbidden, TooMuch, EngineError)
Heard = Callable[[Segment], None]
"""Told each segment as it is read."""
FETCH_S = 600.0
MOST_BYTES = 2 << 30

passing = Room(at_work=6, waiting=0)
"""Clients for whom a real provider works: they take a thread, and none of the machine's strength."""


class Sound:
    """A file to be read. Use as a context: what was made for it alone goes with the block."""

    def __init__(self, path: Path, name: str, *, temporary: IO[bytes] | None = None) -> None:
        self.path = path
        self.name = name
        self._temporary = temporary

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._temporary is not None:
            self._temporary.close()


def uploaded(request: HttpRequest, field: str) -> Sound:
    """The file of a multipart form. Raises RefusedParameter, TooMuch."""
    files = request.FILES.getlist(field)
    if len(files) != 1 or len(request.FILES) != 1:
        raise RefusedParameter(field, f"Send one file, as {field}.")
    given = files[0]
    if not given.size:
        raise RefusedParameter(field, f"The file in {field} is empty.")
    if given.size > assets.largest():
        raise TooMuch(f"The file is larger than {assets.largest() / 1_000_000:.0f} MB.")
    on_disk = getattr(given, "temporary_file_path", None)
    if on_disk is not None:
        return Sound(Path(on_disk()), given.name or field)
    kept = tempfile.NamedTemporaryFile(prefix="memweb-")  # noqa: SIM115 - closed by Sound
    for piece in given.chunks():
        kept.write(piece)
    kept.flush()
    return Sound(Path(kept.name), given.name or field, temporary=kept)


def fetched(url: str, beat: Callable[[], None] = lambda: None) -> Sound:
    """The file behind a user's URL; `beat` is called while it comes. Raises Forbidden, TooMuch, Refused."""
    kept = tempfile.NamedTemporaryFile(prefix="memweb-")  # noqa: SIM115 - closed by Sound
    try:
        guard.fetch(url, cast(BinaryIO, kept), most_bytes=MOST_BYTES, most_s=FETCH_S, beat=beat)
    except httpx.HTTPStatusError as error:
        kept.close()
        raise Refused(400, f"The URL answered with status {error.response.status_code}.") from None
    except httpx.HTTPError:
        kept.close()
        raise Refused(400, "The URL could not be fetched.") from None
    except BaseException:
        kept.close()
        raise
    kept.flush()
    return Sound(Path(kept.name), "audio", temporary=kept)


def fetched_now(account_id: int, url: str) -> Sound:
    """The same for a client that waits. Raises Refused(429) where too many wait for theirs."""
    with fetching.served(account_id):
        return fetched(url)


def kept(account_id: int, id: str) -> Sound:
    """What was uploaded at a provider's own address. Raises Refused."""
    return Sound(uploads.find(account_id, id), "audio")


@dataclass(frozen=True, slots=True)
class Job:
    """One file for one account. `session` names it in the ledger: it is charged once, whatever happens."""

    account_id: int
    provider: str
    session: str
    order: Order

    def admit(self, sound: Sound) -> None:
        """Raises NotMedia, and Refused(402) where the balance does not hold the price of this file."""
        length = sound.path.stat().st_size // 32 if self.order.raw else decode.probe(sound.path).duration_ms
        price = ledger.file_price(provider=self.provider, audio_ms=length or 0, speaker=self.order.speakers)
        if not ledger.can_pay(account_id=self.account_id, amount=price):
            raise Refused(402, "The balance is too low for this recording.")

    def now(self, sound: Sound) -> Recognised:
        """Admit it, and read it while its client waits. Raises what `admit` and `read` raise."""
        self.admit(sound)
        return self.read(sound)

    def read(self, sound: Sound, heard: Heard | None = None) -> Recognised:
        """Touches no database. Raises what `recognise` raises, and Refused(429)."""
        with room.served():
            return recognise.recognise(sound.path, self.order, heard=heard)

    def charge(self, found: Recognised) -> None:
        charge(self.account_id, self.provider, self.session, found.heard_ms, self.order.speakers)


def charge(account_id: int, provider: str, session: str, audio_ms: int, speakers: bool = False) -> Any:
    """Charge a file once."""
    return ledger.charge_file(
        account_id=account_id,
        session=session,
        provider=provider,
        kind=LedgerEntry.FILE,
        audio_ms=audio_ms,
        speaker=speakers,
    )
