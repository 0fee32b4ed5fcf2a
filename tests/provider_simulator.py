"""ElevenLabs' and AssemblyAI's REST APIs for whole files, as far as their protocols go, on a port of this machine.

Every request is recorded, byte for byte. Answers can be scripted: `refuse` takes the next request's place.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KEY = "sk-operators-own"
SCRIBED = {
    "language_code": "eng",
    "language_probability": 0.98,
    "text": "Hello there.",
    "words": [
        {"text": "Hello", "start": 0.1, "end": 0.5, "type": "word", "speaker_id": "speaker_0", "logprob": -0.1},
        {"text": " ", "start": 0.5, "end": 0.6, "type": "spacing", "speaker_id": "speaker_0", "logprob": 0},
        {"text": "there.", "start": 0.6, "end": 7.25, "type": "word", "speaker_id": "speaker_0", "logprob": -0.2},
    ],
    "a_key_of_tomorrow": {"kept": True},
}


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[bytes]]:
        """Fields of a multipart body, files too."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        fields: dict[str, list[bytes]] = {}
        for part in BytesParser(policy=HTTP).parsebytes(head + self.body).iter_parts():  # type: ignore[attr-defined]
            name = part.get_param("name", header="content-disposition")
            fields.setdefault(str(name), []).append(part.get_payload(decode=True))
        return fields


@dataclass(frozen=True)
class Scripted:
    """An answer in place of the right one; status 0 hangs up without any."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


@dataclass
class Provider:
    """Runs on threads of its own. `url` goes into MEMWEB_ELEVENLABS_URL and MEMWEB_ASSEMBLYAI_URL."""

    requests: list[Recorded] = field(default_factory=list)
    script: deque[Scripted] = field(default_factory=deque)
    transcripts: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: int = 1
    """How often a transcript is still processing when asked for."""
    failure: str = ""
    """What a transcript comes to, in place of a result."""

    def __enter__(self) -> Self:
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Recorded) -> tuple[int, Any]:
        key = request.headers.get("xi-api-key") or request.headers.get("authorization")
        if key != KEY:
            return 401, {"error": "Authentication error, API token missing/invalid"}
        asked = request.method, request.path.partition("?")[0]
        if asked == ("POST", "/v1/speech-to-text"):
            return 200, SCRIBED
        if asked == ("POST", "/v2/upload"):
            return 200, {"upload_url": f"https://cdn.assemblyai.test/upload/{len(request.body)}"}
        if asked == ("POST", "/v2/transcript"):
            return 200, self._queue(request.json)
        found = re.fullmatch(r"/v2/transcript/([0-9a-f-]+)(/\w[\w-]*)?", asked[1])
        if found and found[1] in self.transcripts:
            return 200, self._shown(found[1], found[2] or "", request.method)
        return 404, {"error": "Not found"}

    def _queue(self, asked: dict[str, Any]) -> dict[str, Any]:
        made = {"id": str(uuid.uuid4()), "status": "queued", "text": None, "words": None, **asked}
        self.transcripts[made["id"]] = made | {"waits": self.waits}
        return made

    def _shown(self, id: str, part: str, method: str) -> Any:
        made = self.transcripts[id]
        if method == "DELETE":
            return {key: value for key, value in made.items() if key != "waits"} | {"text": "Deleted by user."}
        if part:
            return {"part": part, "id": id}
        if made["waits"]:
            made["waits"] -= 1
            made["status"] = "processing"
        elif self.failure:
            made |= {"status": "error", "error": self.failure}
        else:
            words = [{"text": "Hello", "start": 100, "end": 500, "confidence": 0.9, "speaker": None}]
            made |= {"status": "completed", "text": "Hello", "words": words, "audio_duration": 7, "tomorrow": [1, 2]}
        return {key: value for key, value in made.items() if key != "waits"}


class _Handler(BaseHTTPRequestHandler):
    owner: Provider
    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Recorded(self.command, self.path, headers, self._body())
        self.owner.requests.append(request)
        scripted = self.owner.script.popleft() if self.owner.script else None
        if scripted:
            time.sleep(scripted.after_s)
            if not scripted.status:
                self.close_connection = True
                self.connection.close()
                return
        status, content = (scripted.status, scripted.body) if scripted else self.owner.answer(request)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (scripted.headers if scripted else {}).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # who asked has not waited
            self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""
