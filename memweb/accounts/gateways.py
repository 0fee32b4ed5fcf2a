"""Where a person's sound goes. Apart from `services`, which the built-in gateway knows: it may not know `upstream`."""

from __future__ import annotations

from memweb.accounts import services
from memweb.accounts.choices import PROVIDERS
from memweb.accounts.models import User
from memweb.upstream.address import Gateway, gateway_for

HERE = "This machine"


def gateway_in_use(user: User) -> Gateway:
    """The gateway that gets this person's sound: their own, else the one memweb is set up with."""
    return gateway_chosen(user, services.gateway_of(user))


def gateway_chosen(user: User, own: services.ChosenGateway) -> Gateway:
    """The same where this, saved or not, is what the person chose. Only the owner's may be inside the network."""
    return gateway_for(user_id=user.pk, url=own.url, key=own.key, guarded=not user.is_superuser)


def listeners(gateway: Gateway) -> list[tuple[str, str]]:
    """The providers as this gateway has them, to choose from. Two of this machine differ in the way of speaking."""
    here = sum(not gateway.host_of(name) for name, _ in PROVIDERS)
    if here < 2:
        return [(name, listener(gateway, name)) for name, _ in PROVIDERS]
    return [(name, label if gateway.host_of(name) else f"{HERE}, the {label} way") for name, label in PROVIDERS]


def listener(gateway: Gateway, provider: str) -> str:
    """Who listens under a provider's name: the provider, or an engine on this machine. An unknown name stays."""
    names = dict(PROVIDERS)
    return names.get(provider, provider) if provider not in names or gateway.host_of(provider) else HERE
