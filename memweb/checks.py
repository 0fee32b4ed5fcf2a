"""System checks: settings that are unsafe, or that do not exist. Each names the setting and the way out."""

from __future__ import annotations

import difflib
import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

LOCAL = {"localhost", "127.0.0.1", "[::1]"}


@register()
def known_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt setting is told by name: left silent, it would change nothing."""
    unknown = sorted(name for name in os.environ if name.startswith("MEMWEB_") and name not in settings.KNOWN_SETTINGS)
    return [Warning(f"{name} is not a setting of memweb.", hint=_nearest(name), id="memweb.W001") for name in unknown]


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, settings.KNOWN_SETTINGS, n=1)
    return f"Did you mean {near[0]}?" if near else "docs/settings.md lists every setting."


@register(Tags.security)
def production_is_safe(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """With MEMWEB_ENV=production, refuse what is only safe on one person's own machine."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(
            Error(
                "MEMWEB_DEBUG shows the program's insides to everybody.",
                hint="Leave it out in production.",
                id="memweb.E001",
            )
        )
    if not settings.HTTPS:
        hint = "Set MEMWEB_PUBLIC_URL=https://your.name: browsers give the microphone to https only."
        found.append(Error("MEMWEB_PUBLIC_URL is not an https address.", hint=hint, id="memweb.E002"))
    if settings.HTTPS and not settings.BEHIND_PROXY:
        hint = "Set it to true: memweb itself speaks plain HTTP, and would send everybody on to https again and again."
        found.append(
            Error("MEMWEB_BEHIND_PROXY is not set, and MEMWEB_PUBLIC_URL is https.", hint=hint, id="memweb.E008")
        )
    if not set(settings.ALLOWED_HOSTS) - LOCAL:
        hint = "Set MEMWEB_PUBLIC_URL, or MEMWEB_ALLOWED_HOSTS to the names people use."
        found.append(Error("MEMWEB_ALLOWED_HOSTS names this machine only.", hint=hint, id="memweb.E003"))
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts: any name would let other sites speak as memweb."
        found.append(Error("MEMWEB_ALLOWED_HOSTS allows every name.", hint=hint, id="memweb.E004"))
    if len(settings.SECRET_KEY) < 50:
        hint = "Leave it out (one is made and kept in the data folder), or set 50 random characters or more."
        found.append(Error("MEMWEB_SECRET_KEY is too short.", hint=hint, id="memweb.E005"))
    return found


@register()
def addresses_are_whole(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Addresses must have a scheme and a host; a path on the public one would break every link."""
    found: list[CheckMessage] = []
    for name, value, example in (
        ("MEMWEB_PUBLIC_URL", settings.PUBLIC_URL, "https://memweb.example.org"),
        ("MEMWEB_GATEWAY_URL", settings.GATEWAY_URL, "https://speech.example.org"),
    ):
        if value and not value.startswith(("http://", "https://")):
            found.append(Error(f"{name} is not an address: {value}", hint=f"Write it as {example}.", id="memweb.E006"))
    if settings.PUBLIC_URL.count("/") > 2:
        hint = "Give memweb a host name of its own, without a path."
        found.append(Error("MEMWEB_PUBLIC_URL has a path.", hint=hint, id="memweb.E007"))
    return found


def refuse_unsafe() -> None:
    """Raise ImproperlyConfigured, naming every unsafe setting: for servers, which run no system checks."""
    unsafe = [message for message in production_is_safe(None) if message.is_serious()]
    if unsafe:
        raise ImproperlyConfigured(" ".join(f"{message.msg} {message.hint}" for message in unsafe))
