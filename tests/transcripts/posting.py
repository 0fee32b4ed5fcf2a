"""Callbacks for tests: posted to the receiver's ASGI application, signed as Standard Webhooks asks, or stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from memweb.accounts.models import User
from memweb.speech import envelope
from transcripts import webhooks
from transcripts.callbacks import hooks, letters

SIGNING_SECRET = "whsec_" + base64.b64encode(b"tests only, " + b"k" * 20).decode()


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[bytes, bytes]


async def request(
    path: str, body: bytes = b"", *, method: str = "POST", headers: dict[str, str] | None = None
) -> Answer:
    """One request to the bare route, as a server would hand it over."""
    told = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": told}
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await webhooks.application(scope, receive, send)
    start, end = sent
    return Answer(start["status"], end["body"], dict(start["headers"]))


def signed(body: bytes, *, name: str, at: int, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{name}.{at}.".encode() + body
    made = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{made}"}


def store(owner: User, *bodies: bytes, ids: bool = False, sequences: list[int] | None = None) -> None:
    """Put callbacks straight where the receiver puts them."""
    secret = hooks.path_of(owner).split("/")[2]
    letters.store(
        [
            letters.Letter(
                secret_digest=hooks.digest_of(secret),
                body=body,
                body_digest=hashlib.sha256(body).hexdigest(),
                delivery_id=f"msg_{hashlib.sha256(body).hexdigest()[:8]}_{number}" if ids else "",
                sequence=sequences[number] if sequences else None,
                headers={"content-type": "application/json"},
                signed=False,
                arrived_at=datetime.now(UTC),
            )
            for number, body in enumerate(bodies)
        ]
    )


def turn(task_id: str, order: int, text: str, *, start: int | None = None) -> bytes:
    """A stream's callback with one finished turn, as AssemblyAI says it."""
    begin = order * 2000 if start is None else start
    words = [
        {
            "text": word,
            "start": begin + 100 * at,
            "end": begin + 100 * at + 80,
            "confidence": 0.9,
            "word_is_final": True,
        }
        for at, word in enumerate(text.split())
    ]
    message = {
        "type": "Turn",
        "turn_order": order,
        "turn_is_formatted": True,
        "end_of_turn": True,
        "transcript": text,
        "end_of_turn_confidence": 0.9,
        "words": words,
    }
    return envelope.stream_callback(task_id, 0, transcript=json.dumps(message))


def commit(task_id: str, text: str, start_s: float | None = None) -> bytes:
    """A stream's callback with one committed segment, as ElevenLabs says it; without a start it has no times."""
    message: dict[str, Any] = {"message_type": "committed_transcript", "text": text}
    if start_s is not None:
        message["message_type"] += "_with_timestamps"
        message["words"] = [
            {
                "text": word,
                "start": start_s + 0.1 * at,
                "end": start_s + 0.1 * at + 0.08,
                "type": "word",
                "logprob": -0.1,
            }
            for at, word in enumerate(text.split())
        ]
    return envelope.stream_callback(task_id, 0, transcript=json.dumps(message))
