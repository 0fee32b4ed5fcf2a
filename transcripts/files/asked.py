"""What a person asks for with files: remembered, shown as a form, said in a sentence, priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import QueryDict

from memweb.accounts import services as accounts
from memweb.accounts.choices import LANGUAGES
from memweb.accounts.gateways import gateway_in_use
from memweb.accounts.models import User
from memweb.upstream.address import Gateway
from transcripts.files.options import (
    ANY,
    ASSEMBLYAI,
    ELEVENLABS,
    FEATURES,
    LISTENERS,
    MODELS,
    NONE,
    WHISPER,
    Feature,
    Options,
)
from transcripts.shown import wording

SPEAKERS: tuple[tuple[int, str], ...] = (
    (NONE, "Do not tell apart"), (ANY, "Tell apart, any number"), (2, "Two"), (3, "Three"), (4, "Four"), (5, "Five"),
    (6, "Six"),
)  # fmt: skip


def options_of(user: User) -> Options:
    """What this person chose last, as far as their gateway offers it."""
    return possible(Options.read(accounts.preferences_of(user).file_options), gateway_of(user))


def possible(options: Options, gateway: Gateway) -> Options:
    """These, as far as this gateway offers them and can act on them."""
    if options.provider not in _offered(gateway):
        options = Options.read({**options.kept(), "provider": WHISPER})
    if can_be_told(options, gateway):
        return options
    return replace(options, language="", speakers=min(options.speakers, ANY))


def can_be_told(options: Options, gateway: Gateway) -> bool:
    """Whether who listens can be told the language and how many speak. The contract has no place for either in what
    is asked of the hosted gateway's Whisper."""
    return gateway.built_in or options.provider != WHISPER


def gateway_of(user: User) -> Gateway:
    """The gateway this person uses."""
    return gateway_in_use(user)


def _offered(gateway: Gateway) -> dict[str, str]:
    """Who can listen. The built-in gateway has a provider where its operator has a key for it."""
    if not gateway.built_in:
        return {name: f"{label}, hosted" for name, label in LISTENERS.items()}
    keys = {ELEVENLABS: settings.ELEVENLABS_API_KEY, ASSEMBLYAI: settings.ASSEMBLYAI_API_KEY}
    hosted = {name: f"{LISTENERS[name]}, hosted" for name, key in keys.items() if key}
    return {WHISPER: "This machine, no cost", **hosted}


def is_priced(options: Options, gateway: Gateway) -> bool:
    return not gateway.built_in or options.provider != WHISPER


def sentence(options: Options, gateway: Gateway) -> str:
    """Detect the language, tell speakers apart, ElevenLabs at $0.39 an hour."""
    language = wording.language(options.language) or "Detect the language"
    speakers = "tell speakers apart" if options.tells_speakers else "do not tell speakers apart"
    if is_priced(options, gateway):
        who = f"{LISTENERS[options.provider]} at ${options.rate():.2f} an hour"
    else:
        who = "on this machine, no cost"
    return f"{language}, {speakers}, {who}"


def context(user: User, options: Options | None = None) -> dict[str, Any]:
    """What the form shows: these options, else those that this person chose last."""
    gateway = gateway_of(user)
    options = possible(options, gateway) if options else options_of(user)
    is_told = can_be_told(options, gateway)
    return {
        "options": options,
        "sentence": sentence(options, gateway),
        "languages": LANGUAGES if is_told else (),
        "speakers": SPEAKERS if is_told else SPEAKERS[:2],
        "is_told": is_told,
        "listeners": _offered(gateway).items(),
        "models": MODELS[options.provider] if len(MODELS[options.provider]) > 1 else (),
        "features": [_shown(feature, options) for feature in FEATURES[options.provider]],
        "stays_here": not is_priced(options, gateway),
        "rate": options.rate() if is_priced(options, gateway) else None,
    }


def cost(options: Options, gateway: Gateway, duration_ms: int) -> Decimal | None:
    """What a recording of this length costs, in US dollars, by the published price; None where there is no price."""
    return options.rate() * duration_ms / 3_600_000 if is_priced(options, gateway) else None


def price(options: Options, gateway: Gateway, duration_ms: int) -> str:
    """The same in words; empty where it costs nothing."""
    dollars = cost(options, gateway, duration_ms)
    return "" if dollars is None else wording.dollars(dollars)


def _shown(feature: Feature, options: Options) -> dict[str, Any]:
    value = options.more.get(feature.name)
    if feature.kind == "flag":
        value = feature.on if value is None else value
    elif feature.kind == "list":
        value = "\n".join(value or [])
    elif feature.kind == "names":
        value = "\n".join(value or []).replace("_", " ")
    elif feature.kind == "time" and value:
        value = wording.clock(value) + (f".{value % 1000:03}".rstrip("0") if value % 1000 else "")
    elif feature.kind == "spelling":
        value = "\n".join(f"{row['from'][0]} = {row['to']}" for row in value or [])
    is_idle = bool(feature.needs) and not options.more.get(feature.needs)
    return {"feature": feature, "value": "" if value is None else value, "is_idle": is_idle}


def read_form(form: QueryDict) -> Options:
    """The form as a page posts it: a box that is not ticked is not in it."""
    asked: Mapping[str, Any] = {name: form.get(name, "") for name in ("language", "provider", "model", "speakers")}
    provider = Options.read(asked).provider
    shown = form.get("features_of") == provider
    more: dict[str, Any] = {}
    for feature in FEATURES[provider] if shown else ():
        more[feature.name] = feature.name in form if feature.kind == "flag" else form.get(feature.name, "")
    return Options.read({**asked, "more": more})
