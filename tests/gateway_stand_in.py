"""A hosted gateway as its document has it: both envelopes, codes that are strings, odd errors, unsigned callbacks.

It has no task endpoint, no progress and no signature, as the hosted one. What it hears is told by its `ear`; what goes
wrong is told beforehand, one fault per request.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

Row = dict[str, Any]
API = "/serve/api/v2"


def fixed(sound: bytes) -> list[Row]:
    """What the stand-in hears where nobody told it: two rows, whatever the sound."""
    return [
        {"text": "It was the best of times.", "start_time": 0.0, "end_time": 2.5},
        {"text": "It was the worst of times.", "start_time": 2.5, "end_time": 5.0},
    ]


@dataclass(frozen=True)
class Fault:
    """How the next request whose path ends so is answered, instead of as it should be.

    `status` 0 drops the line; `body` None makes the documented refusal of `status` and `message`.
    """

    path: str
    status: int
    message: str = ""
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class StandIn:
    """Runs in threads of its own. `url` goes into MEMWEB_GATEWAY_URL, `key` into MEMWEB_GATEWAY_KEY."""

    key: str = "sk-mai-stand-in"
    ear: Callable[[bytes], list[Row]] = fixed
    webhook: str = ""
    """Where callbacks go; empty: none is configured in the console, and async requests are refused."""
    code: int | str = 200
    """The code of success: 200 in some places, "0000" in older ones."""
    seconds: float = 0.0
    """How long it listens."""
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    assets: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    """Of assets: none is given twice, also after others were deleted."""

    def __enter__(self) -> Self:
        stand_in = self

        class Handler(_Handler):
            house = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """What was asked, without the common beginning."""
        return [f"{one.method} {one.path.removeprefix(API)}" for one in self.asked]

    # --- what it can do ------------------------------------------------------------------------------

    def keep(self, name: str, sound: bytes) -> str:
        asset_id = f"re_{660727003963174912 + next(self._numbers)}"
        self.assets[asset_id] = (name, sound)
        return asset_id

    def hear(self, body: dict[str, Any], *, speaker: Any) -> list[Row]:
        time.sleep(self.seconds)
        rows = self.ear(self.assets[body["asset_id"]][1])
        return [{**row, "speaker": f"SPEAKER_{i % 2:02}"} if speaker else row for i, row in enumerate(rows)]

    def speakers(self, body: dict[str, Any]) -> list[Row]:
        time.sleep(self.seconds)
        rows = self.ear(self.assets[body["asset_id"]][1])
        return [
            {"start": row["start_time"], "end": row["end_time"], "speaker": f"SPEAKER_{i % 2:02}"}
            for i, row in enumerate(rows)
        ]

    def call_back(self, task_id: str, rows: list[Row], model: str) -> None:
        """Post the outcome, unsigned, as the hosted one does."""
        usage = {"duration": rows[-1].get("end_time") or rows[-1].get("end") if rows else 0.0, "model": model}
        content = {
            "code": 200, "message": "SUCCESS", "task_id": task_id,
            "data": {"data": {"data": rows, "usage_metadata": usage}},
        }  # fmt: skip
        with contextlib.suppress(httpx.HTTPError):  # nothing is documented about another try
            httpx.post(self.webhook, json=content, timeout=30)


class _Handler(BaseHTTPRequestHandler):
    house: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        path = urlsplit(self.path).path
        raw = self._body()
        if raw is None:  # whoever asked is gone
            self.close_connection = True
            return
        kind = self.headers.get("Content-Type", "")
        body: Any = _multipart(raw, kind) if kind.startswith("multipart/") else json.loads(raw or b"null")
        self.house.asked.append(Asked(method, path, {k.lower(): v for k, v in self.headers.items()}, body))
        fault = self._fault(path)
        if fault is not None and fault.status == 0:
            self.close_connection = True
            self.connection.close()
        elif fault is not None:
            body = fault.body or json.dumps(refusal(fault.status, fault.message)).encode()
            self._send(fault.status, body, fault.headers)
        elif path.startswith("/storage/"):
            self._store(path.removeprefix("/storage/"), body)
        elif self.headers.get("Authorization") != self.house.key:
            self._refuse(401, "Unauthorized")
        else:
            self._serve(method, path.removeprefix(API), body)

    def _fault(self, path: str) -> Fault | None:
        for fault in self.house.faults:
            if path.endswith(fault.path):
                self.house.faults.remove(fault)
                return fault
        return None

    def _body(self) -> bytes | None:
        """None where it was cut off."""
        try:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return self._chunks()
            size = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(size)
        except ConnectionError:
            return None
        return raw if len(raw) == size else None

    def _chunks(self) -> bytes | None:
        whole = bytearray()
        while line := self.rfile.readline():
            size = int(line, 16)
            whole += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return bytes(whole)
        return None

    def _store(self, asset_id: str, body: dict[str, Any]) -> None:
        assert "authorization" not in self.house.asked[-1].headers, "the key was shown to the storage"
        if asset_id != "callback":
            self.house.assets[asset_id] = body["file"]
        self._send(204, b"")

    def _serve(self, method: str, path: str, body: Any) -> None:
        house = self.house
        if (method, path) == ("POST", "/upload"):
            self._succeed({"asset_id": house.keep(*body["file"])})
        elif (method, path) == ("POST", "/upload/signed-url"):
            asset_id = house.keep(body["original_filename"], b"")
            address = f"{house.url}/storage/{asset_id}"
            self._succeed({"asset_id": asset_id, "signed_url": address, "expires_in": 93600})
        elif path.endswith("/metadata") or (method == "DELETE" and path.startswith("/re_")):
            self._asset(method, path)
        elif path.startswith("/transcriptions/"):
            self._transcribe(path.removeprefix("/transcriptions/"), body)
        elif path.startswith("/audio-stream/"):
            self._stream(path, body)
        else:
            self._refuse(405, f"{method} not supported")

    def _asset(self, method: str, path: str) -> None:
        asset_id = path.split("/")[1]
        if asset_id not in self.house.assets:
            self._refuse(400, "Asset not found")
        elif method == "DELETE":
            del self.house.assets[asset_id]
            self._succeed(None)
        else:
            name, sound = self.house.assets[asset_id]
            found = {
                "extension": name.rpartition(".")[2], "asset_id": asset_id, "original_filename": name,
                "file_size": str(len(sound)), "upload_status": "SUCCESS", "create_time": "1766989317192",
                "modify_time": "1766989317192",
            }  # fmt: skip
            self._succeed({"total": 1, "resource": [found]})

    def _transcribe(self, what: str, body: dict[str, Any]) -> None:
        house = self.house
        if not body.get("asset_id"):
            self._refuse(400, "asset_id cannot be null or empty")
        elif body["asset_id"] not in house.assets:
            self._refuse(400, "Request has exceeded the limit.")
        elif what == "sync-generate-audio":
            self._succeed({"model": "whisper-1", "items": house.hear(body, speaker=body.get("speaker"))})
        elif what == "sync-generate-speaker":
            self._succeed({"model": "pyannote", "items": house.speakers(body)})
        elif what == "speech-to-text":
            rows = house.hear(body, speaker=body.get("diarize") or body.get("speaker_labels"))
            made = assemblyai if body.get("provider") == "assemblyai" else elevenlabs
            self._succeed(made(rows))
        elif not house.webhook:
            self._refuse(400, "An async request requires at least one webhook.")
        elif what in ("async-generate-audio", "async-generate-speaker"):
            self._begin(what, body)
        else:
            self._refuse(405, "POST not supported")

    def _begin(self, what: str, body: dict[str, Any]) -> None:
        house, task_id = self.house, uuid.uuid4().hex

        def work() -> None:
            if what == "async-generate-audio":
                rows = house.hear(body, speaker=body.get("speaker"))
                house.call_back(task_id, [{"speaker": None, **row} for row in rows], "whisper-1")
            else:
                house.call_back(task_id, house.speakers(body), "pyannote")

        self._succeed({"task_id": task_id})
        threading.Thread(target=work, daemon=True).start()

    def _stream(self, path: str, body: dict[str, Any]) -> None:
        """Audio streams say `message`, not `msg`."""
        if path == "/audio-stream/start":
            task_id = str(uuid.uuid4())
            self.house.streams[task_id] = body
            data = {"task_id": task_id, "message": "Audio stream transcription started"}
        elif body.get("task_id") in self.house.streams:
            del self.house.streams[body["task_id"]]
            data = {"task_id": body["task_id"], "message": "Audio stream stopped successfully"}
        else:
            self._send(400, json.dumps({"code": "400", "message": "Invalid task id", "data": None}).encode())
            return
        self._send(200, json.dumps({"code": 200, "message": "success", "data": data}).encode())

    def _succeed(self, data: Any) -> None:
        content = {"code": self.house.code, "msg": "success", "data": data, "success": True, "failed": False}
        self._send(200, json.dumps(content).encode())

    def _refuse(self, status: int, message: str) -> None:
        self._send(status, json.dumps(refusal(status, message)).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        try:
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # whoever asked is gone
            self.close_connection = True


def refusal(status: int, message: str) -> Row:
    """What is refused says so with a string for a code, as one page of the documentation has it."""
    return {"code": f"0{status}" if status == 429 else str(status), "msg": message, "data": None}


def elevenlabs(rows: list[Row]) -> Row:
    """ElevenLabs' object: words with spacing between them, seconds."""
    words: list[Row] = []
    for row in rows:
        said = row["text"].split()
        step = (row["end_time"] - row["start_time"]) / max(len(said), 1)
        for i, word in enumerate(said):
            start = row["start_time"] + i * step
            if words:
                words.append({"text": " ", "start": start, "end": start, "type": "spacing"})
            words.append({"text": word, "start": start, "end": start + step * 0.9, "type": "word", "logprob": -0.1})
            if "speaker" in row:
                words[-1]["speaker_id"] = row["speaker"].replace("SPEAKER_0", "speaker_")
    text = " ".join(row["text"] for row in rows)
    return {"language_code": "eng", "language_probability": 0.98, "text": text, "words": words}


def assemblyai(rows: list[Row]) -> Row:
    """AssemblyAI's transcript: milliseconds, everything off null."""
    words: list[Row] = []
    utterances: list[Row] = []
    for row in rows:
        said = row["text"].split()
        start, step = round(row["start_time"] * 1000), (row["end_time"] - row["start_time"]) * 1000 / max(len(said), 1)
        speaker = "AB"[int(row["speaker"][-1])] if "speaker" in row else None
        own = [
            {"text": word, "start": round(start + i * step), "end": round(start + (i + 0.9) * step),
             "confidence": 0.9, "speaker": speaker}
            for i, word in enumerate(said)
        ]  # fmt: skip
        words += own
        if speaker:
            utterances.append({"speaker": speaker, "text": row["text"], "start": start,
                               "end": round(row["end_time"] * 1000), "confidence": 0.9, "words": own})  # fmt: skip
    return {
        "id": str(uuid.uuid4()), "status": "completed", "language_code": "en_us", "confidence": 0.9,
        "text": " ".join(row["text"] for row in rows), "words": words, "utterances": utterances or None,
        "audio_duration": round(rows[-1]["end_time"]) if rows else 0, "error": None, "chapters": None, "entities": None,
    }  # fmt: skip


def _multipart(raw: bytes, kind: str) -> dict[str, Any]:
    boundary = b"--" + re.findall(r'boundary="?([^";]+)', kind)[0].encode()
    fields: dict[str, Any] = {}
    for part in raw.split(boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.findall(rb'name="([^"]*)"', head)[0].decode()
        filename = re.findall(rb'filename="([^"]*)"', head)
        fields[name] = (filename[0].decode(), content) if filename else content.decode()
    return fields


def query_of(path: str) -> dict[str, list[str]]:
    """The parameters of a request's path."""
    return parse_qs(urlsplit(path).query)
