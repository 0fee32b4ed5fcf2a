"""Whole files to the real providers, with the operator's key: what ElevenLabs and AssemblyAI answer, as they answer it.

A provider is bound here once its key is set. Its refusals become statuses of the caller's own: a key or an account of
the operator's that the provider does not like is no fault of the caller, and is 502.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from django.conf import settings

from memweb.gateway.doors import Refused
from memweb.speech import text
from memweb.speech.dialects import wire

CONNECT_S = 10.0
ANSWER_S = 600.0
"""ElevenLabs answers when it has read the whole file."""
ASKED_S = 30.0
"""One look at a transcript: less than the lease of whoever looks."""
POLL_S = 3.0
LONGEST_POLL_S = 4 * 3600.0
PIECE = 1 << 20
_NAMES = {"elevenlabs": "ElevenLabs", "assemblyai": "AssemblyAI"}


@dataclass(frozen=True, slots=True)
class Source:
    """The recording: a file of ours, or a URL that the provider fetches."""

    path: Path | None = None
    name: str = "audio"
    url: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A bound provider."""

    provider: str
    address: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"xi-api-key" if self.provider == "elevenlabs" else "authorization": self.key}


def bound(provider: str) -> Upstream | None:
    """Where this provider's requests go; None where the engine on this machine answers."""
    key = getattr(settings, f"{provider.upper()}_API_KEY")
    address = getattr(settings, f"{provider.upper()}_URL")
    return Upstream(provider, address.rstrip("/"), key) if key else None


def transcribe(upstream: Upstream, source: Source, values: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The provider's result, and how many milliseconds of audio it tells. `values` go to it untouched. Blocking.

    Raises Refused.
    """
    with _client(upstream) as client:
        if upstream.provider == "elevenlabs":
            result = _scribe(client, upstream, source, values)
        else:
            result = _transcript(client, upstream, source, values)
    return result, audio_ms(upstream.provider, result)


def audio_ms(provider: str, result: Mapping[str, Any]) -> int:
    """The length of the audio, as the provider tells it: of ElevenLabs, where it is silent, the last word's end."""
    told = wire.milliseconds(result.get("audio_duration" if provider == "assemblyai" else "audio_duration_secs"), 1000)
    if told is not None:
        return told
    chunks = wire.objects(result.get("transcripts")) or [dict(result)]
    ends = [wire.milliseconds(word.get("end"), 1000) for chunk in chunks for word in wire.objects(chunk.get("words"))]
    return max((end for end in ends if end is not None), default=0)


def _scribe(client: httpx.Client, upstream: Upstream, source: Source, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = {"model_id": "scribe_v2"} | _form(values)
    with _opened(source) as file:
        # A part without a file's name is a plain field: the request is multipart either way.
        parts = {"file": (source.name, file)} if file else {"cloud_storage_url": (None, source.url)}
        return _sent(client, upstream, "POST", "/v1/speech-to-text", data=fields, files=parts)


def _transcript(client: httpx.Client, upstream: Upstream, source: Source, values: Mapping[str, Any]) -> dict[str, Any]:
    url = source.url
    if source.path is not None:
        with source.path.open("rb") as file:
            url = str(_sent(client, upstream, "POST", "/v2/upload", content=_pieces(file)).get("upload_url"))
    made = _sent(client, upstream, "POST", "/v2/transcript", json={**values, "audio_url": url})
    until = time.monotonic() + LONGEST_POLL_S
    done = _done(upstream, made)
    while not done:
        if time.monotonic() > until:
            raise Refused(504, f"{_NAMES[upstream.provider]} has not finished this recording within four hours.")
        time.sleep(POLL_S)
        made = _sent(client, upstream, "GET", f"/v2/transcript/{made.get('id')}")
        done = _done(upstream, made)
    return made


def asked_once(upstream: Upstream, id: str) -> dict[str, Any] | None:
    """AssemblyAI's transcript, once it is completed; None before. Raises Refused, in its words where it failed."""
    with _client(upstream) as client:
        made = _sent(client, upstream, "GET", f"/v2/transcript/{id}", timeout=ASKED_S)
    return made if _done(upstream, made) else None


def _done(upstream: Upstream, made: Mapping[str, Any]) -> bool:
    if made.get("status") == "error":
        raise Refused(400, _told(upstream, made) or "AssemblyAI could not transcribe this recording.")
    return made.get("status") == "completed"


def _form(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values as form fields: words of one letter case, lists repeated, objects as JSON."""
    return {name: _field(value) for name, value in values.items() if value is not None}


def _field(value: object) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO | None]:
    if source.path is None:
        yield None
        return
    with source.path.open("rb") as file:
        yield file


def _pieces(file: BinaryIO) -> Iterable[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _client(upstream: Upstream) -> httpx.Client:
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    return httpx.Client(base_url=upstream.address, headers=upstream.headers, timeout=timeout, trust_env=False)


def _sent(client: httpx.Client, upstream: Upstream, method: str, path: str, **content: Any) -> dict[str, Any]:
    answer = send(client, upstream, method, path, **content)
    if not answer.is_success:
        raise _refusal(upstream, answer)
    told = wire.read_object(answer.content)
    if told is None:
        raise Refused(502, f"{_NAMES[upstream.provider]} answered with something that is no JSON object.")
    return told


def send(client: httpx.Client, upstream: Upstream, method: str, path: str, **content: Any) -> httpx.Response:
    """One exchange with a provider. Raises Refused(502 or 504) where none took place."""
    name = _NAMES[upstream.provider]
    try:
        return client.request(method, path, **content)
    except httpx.TimeoutException:
        raise Refused(504, f"{name} did not answer in time. Try again later.") from None
    except httpx.HTTPError:
        raise Refused(502, f"{name} cannot be reached from this server. Try again later.") from None


def _refusal(upstream: Upstream, answer: httpx.Response) -> Refused:
    name, status = _NAMES[upstream.provider], answer.status_code
    said = _told(upstream, wire.read_object(answer.content) or {})
    if status == 429:
        wait = answer.headers.get("retry-after", "")
        return Refused(429, f"{name}: {said or 'too many requests'}", int(wait) if wait.isdecimal() else 30)
    if status in (401, 402, 403):
        return Refused(502, f"{name} does not accept this server's key or account. Its operator has to see to it.")
    if status in (413, 415):
        return Refused(status, f"{name}: {said or 'the file is not accepted'}")
    if 400 <= status < 500:
        return Refused(400, f"{name}: {said or f'refused with status {status}'}")
    return Refused(502, f"{name} failed with status {status}. Try again later.")


def _told(upstream: Upstream, body: Mapping[str, Any]) -> str:
    """The provider's own sentence, without the operator's key should it be in there."""
    said = body.get("error") or body.get("detail") or body.get("message")
    if isinstance(said, list):
        said = said[0] if said else ""
    if isinstance(said, dict):
        said = said.get("message") or said.get("msg") or said.get("status")
    return text.line(str(said or "")).replace(upstream.key, "…")[:300]


HOP = frozenset({"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding", "set-cookie"})
"""Headers of an answer that are of the connection to the provider alone."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A provider's answer, to be given on as it is."""

    status: int
    headers: dict[str, str]
    body: bytes


def passed(
    upstream: Upstream, method: str, path: str, *, query: str = "", content_type: str = "", body: Any = None
) -> Passed:
    """One request given on to the provider under the operator's key, and its answer as it came. Blocking.

    Raises Refused where no answer came, or one that speaks of the operator's own key.
    """
    headers = {"content-type": content_type} if content_type else {}
    with _client(upstream) as client:
        answer = send(client, upstream, method, f"{path}?{query}" if query else path, headers=headers, content=body)
    if answer.status_code in (401, 402, 403):
        raise _refusal(upstream, answer)
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
    return Passed(answer.status_code, kept, answer.content)
