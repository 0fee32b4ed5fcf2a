"""What works on this machine, and how to mend what does not. Asked by `./run doctor` and by the first page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import DatabaseError, connection

from memweb import health
from memweb.accounts.models import User
from memweb.engines import batch, registry, weights
from memweb.engines.errors import EngineError
from memweb.pulse import HEARTBEAT_FILE, HEARTBEAT_S, STREAMS_HEARTBEAT_FILE
from memweb.upstream.address import gateway_for
from memweb.upstream.trial import try_gateway
from memweb.whereabouts import bracketed, own_address

# One hour of 16 kHz speech: the spool while it is recorded. The sealed FLAC is about half of it.
BYTES_PER_HOUR = 116_000_000
ENOUGH_BYTES = 500_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, whether it works, what was seen, and how to mend it."""

    name: str
    works: bool
    seen: str
    mend: str = ""

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def findings() -> list[Finding]:
    """Everything, in the order a person should mend it."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _folder,
        _database,
        _engines,
        _weights,
        _media,
        _worker,
        _streams,
        _server,
        _microphone,
        _gateway,
        _providers,
    )
    return [finding for look in looks for finding in look()]


def for_newcomers() -> list[Finding]:
    """What a person wants to know before the first recording."""
    return [*_engines(), *_folder()]


def _folder() -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(settings.DATA_DIR).free
    except OSError as error:
        yield Finding(
            "Room for recordings",
            False,
            f"{settings.DATA_DIR}: {error.strerror}",
            "Set MEMWEB_DATA_DIR to a folder this user can write.",
        )
        return
    hours = f"{free // BYTES_PER_HOUR:,}".replace(",", "\u202f")
    seen = f"{free / 1e9:.0f} GB free, about {hours} hours"
    yield Finding(
        "Room for recordings",
        free > ENOUGH_BYTES,
        seen,
        "Free some space, or move the data folder with MEMWEB_DATA_DIR.",
    )


def _database() -> Iterator[Finding]:
    reason = health.trouble()
    mend = "Run `./run migrate`; with PostgreSQL, check DATABASE_URL and that the server runs."
    yield Finding("Database", not reason, reason or connection.vendor, mend)


def _engines() -> Iterator[Finding]:
    for status in batch.describe():
        seen = f"{status.name}. {status.sentence}" if status.available else status.name
        mend = "" if status.available else status.sentence
        yield Finding(f"Speech to text, {status.role}", status.available, seen, mend)


def _weights() -> Iterator[Finding]:
    """Join the packaged weights if that is still to be done, and compare all with their digests."""
    if registry.has_moonshine():
        differ = weights.moonshine_differs()
        seen = f"not as installed: {', '.join(differ)}" if differ else "whole, as its package was installed"
        mend = "Delete the virtual environment and type ./run again."
        yield Finding("Moonshine's weights", not differ, seen, mend)
    try:
        folder = weights.ensure()
    except EngineError as error:
        yield Finding(
            "Whisper's weights",
            False,
            str(error),
            "Delete the models folder below the data folder, then type ./run again.",
        )
        return
    yield Finding("Whisper's weights", True, f"whole, in {folder}")


def _media() -> Iterator[Finding]:
    try:
        import av
    except ImportError as error:
        yield Finding("FFmpeg libraries", False, str(error), "Delete the virtual environment and type ./run again.")
        return
    yield Finding("FFmpeg libraries", True, f"{av.ffmpeg_version_info}, in the package av {av.__version__}")


def _worker() -> Iterator[Finding]:
    yield _pulse("Worker", HEARTBEAT_FILE, "Start memweb with ./run, or the worker alone with `./run work`.")


def _streams() -> Iterator[Finding]:
    mend = "Start memweb with ./run, or this process alone with `./run runstreams`. Until then callbacks wait."
    yield _pulse("Streams and callbacks", STREAMS_HEARTBEAT_FILE, mend)


def _pulse(name: str, file: str, mend: str) -> Finding:
    """Whether the process that touches this file is alive."""
    try:
        age = time.time() - (settings.DATA_DIR / file).stat().st_mtime
    except OSError:
        return Finding(name, False, "not started yet", mend)
    seen = "alive" if age < 4 * HEARTBEAT_S else f"last seen {age / 60:.0f} min ago"
    return Finding(name, age < 4 * HEARTBEAT_S, seen, mend)


def _server() -> Iterator[Finding]:
    try:
        httpx.get(f"{own_address()}/healthz", timeout=5)
    except httpx.HTTPError:
        yield Finding("Server", False, f"nothing answers at {own_address()}", "Start memweb with ./run.")
        return
    yield Finding("Server", True, f"answers at {own_address()}", "")


def public_address() -> str:
    """What people type: MEMWEB_PUBLIC_URL, or this machine's own address."""
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL)
    here = "localhost" if settings.HOST in {"127.0.0.1", "::1", "0.0.0.0", "::"} else settings.HOST  # noqa: S104
    return f"http://{bracketed(here)}:{settings.PORT}"


def _microphone() -> Iterator[Finding]:
    address = urlsplit(public_address())
    safe = address.scheme == "https" or address.hostname in {"localhost", "127.0.0.1", "::1"}
    mend = "Browsers give the microphone to https addresses and to localhost only: see docs/operating.md, 'On a phone'."
    yield Finding("Microphone", safe, f"pages are opened at {public_address()}", mend)


def _providers() -> Iterator[Finding]:
    """Who answers live sound under each provider's name in the gateway built in here."""
    bound = {
        "ElevenLabs": (settings.ELEVENLABS_API_KEY, settings.ELEVENLABS_WS_URL),
        "AssemblyAI": (settings.ASSEMBLYAI_API_KEY, settings.ASSEMBLYAI_WS_URL),
    }
    for name, (key, url) in bound.items():
        seen = f"live sound goes to {urlsplit(url).hostname}" if key else "an engine on this machine answers"
        yield Finding(f"provider {name}", True, seen)


def _gateway() -> Iterator[Finding]:
    """Knock at the live socket of the gateway this memweb is set up with, as the app does."""
    gateway = gateway_for(user_id=_owner_pk())
    trial = try_gateway(gateway)
    mend = (
        "Start memweb with ./run."
        if gateway.built_in
        else "Check MEMWEB_GATEWAY_URL, MEMWEB_GATEWAY_KEY and the network."
    )
    where = "built in" if gateway.built_in else gateway.url
    yield Finding("Gateway", trial.works, f"{where}. {trial.sentence}", mend)


def _owner_pk() -> int:
    """Whose key the built-in gateway is asked with; 0, which opens nothing, while nobody is there."""
    try:
        owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    except DatabaseError:
        return 0
    return owner.pk if owner else 0
