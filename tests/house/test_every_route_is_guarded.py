"""Every route and verb, HTTP and WebSocket, met by the owner, another user, a stranger, a key, another account's key
and a revoked key.

A route without an entry in `guarded` fails the first test, and a verb without one the second: nothing goes in unguarded
by being forgotten.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.house.guarded import BARE, DOORS, HTTP, SOCKETS, Door, Socket
from tests.running import RunningServer

pytestmark = pytest.mark.process
SAFE = ("GET", "HEAD")
VISITORS = ("revoked", "other_key", "key", "anonymous", "other", "owner")

PREPARE = """
import json
from memweb.gateway import keys, webhooks
from memweb.gateway.models import WebhookEndpoint
from memweb.gateway.signature import new_secret
from tests.transcripts import making, posting
from transcripts import jobs, recordings, services, uploads
from transcripts.callbacks import hooks
from transcripts.editor import editing
from transcripts.taken_away import sharing
from transcripts.models import Job, Speaker, Upload
owner = User.objects.get(username="owner")
record = making.dictation(owner, "A private word.", title="Mine", finished=False)
making.spool(record, making.sound(2))
services.finish(record_id=record.pk)
jobs.run(job_id=Job.objects.get(record=record).pk, work=recordings.seal)
binnable = making.dictation(owner, "To be binned.")
binned = making.dictation(owner, "In the bin.")
services.bin_record(record_id=binned.pk)
unfinished = making.dictation(owner, "Still going.", finished=False)
making.spool(unfinished, making.sound(1))
voice = Speaker.objects.create(record=record, label="A")
edit = editing.assign(version=record.current_version, keys=["1-0"], revisions=[0], name="Ann", user_id=owner.pk)
mark = services.add_mark(record_id=record.pk, at_ms=500)
captions = sharing.make(record_id=unfinished.pk, kind="captions")
open_share, share = (sharing.make(record_id=record.pk, with_audio=True) for _ in range(2))
key, secret = keys.create_key(user=owner, name="one")
hook = WebhookEndpoint.objects.create(account=key.account, url="https://hook.example/", secret=new_secret())
delivery = webhooks.send_test(endpoint=hook)
old, revoked = keys.create_key(user=owner, name="two")
keys.revoke_key(key=old)
upload, dismissible, taken, duplicate = (uploads.begin(owner_id=owner.pk, name="a.wav", size=3) for _ in range(4))
Upload.objects.filter(pk=taken.pk).update(record=record, status="taken")
Upload.objects.filter(pk=duplicate.pk).update(duplicate_of=record, status="duplicate")
services.keep_result(record_id=record.pk, dialect="whisper-1", raw=b"{}")
posting.store(owner, b"{}")
callback = owner.callbacks.get()
spare, _ = keys.create_key(user=owner, name="three")
_, others = keys.create_key(user=User.objects.get(username="other"), name="four")
from memweb.gateway import assets
from tests.gateway.media import wav
with assets.Incoming(10**6) as incoming:
    incoming.write(wav(1.0))
    asset = assets.store(account_id=key.account_id, name="a.wav", incoming=incoming)
print(json.dumps({
    "ids": {"asset": asset.asset_id, "record": str(record.pk), "binnable": str(binnable.pk), "binned": str(binned.pk),
            "unfinished": str(unfinished.pk), "upload": str(upload.pk),
            "dismissible": str(dismissible.pk), "taken": str(taken.pk), "duplicate": str(duplicate.pk),
            "owner": owner.pk, "key_id": spare.pk, "delivery": delivery.pk, "hook": hooks.path_of(owner),
            "callback": callback.pk, "share": share.pk, "mark": mark.pk,
            "captions": f"/captions/{sharing.token_of(captions)}/",
            "shared": f"/shared/{sharing.token_of(open_share)}/",
            "speaker": voice.pk, "edit": edit.pk},
    "key": secret, "revoked": revoked, "other_key": others,
}))
"""


class House:
    """A server with something of the owner's in it, and a way for each visitor to come."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        made: dict[str, Any] = json.loads(server.ask(PREPARE).splitlines()[-1])
        self.ids: dict[str, Any] = made["ids"]
        self.keys = {name: made[name] for name in ("key", "revoked", "other_key")}
        self.cookies: dict[str, dict[str, str]] = {}
        self._addresses = count(1)
        self._trust = httpx.create_ssl_context()  # made once: it takes longer than an answer
        self._tokens: dict[str, str] = {}
        self.sign_in()

    def sign_in(self) -> None:
        """New sessions for those who have one."""
        self.cookies = {name: self.server.sign_in(name) for name in ("owner", "other")}

    def headers(self, visitor: str) -> dict[str, str]:
        if visitor not in self.keys:
            return {}
        return {"Authorization": self.keys[visitor], "xi-api-key": self.keys[visitor]}

    def client(self, visitor: str) -> httpx.Client:
        """From an address of its own each time: wrong keys are counted by address, and this is not about that."""
        headers = {**self.headers(visitor), "X-Forwarded-For": f"2001:db8::{next(self._addresses):x}"}
        return httpx.Client(
            base_url=self.server.url, cookies=self.cookies.get(visitor), headers=headers, timeout=30, verify=self._trust
        )

    def token(self, visitor: str) -> str:
        """What this visitor's browser got with its first page of memweb, to send with each deed."""
        if visitor not in self._tokens:
            with self.client(visitor) as client:
                client.get("/settings/", follow_redirects=True)
                self._tokens[visitor] = client.cookies["csrftoken"]
        return self._tokens[visitor]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    behind = {"MEMWEB_BEHIND_PROXY": "true"}
    with RunningServer(tmp_path_factory.mktemp("guarded"), env=behind) as server:
        yield House(server)


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield before + str(pattern.pattern)


def test_every_http_route_has_an_entry() -> None:
    assert set(routes(get_resolver().url_patterns)) == set(HTTP)


@pytest.mark.parametrize("route", HTTP)
def test_every_verb_of_a_route_has_an_entry(house: House, route: str) -> None:
    """Whoever may come in is told, for a verb that nobody knows, which ones there are."""
    doors = [door for of, door in DOORS if of == route]
    first = doors[0]
    visitor = "owner" if first.key is None else "key"
    unknown = replace(first, verb="REPORT")
    with house.client(visitor) as client:
        headers = _credentials(house, client, unknown, visitor)
        answer = client.request(unknown.verb, first.path.format(**house.ids), headers=headers)
    if answer.status_code == 405:
        told = {verb.strip() for verb in answer.headers["Allow"].split(",")} - {"OPTIONS"}
        assert {door.verb for door in doors} == (told - {"HEAD"} if "GET" in told else told)
    else:
        assert [expected(door, visitor) for door in doors] == [answer.status_code], "it says the same to every verb"


def test_every_bare_route_has_an_entry() -> None:
    from memweb import asgi

    assert set(asgi.bare_routes) == set(BARE)


@pytest.mark.parametrize("route", BARE)
def test_a_bare_route_asks_for_its_secret_and_nothing_else(house: House, route: str) -> None:
    door = BARE[route]
    path = door.path.format(**house.ids)
    for visitor in VISITORS:
        with house.client(visitor) as client:
            assert client.request(door.verb, path, content=b"{}").status_code == expected(door, visitor)
            wrong = path[:-9] + "x" * 8 + "/"
            for verb in (door.verb, "GET"):
                assert client.request(verb, wrong, content=b"{}").status_code == 404


def test_every_socket_has_an_entry() -> None:
    from memweb import asgi

    paths = {str(pattern.pattern) for pattern in asgi.websocket_urlpatterns} | set(asgi.websocket_paths)
    assert paths == set(SOCKETS)


def expected(door: Door, visitor: str) -> int:
    status = getattr(door, visitor)
    if status is None and visitor == "other_key":
        status = door.key
    return door.anonymous if status is None else int(status)


@pytest.mark.parametrize(("route", "door"), DOORS, ids=[f"{door.verb} {route}" for route, door in DOORS])
def test_each_visitor_gets_what_is_theirs(house: House, route: str, door: Door) -> None:
    path = door.path.format(**house.ids)
    for visitor in VISITORS:
        with house.client(visitor) as client:
            headers = _credentials(house, client, door, visitor)
            answer = client.request(door.verb, path, data=door.data or None, headers=headers)
        assert answer.status_code == expected(door, visitor), f"{visitor} at {route}"
        if visitor not in ("owner", "other") and answer.status_code == 302:
            assert answer.headers["Location"].startswith("/sign-in/"), f"{visitor} at {route}"
    if door.ends_session:
        house.sign_in()


def _credentials(house: House, client: httpx.Client, door: Door, visitor: str) -> dict[str, str]:
    """What a page of memweb sends with a deed."""
    if door.verb in SAFE:
        return door.headers
    client.cookies["csrftoken"] = house.token(visitor)
    return {**door.headers, "X-CSRFToken": house.token(visitor)}


CHANGING = [(route, door) for route, door in DOORS if door.verb not in SAFE]


@pytest.mark.parametrize(("route", "door"), CHANGING, ids=[f"{door.verb} {route}" for route, door in CHANGING])
def test_no_page_is_changed_without_its_token(house: House, route: str, door: Door) -> None:
    """A deed asked for by another site carries the cookie, but never the token. Keys need none: no site has them."""
    with house.client("owner") as client:
        answer = client.request(door.verb, door.path.format(**house.ids), data=door.data, headers=door.headers)
    assert answer.status_code == (401 if door.owner == 401 else 403)


async def knock(house: House, socket: Socket, visitor: str, *, origin: str | None) -> tuple[int, int | None]:
    """Handshake status, and the close code that follows within a moment (None: the socket stays open)."""
    headers = house.headers(visitor)
    if visitor in house.cookies:
        headers["Cookie"] = f"sessionid={house.cookies[visitor]['sessionid']}"
    url = house.server.ws_url + socket.path.format(**house.ids)
    try:
        async with connect(url, additional_headers=headers, origin=origin, open_timeout=30) as line:  # type: ignore[arg-type]
            try:
                await asyncio.wait_for(_until_it_speaks(line), 10)
            except ConnectionClosed as closed:
                return 101, closed.rcvd.code if closed.rcvd else 1006
            return 101, None
    except InvalidStatus as refused:
        return refused.response.status_code, None


async def _until_it_speaks(line: Any) -> None:
    """The page's socket says where to go on; the gateway's says that it began. An error is followed by a close."""
    while True:
        said = json.loads(await line.recv())
        if said.get("t") != "error":
            return


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("visitor", VISITORS)
async def test_each_visitor_gets_the_socket_that_is_theirs(house: House, path: str, visitor: str) -> None:
    socket = SOCKETS[path]
    theirs = getattr(socket, "key" if visitor == "other_key" else visitor)
    assert await knock(house, socket, visitor, origin=house.server.origin) == theirs


ORIGINS = {
    "another site": "https://evil.example",
    "null": "null",
    "missing": None,
    "a sibling port": "http://localhost:1",
    "a longer name": "http://localhost.evil.example:{port}",
    "a user before the name": "http://evil@localhost:{port}",
    "another scheme": "https://localhost:{port}",
    "nothing": "",
}


@pytest.mark.parametrize("origin", ORIGINS)
async def test_the_page_socket_opens_to_its_own_origin_only(house: House, origin: str) -> None:
    wrong = ORIGINS[origin]
    filled = wrong.format(port=house.server.port) if wrong is not None else None
    socket = SOCKETS["ws/dictation/<uuid:record_id>/"]
    status, _ = await knock(house, socket, "owner", origin=filled)
    assert status == (400 if wrong == "" else 403)


async def test_an_unknown_socket_is_not_found(house: House) -> None:
    nowhere = Socket("/ws/nowhere/", *[(404, None)] * 5)
    assert await knock(house, nowhere, "owner", origin=house.server.origin) == (404, None)


async def test_a_key_opens_the_gateway_from_any_origin(house: House) -> None:
    socket = SOCKETS["/serve/ws/v2/audio-stream"]
    assert await knock(house, socket, "key", origin="https://another.example") == (101, None)
