"""Which addresses people may send this server to: streams, sources, webhooks, gateways of their own.

A name is resolved once, every address it has is looked at, and the connection is made to an address that was looked
at: a name that changes its mind between the look and the connection gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore
from django.conf import settings

_LOW_PORTS = frozenset({80, 322, 443, 554})
_SERVICES = frozenset({1433, 1521, 2049, 2375, 2376, 2379, 3306, 3389, 5432, 5900, 5984, 6000, 6379, 6443, 6667, 9200})
"""Above 1023 there are no rules, but these are never media: databases, caches, desks, the keys of clusters."""
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_OLD_IN_NEW = IPv6Network("::/96")
_NEVER_PUBLIC = tuple(
    ip_network(written)
    for written in (
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *("fec0::/10", "64:ff9b:1::/48", "2001:db8::/32", "3fff::/20", "5f00::/16"),
    )
)
"""What some versions of Python take for global."""

LIST_IT = "Its operator can list it in MEMWEB_ALLOW_PRIVATE_URLS."

Address = IPv4Address | IPv6Address


class Forbidden(Exception):
    """It may not be touched. `str()` is a sentence for whoever gave it."""


class Private(Forbidden):
    """It leads into a network that is not everybody's."""


class Unknown(Forbidden):
    """The name leads nowhere, now: it may be known later."""


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Every address of this host. Raises Forbidden unless each of them may be touched, and where there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unknown(f"The host {host} has no address.") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise Unknown(f"The host {host} has no address.")
    if not _is_listed(host) and not all(_may_touch(address) for address in addresses):
        raise Private(
            f"The host {host} is in a private network, which this server does not reach for its users. {LIST_IT}"
        )
    check_port(port)
    return addresses


def check_port(port: int) -> None:
    """Raises Forbidden where other things than ours are served."""
    if port in _SERVICES or (port < 1024 and port not in _LOW_PORTS):
        raise Forbidden(f"Port {port} is kept for services of another kind. Check the number behind the host's name.")


def _may_touch(written: str) -> bool:
    address = _inner(ip_address(written.partition("%")[0]))
    return _is_public(address) or any(address in network for network in _networks())


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if any(address in network for network in (*_NAT64, _OLD_IN_NEW)) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER_PUBLIC):
        return False
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not special and not address.is_link_local


def _networks() -> list[Any]:
    return [ip_network(entry, strict=False) for entry in settings.ALLOW_PRIVATE_URLS if _is_network(entry)]


def _is_network(entry: str) -> bool:
    """As in settings, which has refused what is neither."""
    return "/" in entry or ":" in entry or entry.replace(".", "").isdigit()


def _is_listed(host: str) -> bool:
    """Whether the operator listed this very name: then its addresses are the operator's word."""
    return host.lower() in {entry.lower() for entry in settings.ALLOW_PRIVATE_URLS if not _is_network(entry)}


class Network(httpcore.NetworkBackend):
    """Makes connections for a blocking client, to addresses that were looked at. Raises Forbidden."""

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        failure: Exception | None = None
        for address in addresses_of(host, port):
            try:
                return self.connect_to(address, port, timeout, *args, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(host)

    def connect_to(self, address: str, port: int, timeout: float | None, *args: Any, **options: Any) -> Any:
        """A stream to this very address. Raises what httpcore raises."""
        return httpcore.SyncBackend().connect_tcp(address, port, timeout, *args, **options)

    def connect_unix_socket(self, path: str, *args: Any, **options: Any) -> Any:
        raise Forbidden("A path is no URL.")
