"""The gateway of somebody who does not own this machine is reached at public addresses only, whatever its name says.

The canary is a real server on this machine: who comes to it was not guarded. The twins take the guard away and come.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.test import Client as Browser

from memweb.accounts import services
from memweb.accounts.gateways import gateway_in_use
from memweb.accounts.models import User
from memweb.dictation import reading
from memweb.upstream import errors, live
from memweb.upstream.address import Gateway, gateway_for
from memweb.upstream.http import Client
from memweb.upstream.trial import try_gateway
from tests.canary import PRIVATE, Canary, Liar
from tests.gateway_stand_in import Fault, StandIn
from transcripts.hearing import transcription
from transcripts.models import Record

HTMX = {"HX-Request": "true"}
MULTICAST = ["224.0.0.1", "[ff02::1]", "[ff0e::1]"]


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary("127.0.0.2")
    yield made
    made.close()


@pytest.fixture
def listed(settings: Any) -> None:
    """The operator lets people reach the address that the liar names first."""
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_superuser("alice")


@pytest.fixture
def guest(db: None) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def as_guest(guest: User) -> Browser:
    browser = Browser()
    browser.force_login(guest, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def by_trial(gateway: Gateway) -> None:
    trial = try_gateway(gateway)
    assert not trial.works
    assert "status" not in trial.sentence
    raise errors.Refused(trial.sentence)


def by_http(gateway: Gateway) -> None:
    with Client(gateway) as client:
        client.metadata("re_1")


async def by_socket(gateway: Gateway) -> None:
    await live.connect(gateway, [("provider", "x")])


async def used(use: Callable[[Gateway], Any], gateway: Gateway) -> None:
    if (waiting := use(gateway)) is not None:
        await waiting


@pytest.mark.parametrize("host", [*PRIVATE, *MULTICAST])
async def test_no_way_leads_inside(canary: Canary, host: str) -> None:
    gateway = gateway_for(user_id=1, url=f"http://{host}:{canary.port}", key="k")
    with pytest.raises(errors.UpstreamError) as refused:
        by_http(gateway)
    assert refused.value.sentence.endswith(".")
    with pytest.raises(errors.UpstreamError):
        await by_socket(gateway)
    with pytest.raises(errors.UpstreamError):
        by_trial(gateway)
    assert canary.hits == 0


@pytest.mark.parametrize("host", [*PRIVATE, *MULTICAST])
@pytest.mark.parametrize("path", ["/settings/gateway/", "/settings/gateway/trial/"])
def test_none_is_chosen_or_tried(as_guest: Browser, guest: User, canary: Canary, path: str, host: str) -> None:
    typed = {"where": "other", "url": f"http://{host}:{canary.port}", "key": "k"}
    answer = as_guest.post(path, typed, headers=HTMX).content.decode()
    assert any(told in answer for told in ("Only the owner", "Write the address as", "has no address"))
    assert services.gateway_of(guest) == services.ChosenGateway()
    assert canary.hits == 0


def test_a_port_of_something_else_is_not_knocked_at(as_guest: Browser) -> None:
    typed = {"where": "other", "url": "http://93.184.216.34:22", "key": "k"}
    assert b"Port 22 is kept for services" in as_guest.post("/settings/gateway/trial/", typed, headers=HTMX).content


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("use", [by_http, by_trial, by_socket])
async def test_a_name_that_changes_its_mind_gains_nothing(
    monkeypatch: pytest.MonkeyPatch, canary: Canary, use: Callable[[Gateway], Any]
) -> None:
    """It is asked once, and what it answered then is where the connection goes; asked again, it is looked at again."""
    liar = Liar(monkeypatch)
    gateway = gateway_for(user_id=1, url=f"http://rebind.example:{canary.port}", key="k")
    for _ in range(2):
        with pytest.raises(errors.UpstreamError):
            await used(use, gateway)
    assert liar.asked == 2
    assert canary.hits == 0


@pytest.mark.usefixtures("listed")
def test_what_was_public_when_it_was_saved_may_not_turn_inside(
    monkeypatch: pytest.MonkeyPatch, as_guest: Browser, guest: User, canary: Canary
) -> None:
    liar = Liar(monkeypatch)
    url = f"http://rebind.example:{canary.port}"
    assert b"Saved" in as_guest.post("/settings/gateway/", {"where": "other", "url": url}, headers=HTMX).content
    liar.asked = 0
    tried = as_guest.post("/settings/gateway/trial/", {"where": "other", "url": url}, headers=HTMX).content.decode()
    assert "private network" in tried
    with pytest.raises(errors.Refused, match="private network"):
        by_http(gateway_in_use(guest))
    assert canary.hits == 0


@pytest.mark.usefixtures("listed")
def test_a_storage_inside_gets_no_sound(canary: Canary) -> None:
    """A gateway says itself where a file goes."""
    with StandIn() as outside:
        told = {"asset_id": "re_1", "signed_url": f"http://127.0.0.2:{canary.port}/storage"}
        outside.faults.append(Fault("/signed-url", 200, body=json.dumps({"code": 200, "data": told}).encode()))
        with Client(gateway_for(user_id=1, url=outside.url, key=outside.key)) as client:
            with pytest.raises(errors.Refused, match="private network"):
                client.upload_by_address(io.BytesIO(b"sound"), "a.wav")
            client.delete(client.upload(io.BytesIO(b"sound"), "a.wav"))  # what was listed is reached
    assert canary.hits == 0


class Door(Canary):
    """Sends whoever comes to another place."""

    to = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", self.to)
        request.end_headers()


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_redirect_is_not_followed_inside(canary: Canary, scheme: str) -> None:
    door = Door("127.0.0.1")
    door.to = f"{scheme}://127.0.0.2:{canary.port}/"
    try:
        assert not try_gateway(gateway_for(user_id=1, url=f"http://127.0.0.1:{door.port}", key="k")).works
    finally:
        door.close()
    assert (door.hits, canary.hits) == (1, 0)


@pytest.mark.parametrize(("use", "says"), [(by_http, "has no address."), (by_socket, "words follow later.")])
async def test_a_name_without_an_address_is_tried_again(use: Callable[[Gateway], Any], says: str) -> None:
    with pytest.raises(errors.Unreachable) as told:
        await used(use, gateway_for(user_id=1, url="http://no-such-host.invalid", key="k"))
    assert told.value.retry
    assert told.value.sentence.endswith(says)


def test_every_room_knows_whose_gateway_it_is(owner: User, guest: User) -> None:
    for user, guarded in ((owner, False), (guest, True)):
        services.choose_gateway(user=user, chosen=services.ChosenGateway("https://own.example", "mine"))
        record = Record(owner=user)
        found = [gateway_in_use(user), reading.gateway_of_user(user.pk), transcription.gateway_of(record)]
        assert [gateway.guarded for gateway in found] == [guarded] * 3
        services.choose_gateway(user=user, chosen=services.ChosenGateway())
        assert not gateway_in_use(user).guarded


@pytest.mark.parametrize("use", [by_http, by_trial, by_socket])
async def test_the_owners_own_may_be_inside(canary: Canary, use: Callable[[Gateway], Any]) -> None:
    """And so the twin: without the guard, each of these ways reaches the canary."""
    gateway = gateway_for(user_id=1, url=f"http://127.0.0.2:{canary.port}", key="k", guarded=False)
    with pytest.raises((errors.UpstreamError, AssertionError)):
        await used(use, gateway)
    assert canary.hits == 1
