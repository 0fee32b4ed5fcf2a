"""What a provider's name stands for here: the provider itself, or an engine on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Binding:
    """A provider reached over the network, with the operator's key."""

    provider: str
    url: str
    """ws or wss, without a query."""
    header: str
    """Which header the key goes into."""
    key: str = field(repr=False)
