"""A gateway asked over HTTP: assets, transcriptions of files, streams it pulls. Blocking; never for the event loop.

How answers are wrapped is known to speech.envelope, what is in them to speech.dialects. What was heard comes back with
the answer's own bytes, to be kept verbatim.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpcore
import httpx

from memweb import addresses
from memweb.speech import envelope
from memweb.upstream import errors
from memweb.upstream.address import Gateway

CONNECT_S = 5.0
ANSWER_S = 60.0
UPLOAD_S = 300.0
"""After the last byte went out, or between two pieces."""
LISTEN_S = 3600.0
"""For a transcription asked for and waited for; most gateways let go of the line much earlier."""
LARGEST_ANSWER = 64 * 2**20
INVALID = "The gateway's address or key is not valid. Correct it in the settings."
_API = "/serve/api/v2"
_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)

Sent = Callable[[int], None]
"""Called with the bytes of the file sent so far. May raise, which ends the upload."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a gateway heard: its answer as it came, and what lies in it, for the dialects."""

    raw: bytes
    data: Any


@dataclass(frozen=True, slots=True)
class TaskState:
    """How a task of the built-in gateway stands. Hosted gateways do not tell."""

    status: str
    """queued, running, done, failed or cancelled."""
    done_ms: int
    total_ms: int | None
    ahead: int
    """Tasks that come before it."""
    message: str
    callback: bytes | None
    """What a callback would carry, once it is done."""


class Client:
    """One gateway, by its address and key. Use as a context manager. Every method raises UpstreamError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._http = httpx.Client(
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S), trust_env=not gateway.built_in, follow_redirects=False,
            headers={"Accept-Encoding": "identity"}, transport=_Guarded() if gateway.guarded else None,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    # --- assets ----------------------------------------------------------------------------------------

    def upload(self, file: BinaryIO, name: str, sent: Sent | None = None) -> str:
        """Hand a file over, streamed; the asset's id."""
        data = self._ask("POST", "/upload", files={"file": (name, _Counted(file, sent))}, patience=UPLOAD_S).data
        return _id_in(data, "asset_id")

    def upload_by_address(self, file: BinaryIO, name: str, sent: Sent | None = None) -> str:
        """The same, straight to the storage behind the gateway; the key is not shown there."""
        data = self._ask("POST", "/upload/signed-url", json={"original_filename": name}).data
        asset_id, address = _id_in(data, "asset_id"), data.get("signed_url")
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise errors.Unreachable(errors.NO_SENSE)
        status, _ = self._send("POST", address, {}, files={"file": (name, _Counted(file, sent))}, patience=UPLOAD_S)
        if not 200 <= status < 300:
            raise errors.for_refusal(status, "")
        return asset_id

    def metadata(self, asset_id: str) -> Mapping[str, Any]:
        """What the gateway knows of an asset; sizes and times are strings there. Empty where it names none."""
        data = self._ask("GET", f"/{_part(asset_id)}/metadata").data
        found = data.get("resource") if isinstance(data, dict) else None
        return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}

    def delete(self, asset_id: str) -> None:
        """Forget an asset."""
        self._ask("DELETE", f"/{_part(asset_id)}")

    # --- transcriptions --------------------------------------------------------------------------------

    def transcribe(
        self, asset_id: str, *, model: str = "whisper-1", speaker: bool = False, language: str = ""
    ) -> Heard:
        """What is said in it; waits until it is done. Only the gateway built in takes a `language`: others detect."""
        body = self._audio(asset_id, model, speaker, language)
        return self._listen("/transcriptions/sync-generate-audio", **body)

    def begin_transcribing(
        self, asset_id: str, *, model: str = "whisper-1", speaker: bool = False, language: str = ""
    ) -> str:
        """The same without waiting: the id of the task whose outcome will be called back."""
        body = self._audio(asset_id, model, speaker, language)
        return _id_in(self._ask("POST", "/transcriptions/async-generate-audio", json=body).data, "task_id")

    def _audio(self, asset_id: str, model: str, speaker: bool, language: str) -> dict[str, Any]:
        own = {"language": language} if language and self._gateway.built_in else {}
        return {"asset_id": asset_id, "model": model, "speaker": speaker, **own}

    def tell_speakers(self, asset_id: str, *, most: int = 0) -> Heard:
        """Who speaks when; waits until it is done. Only the gateway built in can be told how many at `most`."""
        return self._listen("/transcriptions/sync-generate-speaker", **self._voices(asset_id, most))

    def begin_telling_speakers(self, asset_id: str, *, most: int = 0) -> str:
        """The same without waiting: the id of the task."""
        body = self._voices(asset_id, most)
        return _id_in(self._ask("POST", "/transcriptions/async-generate-speaker", json=body).data, "task_id")

    def _voices(self, asset_id: str, most: int) -> dict[str, Any]:
        own = {"speakers": most} if most and self._gateway.built_in else {}
        return {"asset_id": asset_id, **own}

    def speech_to_text(self, provider: str, parameters: Mapping[str, Any]) -> Heard:
        """A provider's own transcription with its own parameters (asset_id, url or source_url among them); waits."""
        return self._listen("/transcriptions/speech-to-text", **{**parameters, "provider": provider})

    def task(self, task_id: str) -> TaskState | None:
        """How a task stands. None where the gateway does not tell: most do not."""
        try:
            data = self._ask("GET", f"/tasks/{_part(task_id)}").data
        except errors.Refused:
            return None
        return _task_state(data) if isinstance(data, dict) else None

    def cancel(self, task_id: str) -> None:
        """Ask the gateway to let a task be. One that cannot is left to itself."""
        try:
            self._ask("DELETE", f"/tasks/{_part(task_id)}")
        except errors.Refused:
            return

    # --- streams ---------------------------------------------------------------------------------------

    def start_stream(self, audio_url: str, provider: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Have the gateway pull this address; the id of the task that its callbacks carry."""
        body = {**(parameters or {}), "audio_url": audio_url, "provider": provider}
        return _id_in(self._ask("POST", "/audio-stream/start", json=body).data, "task_id")

    def stop_stream(self, task_id: str) -> None:
        """Have it stop; a last callback follows."""
        self._ask("POST", "/audio-stream/stop", json={"task_id": task_id})

    # --- how -------------------------------------------------------------------------------------------

    def _listen(self, path: str, **body: Any) -> Heard:
        return self._ask("POST", path, json=body, patience=LISTEN_S)

    def _ask(self, method: str, path: str, **options: Any) -> Heard:
        key = self._gateway.key
        try:
            address = self._gateway.http_url(_API + path)
            if not (key.isascii() and key.isprintable()):
                raise ValueError("not a header's value")
        except ValueError:
            raise errors.Refused(INVALID) from None
        status, body = self._send(method, address, {"Authorization": key}, **options)
        answer = envelope.read(status, body)
        if isinstance(answer, envelope.Refusal):
            raise errors.for_refusal(answer.status, answer.message)
        return Heard(body, answer.data)

    def _send(
        self, method: str, address: str, headers: dict[str, str], *, patience: float = ANSWER_S, **content: Any
    ) -> tuple[int, bytes]:
        timeout = httpx.Timeout(patience, connect=CONNECT_S)
        try:
            with self._http.stream(method, address, headers=headers, timeout=timeout, **content) as answer:
                body = _bounded(answer)
        except httpx.InvalidURL:
            raise errors.Refused(INVALID) from None
        except addresses.Forbidden as error:
            raise errors.for_forbidden(error) from None
        except httpx.ReadTimeout as error:
            raise errors.Unreachable("The gateway took too long to answer.") from error
        except httpx.HTTPError as error:
            raise errors.Unreachable("The gateway does not answer.") from error
        return answer.status_code, body


class _Guarded(httpx.HTTPTransport):
    """Connects to addresses that were looked at, and through no proxy: it would ask for the name once more."""

    def __init__(self) -> None:
        trust = httpx.create_ssl_context()
        super().__init__(verify=trust)
        self._pool = httpcore.ConnectionPool(ssl_context=trust, network_backend=addresses.Network())


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, sent: Sent | None) -> None:
        self._file, self._sent = file, sent

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        if self._sent is not None:
            self._sent(self._file.tell())
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _bounded(answer: httpx.Response) -> bytes:
    """The body. A packed one was not asked for: a few of its bytes unfold to more than memory holds."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise errors.Unreachable(errors.NO_SENSE)
    whole = bytearray()
    for piece in answer.iter_raw():
        whole += piece
        if len(whole) > LARGEST_ANSWER:
            raise errors.Unreachable("The gateway's answer is longer than any transcript. It was not kept.")
    return bytes(whole)


def _part(name: str) -> str:
    return quote(name, safe="")


def _id_in(data: Any, name: str) -> str:
    """An id out of an answer, whatever else is in it."""
    found = data.get(name) if isinstance(data, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise errors.Unreachable(errors.NO_SENSE)
    return found


def _task_state(data: Mapping[str, Any]) -> TaskState:
    callback = data.get("callback")
    return TaskState(
        status=str(data.get("status", "")),
        done_ms=_whole(data.get("done_ms")) or 0,
        total_ms=_whole(data.get("total_ms")),
        ahead=_whole(data.get("ahead")) or 0,
        message=str(data.get("message") or ""),
        callback=None if callback is None else json.dumps(callback).encode(),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
