"""The gateway contract's odd edges: how an answer, a refusal and a callback are wrapped, in both directions.

Most endpoints say `msg`, the audio streams say `message`; codes are numbers, or strings, or missing; rows of a
callback lie three `data` deep. Nothing outside this file knows. What lies inside a wrapping belongs to the dialects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from memweb.speech import text

_SUCCESS = frozenset({"200", "0000", "0", ""})
_MESSAGE_CHARACTERS = 500
_GAP = "missing before this"
_IS_BEFORE_THIS = re.compile(rf"(?: is| are)? {_GAP}:? *")


@dataclass(frozen=True, slots=True)
class Answer:
    """It worked."""

    data: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """It did not. Decide by `status` only: one and the same message is used for different causes."""

    status: int
    """An HTTP status, 400 to 599."""
    message: str
    """One line, perhaps empty; the gateway's words, not ours."""


def read(status: int, body: bytes | str) -> Answer | Refusal:
    """An HTTP answer of the gateway. Never raises."""
    content = _parsed(body)
    if not 200 <= status < 300:
        return Refusal(status if 400 <= status < 600 else 502, _message(content))
    if content is _NOTHING:
        return Refusal(502, "The answer is not JSON.")
    if not isinstance(content, dict):
        return Answer(content)
    if not _succeeded(content):
        return Refusal(_status(content.get("code")), _message(content))
    wrapped = "data" in content or "code" in content
    return Answer(content.get("data") if wrapped else content)


def success(data: Any) -> dict[str, Any]:
    """What upload, assets and transcriptions answer."""
    return {"code": 200, "msg": "success", "data": data, "success": True, "failed": False}


def failure(code: int, message: str) -> dict[str, Any]:
    """Their refusal; send it with `code` as the HTTP status."""
    return {"code": code, "msg": message, "data": None, "success": False, "failed": True}


def stream_success(data: Any) -> dict[str, Any]:
    """What audio streams answer."""
    return {"code": 200, "message": "success", "data": data}


def stream_failure(code: int, message: str) -> dict[str, Any]:
    """Their refusal, also of a socket's handshake; send it with `code` as the HTTP status."""
    return {"code": code, "message": message, "data": None}


SOURCE_ENDED = "Stream ended by its source"
"""What is said with status -1 where nothing failed."""


class StreamStatus(IntEnum):
    """What a stream's callback tells about the stream."""

    RUNNING = 0
    FAILED = -1
    STOPPED = 14
    CAPACITY = 16
    BALANCE = 402


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of a pulled stream."""

    task_id: str
    status: int
    """One of StreamStatus, or a number this version does not know."""
    message: str
    transcript: Any
    """The provider's message, for its dialect; None where the stream ended."""

    @property
    def goes_on(self) -> bool:
        return self.status == StreamStatus.RUNNING

    @property
    def ended_by_its_source(self) -> bool:
        """Whether it ended as a recording does, or a broadcast that is over."""
        return self.status == StreamStatus.FAILED and self.message.rstrip(".") == SOURCE_ENDED

    @property
    def is_gap(self) -> bool:
        """Whether sound is missing before this: `message` says for how long, and why."""
        return self.goes_on and _GAP in self.message

    @property
    def gap(self) -> str:
        """The same, as it reads wherever it stands: "13 seconds missing, the source went away"; else empty."""
        return _IS_BEFORE_THIS.sub(" missing, ", self.message).strip(" .,") if self.is_gap else ""


@dataclass(frozen=True, slots=True)
class TaskRows:
    """The outcome of an asynchronous task: rows for the dialect of Whisper."""

    task_id: str
    rows: tuple[Mapping[str, Any], ...]
    usage: Mapping[str, Any]
    """`duration` in seconds and `model`, where told."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    task_id: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not a callback as known: keep it, show it, try again with a later version."""

    task_id: str
    """Empty where none was found."""
    reason: str


Callback = StreamMessage | TaskRows | TaskFailed | Unreadable


def read_callback(body: bytes | str) -> Callback:
    """What was posted to us. Never raises."""
    content = _parsed(body)
    if not isinstance(content, dict):
        return Unreadable("", "The callback is not a JSON object.")
    data = content.get("data")
    task_id = _task_id(content) or _task_id(data)
    if not _succeeded(content):
        return TaskFailed(task_id, _status(content.get("code")), _message(content))
    if isinstance(data, dict) and "status" in data and "data" not in data:
        return _stream_message(task_id, data)
    return _rows(task_id, content)


def gap(seconds: int | None) -> str:
    """What is said beside the first message after a gap; None: the gateway itself was away, nobody knows how long."""
    if seconds is None:
        return f"Some sound is {_GAP}: the gateway was interrupted."
    return f"{seconds} second{' is' if seconds == 1 else 's are'} {_GAP}: the source went away."


def stream_callback(
    task_id: str, status: int, message: str | None = None, transcript: str | bytes | None = None
) -> bytes:
    """A callback of a stream. `transcript` is the provider's JSON, and goes in byte for byte."""
    verbatim = transcript.decode("utf-8", "replace") if isinstance(transcript, bytes) else transcript
    if verbatim is not None and _parsed(verbatim) is _NOTHING:
        verbatim = json.dumps(verbatim)
    return (
        f'{{"code":200,"message":"SUCCESS","task_id":{json.dumps(task_id)},"data":{{"status":{int(status)},'
        f'"message":{json.dumps(message)},"transcript":{verbatim or "null"}}}}}'
    ).encode("utf-8", "replace")


def rows_callback(task_id: str, rows: Sequence[Mapping[str, Any]], duration_s: float, model: str) -> bytes:
    """A callback of an asynchronous transcription or diarization that succeeded."""
    inner = {"data": list(rows), "usage_metadata": {"duration": duration_s, "model": model}}
    return _dumped({"code": 200, "message": "SUCCESS", "task_id": task_id, "data": {"data": inner}})


def failed_callback(task_id: str, code: int, message: str) -> bytes:
    return _dumped({"code": code, "message": message, "task_id": task_id, "data": None})


def _dumped(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


class _Nothing:
    """No JSON at all, which is not the same as null."""


_NOTHING = _Nothing()


def _parsed(body: bytes | str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return _NOTHING


def _succeeded(content: Mapping[str, Any]) -> bool:
    code = content.get("code")
    told = "" if code is None else str(code).strip()
    return told in _SUCCESS and content.get("failed") not in (True, "true", "True")


def _status(code: object) -> int:
    """The HTTP status a code stands for: 429 for "0429", 500 for what is none."""
    told = str(code).strip()
    number = int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0
    return number if 400 <= number < 600 else 500


def _message(content: object) -> str:
    if not isinstance(content, dict):
        return ""
    error = content.get("error")
    candidates = [content.get("msg"), content.get("message"), error]
    if isinstance(error, dict):
        candidates.append(error.get("message"))
    told = next((said for said in candidates if isinstance(said, str) and said), "")
    return text.line(told)[:_MESSAGE_CHARACTERS]


def _task_id(content: object) -> str:
    told = content.get("task_id") if isinstance(content, dict) else None
    return text.line(str(told))[:200] if isinstance(told, str | int) else ""


def _stream_message(task_id: str, data: Mapping[str, Any]) -> Callback:
    try:
        status = int(data["status"])
    except (TypeError, ValueError, OverflowError):
        return Unreadable(task_id, "The status of the stream is not a number.")
    return StreamMessage(task_id, status, _message(data), data.get("transcript"))


def _rows(task_id: str, content: Mapping[str, Any]) -> Callback:
    """Descend through `data` as long as there is one; the rows are a list there, or under `items`."""
    inner: Any = content
    usage: Any = None
    while isinstance(inner, dict) and "data" in inner:
        usage = inner.get("usage_metadata") or usage
        inner = inner["data"]
    if isinstance(inner, dict):
        usage = inner.get("usage_metadata") or usage
        inner = inner.get("items")
    if not isinstance(inner, list):
        return Unreadable(task_id, "The callback holds no rows.")
    rows = tuple(row for row in inner if isinstance(row, dict))
    return TaskRows(task_id, rows, usage if isinstance(usage, dict) else {})
