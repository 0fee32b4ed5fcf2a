"""Which gateway is used, and how its address becomes the one of its live socket."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import signing

from memweb.upstream.address import INTERNAL_KEY_PREFIX, Gateway, gateway_for


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://g.example", "wss://g.example/serve/ws/v2/audio-stream?provider=x"),
        ("https://g.example/serve/api/v2", "wss://g.example/serve/ws/v2/audio-stream?provider=x"),
        ("http://127.0.0.1:9/prefix/", "ws://127.0.0.1:9/prefix/serve/ws/v2/audio-stream?provider=x"),
        ("wss://g.example:444", "wss://g.example:444/serve/ws/v2/audio-stream?provider=x"),
    ],
)
def test_the_live_address_is_made_from_the_base(base: str, expected: str) -> None:
    assert Gateway(base, "k").live_url([("provider", "x")]) == expected


def test_a_key_is_never_shown() -> None:
    gateway = Gateway("https://g.example", "sk-secret")
    assert "sk-secret" not in repr(gateway)
    assert "sk-secret" not in gateway.live_url([("provider", "x")])


def test_a_persons_own_gateway_comes_first_then_the_operators_then_the_one_built_in(settings: Any) -> None:
    settings.GATEWAY_URL, settings.GATEWAY_KEY = "https://operators.example", "ok"
    own = gateway_for(user_id=5, url="https://own.example/", key="mine")
    assert (own.url, own.key, own.built_in, own.name) == ("https://own.example", "mine", False, "own.example")
    assert gateway_for(user_id=5).url == "https://operators.example"
    settings.GATEWAY_URL = ""
    built_in = gateway_for(user_id=5)
    assert built_in.built_in
    assert built_in.name == built_in.address == ""
    assert built_in.pace > own.pace


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("192.0.2.7", "192.0.2.7"), ("fe80::1", "[fe80::1]")],
)
def test_the_built_in_gateway_is_this_very_server(settings: Any, host: str, expected: str) -> None:
    settings.GATEWAY_URL, settings.HOST, settings.PORT = "", host, 8123
    assert gateway_for(user_id=5).live_url([]) == f"ws://{expected}:8123/serve/ws/v2/audio-stream"


def test_the_internal_key_names_its_person_and_cannot_be_made_up(settings: Any) -> None:
    settings.GATEWAY_URL = ""
    key = gateway_for(user_id=5).key
    assert key.startswith(INTERNAL_KEY_PREFIX)
    token = key.removeprefix(INTERNAL_KEY_PREFIX)
    assert signing.loads(token, salt=settings.GATEWAY_SIGNING_SALT, max_age=60) == {"u": 5}
    with pytest.raises(signing.BadSignature):
        signing.loads(token[:-1] + ("A" if token[-1] != "A" else "B"), salt=settings.GATEWAY_SIGNING_SALT)


def test_who_gets_the_sound_is_told_by_host(settings: Any) -> None:
    settings.GATEWAY_URL = ""
    here = gateway_for(user_id=5)
    assert (here.hosts, here.host_of("assemblyai"), here.host_of("elevenlabs")) == ([], "", "")
    settings.ELEVENLABS_API_KEY = "operators"
    settings.ELEVENLABS_URL, settings.ELEVENLABS_WS_URL = "https://files.example", "wss://live.example"
    assert here.hosts == ["live.example", "files.example"]
    assert (here.host_of("assemblyai"), here.host_of("elevenlabs")) == ("", "live.example")
    settings.GATEWAY_URL = "https://operators.example"
    assert gateway_for(user_id=5).hosts == ["operators.example"]
    assert gateway_for(user_id=5).host_of("assemblyai") == "operators.example"
