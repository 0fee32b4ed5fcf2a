"""Try a gateway as a person would: knock at its live socket with the key, and go away again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import connect

from memweb.upstream.address import Gateway

PATIENCE_S = 8.0
_REFUSALS = {
    401: "The gateway answers, but does not accept this key. Copy the key again.",
    402: "The gateway answers, but the account has no balance left.",
    403: "The gateway answers, but this key may not be used for live dictation.",
    404: "Something answers at this address, but it is not a speech gateway. Check the address.",
}


@dataclass(frozen=True)
class Trial:
    """How a trial ended: whether live dictation would work, and what to tell."""

    works: bool
    sentence: str


def try_gateway(gateway: Gateway) -> Trial:
    """Open and close one live session; blocks for some seconds at most. Expected failures are told, not raised."""
    address = gateway.live_url([("provider", "assemblyai")])
    began = time.monotonic()
    try:
        with connect(
            address,
            additional_headers={"Authorization": gateway.key},
            open_timeout=PATIENCE_S,
            close_timeout=1.0,
            compression=None,
        ):
            took_ms = round((time.monotonic() - began) * 1000)
    except InvalidStatus as refusal:
        status = refusal.response.status_code
        return Trial(False, _REFUSALS.get(status, f"The gateway refused with status {status}. Try again later."))
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError):
        return Trial(False, "Nothing answers at this address. Check it, and whether this machine is online.")
    return Trial(True, f"It works. Answered in {took_ms} ms, and the key is accepted.")
