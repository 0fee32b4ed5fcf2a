"""The ways in: how each API carries its key, and how it says no.

`admit` checks in the contract's order: the key (401, or 429 after too many guesses), then the right to stream (403);
the provider and its parameters (400) come after, in socket.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from memweb.gateway import keys, tokens
from memweb.gateway.guesses import guesses
from memweb.gateway.keys import Caller
from memweb.speech.dialects.openai import transcriptions

Query = dict[str, list[str]]
MOST_PARAMETERS = 300
OWN_PARAMETERS = frozenset({"api_key", "provider", "token"})
"""The gateway's own business: no provider is told."""


class Refused(Exception):
    """A request that is answered with an HTTP status and a sentence."""

    def __init__(self, status: int, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Door:
    """One API's way in."""

    name: str
    provider: str | None
    """None where the query names the provider."""
    key_parameter: str | None
    key_header: str
    token_parameter: str | None
    body: Callable[[int, str], dict[str, Any]]
    """An error in this API's shape."""
    token_in_header: bool = False
    """Whether a token may stand where a key does: this API's own client sends it so."""

    def secret(self, query: Query, headers: Mapping[str, str]) -> str:
        """The key that was given; empty when none was."""
        given = query.get(self.key_parameter or "", [""])[0] or headers.get(self.key_header, "")
        scheme, _, rest = given.strip().partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else given.strip()

    def stripped(self, query: Query) -> Query:
        """The query without what is the gateway's own business: keys, tokens and the provider's name."""
        return {name: values for name, values in query.items() if name not in OWN_PARAMETERS}


def _envelope(status: int, message: str) -> dict[str, Any]:
    return {"code": status, "msg": message, "data": None, "success": False, "failed": True}


def _elevenlabs(status: int, message: str) -> dict[str, Any]:
    kinds = {
        401: "invalid_api_key",
        402: "quota_exceeded",
        403: "missing_permissions",
        429: "too_many_concurrent_requests",
    }
    return {"detail": {"status": kinds.get(status, "invalid_request"), "message": message}}


def _assemblyai(status: int, message: str) -> dict[str, Any]:
    return {"error": message}


def _openai(status: int, message: str) -> dict[str, Any]:
    codes = {401: "invalid_api_key", 402: "insufficient_quota", 404: "model_not_found", 429: "rate_limit_exceeded"}
    return transcriptions.failure(message, status=status, code=codes.get(status))


GATEWAY = Door("gateway", None, "api_key", "authorization", None, _envelope)
ELEVENLABS = Door("elevenlabs", "elevenlabs", None, "xi-api-key", "token", _elevenlabs)
ASSEMBLYAI = Door("assemblyai", "assemblyai", None, "authorization", "token", _assemblyai, token_in_header=True)
OPENAI = Door("openai", None, None, "authorization", None, _openai)


def parse_query(raw: bytes) -> Query:
    """Raises Refused(400) for more parameters than any client has."""
    try:
        return parse_qs(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Refused(400, "The query has too many parameters.") from None


def forwarded(raw: bytes) -> str:
    """The query as it came, letter for letter, without the gateway's own parameters."""
    parts = raw.decode("latin-1").split("&")
    return "&".join(part for part in parts if part and unquote_plus(part.partition("=")[0]) not in OWN_PARAMETERS)


def parse_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; of repeated ones the first."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(raw)}


async def admit(
    door: Door, query: Query, headers: Mapping[str, str], address: str, *, by_key_only: bool = False
) -> Caller:
    """The caller. Raises Refused with 401, 403 or 429."""
    token = query.get(door.token_parameter or "", [""])[0]
    secret = door.secret(query, headers)
    if door.token_in_header and not token and not secret.startswith(keys.PREFIX):
        token = secret
    if by_key_only:
        token = ""
    if not token and not secret:
        raise Refused(401, "Unauthorized")
    caller: Caller | None
    caller = await tokens.aredeem(token, door.name) if token else await keys.afind(secret)
    if caller is None:
        wait = guesses.missed(address)
        if wait:
            raise Refused(429, f"Too many wrong keys from this address. Try again in {wait} s.", wait)
        raise Refused(401, "Unauthorized")
    if not caller.streams_allowed:
        raise Refused(403, "This account is not enabled for live streams.")
    return caller


def encoded(door: Door, refused: Refused) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal in this API's shape."""
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if refused.retry_after:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    return headers, json.dumps(door.body(refused.status, refused.message)).encode()
