"""A gateway's HTTP side."""

from __future__ import annotations

from memweb.upstream.address import Gateway
from memweb.upstream.live import connect


async def check(gateway: Gateway, *, provider: str = "assemblyai") -> None:
    """Whether the gateway answers and takes the key: opens its live socket and closes it. Raises UpstreamError.

    No endpoint of the API only tests a key, and one that uploads would cost money: a handshake without audio is free.
    """
    connection = await connect(gateway, [("provider", provider), ("sample_rate", "16000")])
    connection.close()
