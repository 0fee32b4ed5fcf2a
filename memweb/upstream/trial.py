"""Try a gateway as a person would: knock at its live socket with the key, and go away again."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import httpcore
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import connect
from websockets.uri import parse_uri

from memweb import addresses
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
            sock=_socket_to(address) if gateway.guarded else None,
            additional_headers={"Authorization": gateway.key},
            open_timeout=PATIENCE_S,
            close_timeout=1.0,
            compression=None,
        ):
            took_ms = round((time.monotonic() - began) * 1000)
    except InvalidStatus as refusal:
        status = refusal.response.status_code
        return Trial(False, _REFUSALS.get(status, f"The gateway refused with status {status}. Try again later."))
    except addresses.Forbidden as forbidden:
        return Trial(False, str(forbidden))
    except ValueError:  # it answers with a redirect, which leads away from what was looked at
        return Trial(False, _REFUSALS[404])
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError, httpcore.ConnectError, httpcore.ConnectTimeout):
        return Trial(False, "Nothing answers at this address. Check it, and whether this machine is online.")
    return Trial(True, f"It works. Answered in {took_ms} ms, and the key is accepted.")


def _socket_to(address: str) -> socket.socket:
    """A socket to an address of this host that was looked at: it follows no redirect, and asks no proxy."""
    uri = parse_uri(address)
    connected: socket.socket = addresses.Network().connect_tcp(uri.host, uri.port, PATIENCE_S).get_extra_info("socket")
    connected.settimeout(None)
    return connected
