"""Secrets at rest: sealed with a key made from SECRET_KEY, so that a copy of the database alone tells nothing."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"memweb.accounts.seal:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(secret: str) -> bytes:
    """The secret, encrypted; empty stays empty."""
    return _fernet().encrypt(secret.encode()) if secret else b""


def unseal(sealed: bytes | memoryview) -> str:
    """The secret again; empty when there is none, or when SECRET_KEY has changed since."""
    try:
        return _fernet().decrypt(bytes(sealed)).decode() if sealed else ""
    except InvalidToken:
        return ""
