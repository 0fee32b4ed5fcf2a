"""Who brings a long body, asked before it is read: what strangers send should not lie on the disk."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping

from channels.db import database_sync_to_async

from memweb.gateway import assets, doors, keys, tokens
from memweb.gateway.doors import ASSEMBLYAI, ELEVENLABS, GATEWAY, OPENAI, Door, Query, Refused
from memweb.gateway.guesses import guesses

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""A refusal: its status, headers and body."""

DOORS = {
    "/serve/api/v2/upload": GATEWAY,
    "/v2/upload": ASSEMBLYAI,
    "/v1/speech-to-text": ELEVENLABS,
    "/v1/audio/transcriptions": OPENAI,
}
"""By what the addresses begin with that take files."""
_SIGNED = re.compile(r"/serve/api/v2/upload/signed/([^/]+)")


def ask(path: str, query: bytes, headers: list[tuple[bytes, bytes]], address: str) -> Awaitable[Answer | None] | None:
    """What is answered to whoever may bring nothing, in the shape of the door. None, now or later: it goes on."""
    door = next((door for start, door in DOORS.items() if path.startswith(start)), None)
    return None if door is None else _ask(door, path, query, doors.parse_headers(headers), address)


async def _ask(door: Door, path: str, query: bytes, headers: Mapping[str, str], address: str) -> Answer | None:
    try:
        await database_sync_to_async(_admit)(door, path, doors.parse_query(query), headers, address)
    except Refused as refused:
        return refused.status, *doors.encoded(door, refused)
    return None


def _admit(door: Door, path: str, query: Query, headers: Mapping[str, str], address: str) -> None:
    """Raises Refused with 401 or 429. A token is looked at only: who spends it is the view that takes the file."""
    secret, token = door.secret({}, headers), query.get("token", [""])[0]
    if signed := _SIGNED.fullmatch(path):
        if assets.of_token(token, signed[1]) is None:
            raise Refused(401, "Unauthorized")
    elif door.token_parameter and token:
        _let_in(tokens.opens(token, f"{door.name}-files"), address)
    elif secret:
        _let_in(keys.find(secret) is not None, address)
    else:
        raise Refused(401, "Unauthorized")


def _let_in(is_known: bool, address: str) -> None:
    if is_known:
        return
    wait = guesses.missed(address)
    if wait:
        raise Refused(429, f"Too many wrong keys from this address. Try again in {wait} s.", wait)
    raise Refused(401, "Unauthorized")
