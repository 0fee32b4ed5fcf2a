"""Which gateway, and with which key: the person's own, else the operator's, else the one built in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.core import signing

from memweb.speech.dialects import PROVIDERS
from memweb.whereabouts import own_address

INTERNAL_KEY_PREFIX = "sk-mem-app."
BUILT_IN_PACE = 4.0
_LIVE_PATH = "/serve/ws/v2/audio-stream"
_API_SUFFIX = "/serve/api/v2"
_TO_SOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_TO_HTTP = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway's base address (no trailing slash) and the key to use with it."""

    url: str
    key: str = field(repr=False)
    built_in: bool = False
    user_id: int = 0
    """For whom, at the one built in."""
    guarded: bool = False
    """Chosen by somebody who does not own this machine: reached at addresses that `memweb.addresses` has looked at."""

    def within(self, session: str, offset_ms: int) -> Gateway:
        """This gateway, told that a connection goes on with `session` from so far into it.

        The one built in charges no moment of a session twice, though it be sent twice; others need not know.
        """
        if not self.built_in:
            return self
        return replace(self, key=internal_key(self.user_id, session, offset_ms))

    @property
    def name(self) -> str:
        """How a person knows it: its host; empty for the one built in."""
        return "" if self.built_in else (urlsplit(self.url).hostname or self.url)

    def host_of(self, provider: str) -> str:
        """Who gets live sound under this provider's name: a host; empty where an engine on this machine listens."""
        return _bound(provider, "WS_URL") if self.built_in else self.name

    @property
    def hosts(self) -> list[str]:
        """Every host that may get sound; empty: it stays on this machine."""
        if not self.built_in:
            return [self.name]
        bound = [_bound(provider, url) for provider in PROVIDERS for url in ("WS_URL", "URL")]
        return list(dict.fromkeys(host for host in bound if host))

    @property
    def address(self) -> str:
        """What a record keeps: the base address; empty for the one built in."""
        return "" if self.built_in else self.url

    @property
    def pace(self) -> float:
        """How many times real time a backlog may be sent."""
        return BUILT_IN_PACE if self.built_in else settings.GATEWAY_PACE

    def live_url(self, query: list[tuple[str, str]]) -> str:
        """The address of the live socket. The key is not in it: it goes into a header."""
        parts = urlsplit(self.url)
        path = parts.path.removesuffix("/").removesuffix(_API_SUFFIX) + _LIVE_PATH
        return urlunsplit((_TO_SOCKET.get(parts.scheme, "wss"), parts.netloc, path, urlencode(query), ""))

    def http_url(self, path: str) -> str:
        """The address of an HTTP endpoint below the base."""
        parts = urlsplit(self.url)
        base = parts.path.removesuffix("/").removesuffix(_API_SUFFIX)
        return urlunsplit((_TO_HTTP.get(parts.scheme, "https"), parts.netloc, base + path, "", ""))


def gateway_for(*, user_id: int, url: str = "", key: str = "", guarded: bool = True) -> Gateway:
    """The gateway of a user whose own choice, if any, is `url` and `key`; not `guarded` where it is the owner's."""
    if url:
        return Gateway(url.rstrip("/"), key, guarded=guarded)
    if settings.GATEWAY_URL:
        return Gateway(settings.GATEWAY_URL, settings.GATEWAY_KEY)
    return Gateway(own_address(), internal_key(user_id), built_in=True, user_id=user_id)


def _bound(provider: str, url: str) -> str:
    """The provider's own host, where the gateway built in passes sound on to it: the operator has set its key."""
    if not getattr(settings, f"{provider.upper()}_API_KEY"):
        return ""
    address: str = getattr(settings, f"{provider.upper()}_{url}")
    return urlsplit(address).hostname or ""


def internal_key(user_id: int, session: str = "", offset_ms: int = 0) -> str:
    """How the app shows the built-in gateway for whom it speaks, and within what session; see `Gateway.within`.

    Signed, good for a day, never stored.
    """
    claim = {"u": user_id} | ({"s": session, "o": offset_ms} if session else {})
    return INTERNAL_KEY_PREFIX + signing.dumps(claim, salt=settings.GATEWAY_SIGNING_SALT)
