"""How a delivery proves where it comes from: Standard Webhooks, symmetric ("v1"). Pure, but for `new_secret`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
SEQUENCE = "memweb-sequence"
"""The header that numbers the deliveries of one task, from 1: a hole says that one was given up."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """One signature: of id, time and body, joined by dots."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def headers(secrets: Iterable[str], webhook_id: str, timestamp: int, number: int, body: bytes) -> dict[str, str]:
    """Everything a delivery carries besides its body. While a secret is being replaced, both sign."""
    signatures = " ".join(sign(secret, webhook_id, timestamp, body) for secret in secrets)
    told = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp), SEQUENCE: str(number)}
    return {"content-type": "application/json", **told, **({"webhook-signature": signatures} if signatures else {})}
