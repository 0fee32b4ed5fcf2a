"""Who asks: the key in the Authorization header, with or without the word Bearer."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from memweb.gateway import keys, limits
from memweb.gateway.doors import GATEWAY, Refused
from memweb.gateway.guesses import guesses
from memweb.gateway.keys import Caller


class KeyAuth(APIKeyHeader):
    """Lets keys in. Raises Refused with 401, or 429 after too many wrong ones from one address, or too
    many requests of one account."""

    param_name = "Authorization"

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller:
        secret = GATEWAY.secret({}, {"authorization": key or ""})
        if not secret:
            raise Refused(401, "Unauthorized")
        caller = keys.find(secret)
        if caller is None:
            wait = guesses.missed(request.META.get("REMOTE_ADDR") or "unknown")
            if wait:
                raise Refused(429, f"Too many wrong keys from this address. Try again in {wait} s.", wait)
            raise Refused(401, "Unauthorized")
        limits.admit(caller.account_id)
        return caller


class _Admitted(HttpRequest):
    auth: Caller  # as ninja sets it


def caller_of(request: HttpRequest) -> Caller:
    """Who asks, in a view that was let in."""
    return cast(_Admitted, request).auth
