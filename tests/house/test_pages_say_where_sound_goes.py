"""No page promises that sound stays on this machine where it may leave it; where it may, the page names the host."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from memweb.accounts import services
from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import streams
from transcripts.models import Record

pytestmark = pytest.mark.django_db
PROMISES = {
    "/welcome/": "Nothing leaves this machine unless",
    "/transcripts/": "Nothing leaves this machine unless",
    "/settings/": "Nothing leaves the machine",
    "/streams/": "This machine pulls it and listens.",
}
HERE = "This machine, the AssemblyAI way"


@pytest.fixture
def alice() -> User:
    return making.person("alice")


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    return made


@pytest.mark.parametrize("path", PROMISES)
def test_on_a_fresh_memweb_sound_stays_here(client: Client, path: str) -> None:
    assert PROMISES[path] in client.get(path).content.decode()


@pytest.mark.parametrize("path", PROMISES)
def test_a_provider_with_a_key_is_named(client: Client, settings: Settings, path: str) -> None:
    settings.ASSEMBLYAI_API_KEY = "operators"
    page = client.get(path).content.decode()
    assert PROMISES[path] not in page
    assert "may be sent" in page
    assert "streaming.assemblyai.com, api.assemblyai.com" in page


@pytest.mark.parametrize("path", PROMISES)
def test_the_operators_gateway_is_named(client: Client, settings: Settings, path: str) -> None:
    settings.GATEWAY_URL = "https://speech.example"
    page = client.get(path).content.decode()
    assert PROMISES[path] not in page
    assert "speech.example" in page


@pytest.mark.parametrize("path", ["/welcome/", "/transcripts/", "/streams/"])
def test_a_persons_own_gateway_is_named(client: Client, alice: User, path: str) -> None:
    services.choose_gateway(user=alice, chosen=services.ChosenGateway("https://own.example", "mine"))
    page = client.get(path).content.decode()
    assert PROMISES[path] not in page
    assert "own.example" in page


@pytest.mark.parametrize("path", ["/", "/streams/"])
def test_a_providers_name_is_called_a_way_of_speaking_where_this_machine_listens(
    client: Client, settings: Settings, path: str
) -> None:
    before = _chosen_or_not(client, path)
    if path == "/streams/":  # there is no choice to make
        assert '<input type="hidden" name="provider" value="assemblyai">' in before
        assert "Who listens" not in before
    else:
        assert f'<option value="assemblyai">{HERE}</option>' in before
    settings.ELEVENLABS_API_KEY = "operators"
    page = _chosen_or_not(client, path)
    assert '<option value="assemblyai">This machine</option>' in page
    assert '<option value="elevenlabs">ElevenLabs</option>' in page


def test_a_stream_on_the_air_says_who_listens(client: Client, alice: User) -> None:
    for gateway in ("", "https://own.example"):
        options = {"address": "rtsp://x.example/"}
        streams.begin(
            owner_id=alice.pk, title="", provider="assemblyai", language="", gateway=gateway, task_id=uuid.uuid4().hex,
            options=options,
        )  # fmt: skip
    assert Record.objects.count() == 2
    air = client.get("/streams/air/").content.decode()
    assert air.count("<span>This machine</span>") == air.count("<span>AssemblyAI</span>") == 1


def _chosen_or_not(client: Client, path: str) -> str:
    return client.get(path).content.decode().replace(" selected>", ">")
