"""The receiver of callbacks: a bare ASGI route, ahead of Django's handler.

    POST /hooks/<secret>/   any body   -> 200 once it is safe on disk; it is understood later, by `callbacks`

Constant work for each: no parsing, no session, no row read but that of the secret. Whatever waits while one commit is
under way goes into the next, so that thousands a second share a few commits.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings

from transcripts import writer
from transcripts.callbacks import letters
from transcripts.callbacks.hooks import digest_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger("memweb.webhooks")

PREFIX = "/hooks/"
ROUTE = "/hooks/<secret>/"
_PATH = re.compile(r"/hooks/([A-Za-z0-9_-]{16,100})/?")

BODY_SECONDS = 30.0
COMMIT_SECONDS = 10.0
"""Senders give up after 15 s or more; before that they are told to come again."""
LARGEST_GROUP = 500
MOST_HELD = 64 * 1024 * 1024
RING_SECONDS = 0.25
NOTE_SECONDS = 60.0
"""So far apart it is written down how many were refused, however many are."""
TOLERANCE_SECONDS = 300
_KEPT_HEADERS = frozenset(
    {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "memweb-sequence", "x-request-id"}
)


class TooLarge(Exception):
    """The body is longer than settings.CALLBACK_LIMIT."""


class TooSlow(Exception):
    """The body took longer than BODY_SECONDS."""


class Gone(Exception):
    """The sender went away before its body was whole."""


@dataclass(slots=True, eq=False)
class Post:
    """One request on its way into the database."""

    letter: letters.Letter
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Inbox:
    """Everything that waits for the next commit; one for each event loop."""

    def __init__(self) -> None:
        self._waiting: list[Post] = []
        self._busy = self._bell_is_set = False
        self._refused: dict[str, tuple[int, datetime]] = {}
        self._noted_at = -NOTE_SECONDS
        self.held = 0

    async def keep(self, letter: letters.Letter) -> bool:
        """True once it is committed, False where nobody has this secret. Raises TimeoutError: then it is not kept."""
        size = len(letter.body)
        if self.held + size > MOST_HELD:
            raise TimeoutError
        post = Post(letter)
        self._waiting.append(post)
        self.held += size
        self._send()
        try:
            return await asyncio.wait_for(asyncio.shield(post.done), COMMIT_SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            letter.given_up = True
            raise
        except writer.WriterAway as away:
            raise TimeoutError from away
        finally:
            self.held -= size

    def _send(self) -> None:
        if self._busy or not self._waiting:
            return
        group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
        self._busy = True
        future = writer.submit(letters.store, [post.letter for post in group])
        future.add_done_callback(lambda done: self._settle(group, done))

    def _settle(self, group: Sequence[Post], done: asyncio.Future[list[bool]]) -> None:
        self._busy = False
        error = None if done.cancelled() else done.exception()
        known = [] if done.cancelled() or error else done.result()
        for post, stored in zip(group, known or [False] * len(group), strict=True):
            if post.done.done():
                continue
            if error is not None:
                post.done.set_exception(error)
                post.done.exception()  # its sender may have been answered already
            else:
                post.done.set_result(stored)
        if any(known):
            self._ring()
        self._send()

    def _ring(self) -> None:
        """Wake the worker, at most four times a second."""
        if not self._bell_is_set:
            self._bell_is_set = True
            asyncio.get_running_loop().call_later(RING_SECONDS, self._rung)

    def _rung(self) -> None:
        self._bell_is_set = False
        future = writer.submit(letters.ring)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # the worker also looks by itself

    def refuse(self, letter: letters.Letter) -> None:
        """Count a known address's wrong signature: the first is written down at once, the others each minute."""
        loop = asyncio.get_running_loop()
        if not self._refused:
            loop.call_at(max(loop.time(), self._noted_at + NOTE_SECONDS), self._note)
        count, _ = self._refused.get(letter.secret_digest, (0, None))
        self._refused[letter.secret_digest] = count + 1, letter.arrived_at

    def _note(self) -> None:
        self._noted_at = asyncio.get_running_loop().time()
        refused, self._refused = self._refused, {}
        future = writer.submit(letters.note_refused, refused)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # a count, worth no more


_inboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = WeakKeyDictionary()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request below /hooks/."""
    found = _PATH.fullmatch(scope["path"])
    if found is None:
        await _answer(send, 404, "There is nothing at this address.")
        return
    try:
        status, sentence = await _take(found[1], scope, receive)
    except TooLarge:
        status, sentence = 413, f"A callback may be {settings.CALLBACK_LIMIT} bytes long; this one is longer."
    except TooSlow:
        status, sentence = 408, f"The callback was not whole after {BODY_SECONDS:.0f} seconds."
    except Gone:
        return
    except TimeoutError:
        status, sentence = 503, "The callback cannot be kept at the moment. Send it again later."
    await _answer(send, status, sentence)


async def _take(secret: str, scope: Scope, receive: Receive) -> tuple[int, str]:
    """Status and sentence. Whether the secret is known is told before anything else, and nothing else to others."""
    headers = {name: value.decode("latin-1") for name, value in _named(scope)}
    posts = scope["method"] == "POST"
    body = await _body_in_time(headers, receive) if posts else b""
    signature = _signature(headers, body)
    letter = letters.Letter(
        secret_digest=digest_of(secret),
        body=body,
        body_digest=hashlib.sha256(body).hexdigest(),
        delivery_id=headers.get("webhook-id", ""),
        sequence=_sequence(headers.get("memweb-sequence", "")),
        headers={name: headers[name][:300] for name in sorted(_KEPT_HEADERS & headers.keys())},
        signed=signature == "right",
        arrived_at=datetime.now(UTC),
        only_asks=not posts or signature == "wrong",
    )
    inbox = _inboxes.setdefault(asyncio.get_running_loop(), Inbox())
    if not await inbox.keep(letter):
        return 404, "There is nothing at this address."
    if not posts:
        return 405, "Callbacks are posted here."
    if signature == "wrong":
        inbox.refuse(letter)
        return 401, "The signature does not fit this callback, or is older than five minutes."
    return 200, "Stored."


def _named(scope: Scope) -> Iterable[tuple[str, bytes]]:
    return ((name.decode("latin-1").lower(), value) for name, value in scope["headers"])


async def _body_in_time(headers: dict[str, str], receive: Receive) -> bytes:
    try:
        return await asyncio.wait_for(_body(headers, receive), BODY_SECONDS)
    except TimeoutError as slow:
        raise TooSlow from slow


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    """The whole body. Raises TooLarge, Gone."""
    told = headers.get("content-length", "")
    if told.isascii() and told.isdigit() and len(told) < 20 and int(told) > settings.CALLBACK_LIMIT:
        raise TooLarge
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > settings.CALLBACK_LIMIT:
            raise TooLarge
        if not message.get("more_body", False):
            return b"".join(pieces)


def _sequence(told: str) -> int | None:
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None


def _signature(headers: dict[str, str], body: bytes) -> str:
    """ "right", "wrong", or "" where the sender does not sign or no secret is set to check it with."""
    given = headers.get("webhook-signature", "")
    if not given or not settings.WEBHOOK_SECRETS:
        return ""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        return "wrong"
    if abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return "wrong"
    content = b".".join([name.encode("latin-1"), stamp.encode(), body])
    claimed = [one.removeprefix("v1,").encode("latin-1") for one in given.split(" ")[:10] if one.startswith("v1,")]
    made = [_mac(secret, content) for secret in settings.WEBHOOK_SECRETS]
    return "right" if any(hmac.compare_digest(one, other) for one in claimed for other in made) else "wrong"


def _mac(secret: str, content: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())


async def _answer(send: Send, status: int, sentence: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
