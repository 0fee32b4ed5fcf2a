"""Where this very server is, for what runs beside it on the machine."""

from __future__ import annotations

from django.conf import settings

_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104


def host_and_port() -> tuple[str, int]:
    """The address the server listens at, as seen from this machine."""
    return _ANYWHERE.get(settings.HOST, settings.HOST), settings.PORT


def own_address() -> str:
    """http://host:port, without a slash at its end."""
    host, port = host_and_port()
    return f"http://{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """A host as it stands in an address, and in the header that names it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
