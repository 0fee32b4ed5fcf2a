"""401, 403, 400, 402 and 429 at the handshake, in that order, as real HTTP statuses with each API's own error body."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.running import RunningServer
from tests.server.raw import Raw

pytestmark = pytest.mark.process

SOCKET = "/serve/ws/v2/audio-stream"
SCRIBE = "/v1/speech-to-text/realtime"
V3 = "/v3/ws"


@pytest.fixture(scope="module")
def key(either_gateway: RunningServer) -> str:
    return either_gateway.manage("createkey", "--name", "handshakes")


@pytest.fixture(scope="module")
def barred_key(either_gateway: RunningServer) -> str:
    """Of an account that may not stream."""
    secret = either_gateway.key("other")
    either_gateway.ask(
        "from memweb.gateway.models import Account\n"
        "Account.objects.filter(user__username='other').update(streams_allowed=False)"
    )
    return secret


def answer(server: RunningServer, path: str, *headers: str) -> tuple[int, str, bytes]:
    """Status, head and body of a handshake's answer; no body after 101."""
    with Raw(server.port) as raw:
        head = raw.open(path, *headers)
        status = int(head.split(" ", 2)[1])
        return status, head.lower(), b"" if status == 101 else raw.rest()


def test_createkey_prints_the_key_alone(key: str) -> None:
    assert key.startswith("sk-mem-")
    assert len(key.split()) == 1


@pytest.mark.parametrize("form", ["?provider=elevenlabs&api_key={0}", "?provider=assemblyai&api_key={0}"])
def test_a_key_in_the_query_opens_the_socket(either_gateway: RunningServer, key: str, form: str) -> None:
    assert answer(either_gateway, SOCKET + form.format(key))[0] == 101


@pytest.mark.parametrize("form", ["{0}", "Bearer {0}", "bearer  {0}"])
@pytest.mark.parametrize("path", [f"{SOCKET}?provider=elevenlabs", V3])
def test_a_key_in_the_header_opens_the_socket(either_gateway: RunningServer, key: str, path: str, form: str) -> None:
    assert answer(either_gateway, path, f"Authorization: {form.format(key)}")[0] == 101


def test_the_key_of_the_first_provider_has_a_header_of_its_own(either_gateway: RunningServer, key: str) -> None:
    assert answer(either_gateway, SCRIBE, f"xi-api-key: {key}")[0] == 101
    assert answer(either_gateway, SCRIBE, f"Authorization: {key}")[0] == 401


@pytest.mark.parametrize(
    "query", ["", "?provider=elevenlabs", "?provider=nobody", "?api_key=", "?provider=x&api_key=sk-mem-no"]
)
def test_without_a_good_key_it_is_401_whatever_else_is_wrong(either_gateway: RunningServer, query: str) -> None:
    status, head, body = answer(either_gateway, SOCKET + query)
    assert status == 401
    assert "application/json" in head
    envelope = json.loads(body)
    assert (envelope["code"], envelope["msg"], envelope["data"]) == (401, "Unauthorized", None)


def test_native_refusals_have_the_providers_shapes(either_gateway: RunningServer) -> None:
    assert "detail" in json.loads(answer(either_gateway, SCRIBE)[2])
    assert json.loads(answer(either_gateway, V3)[2]) == {"error": "Unauthorized"}


@pytest.mark.parametrize("query", ["?provider=elevenlabs", "?provider=nobody", ""])
def test_an_account_that_may_not_stream_is_403_before_the_provider_counts(
    either_gateway: RunningServer, barred_key: str, query: str
) -> None:
    assert answer(either_gateway, SOCKET + query, f"Authorization: {barred_key}")[0] == 403


@pytest.mark.parametrize("query", ["", "?provider=", "?provider=deepgram", "?provider=ElevenLabs"])
def test_a_missing_or_unknown_provider_is_400(either_gateway: RunningServer, key: str, query: str) -> None:
    status, _, body = answer(either_gateway, SOCKET + query, f"Authorization: {key}")
    assert status == 400
    assert "provider" in json.loads(body)["msg"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{SOCKET}?provider=elevenlabs&audio_format=mp3", "audio_format"),
        (f"{SOCKET}?provider=assemblyai&encoding=opus", "encoding"),
        (f"{V3}?sample_rate=quick", "sample_rate"),
        (f"{V3}?" + "&".join(f"x{n}=1" for n in range(400)), "parameters"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_400_and_named(
    either_gateway: RunningServer, key: str, path: str, name: str
) -> None:
    status, _, body = answer(either_gateway, path, f"Authorization: {key}")
    assert status == 400
    assert name in body.decode()


@pytest.fixture(scope="module")
def poor_key(either_gateway: RunningServer) -> Iterator[str]:
    """Of an account that cannot pay for one unit; gone afterwards, the server being everybody's."""
    yield either_gateway.ask(
        "from decimal import Decimal\n"
        "from memweb.gateway import keys, ledger\n"
        "poor = User.objects.create_user('poor')\n"
        "ledger.set_balance(account_id=keys.account_of(user=poor).pk, balance=Decimal('0.0001'))\n"
        "print(keys.create_key(user=poor, name='tests')[1])"
    )
    either_gateway.ask("User.objects.get(username='poor').delete()")


def test_a_balance_that_pays_for_nothing_is_402_in_every_apis_shape(
    either_gateway: RunningServer, poor_key: str
) -> None:
    status, _, body = answer(either_gateway, f"{SOCKET}?provider=assemblyai&api_key={poor_key}")
    assert (status, json.loads(body)["code"]) == (402, 402)
    status, _, body = answer(either_gateway, SCRIBE, f"xi-api-key: {poor_key}")
    assert (status, json.loads(body)["detail"]["status"]) == (402, "quota_exceeded")
    status, _, body = answer(either_gateway, V3, f"Authorization: {poor_key}")
    assert status == 402
    assert "balance" in json.loads(body)["error"]
    status, _, body = answer(either_gateway, f"{SOCKET}?provider=deepgram&api_key={poor_key}")
    assert status == 400, "what was asked comes before what it costs"


def test_one_session_too_many_is_429_and_says_when_to_come_again(tmp_path: Path) -> None:
    limits = {"MEMWEB_MAX_STREAMS": "2", "MEMWEB_MAX_SESSIONS": "3"}
    with RunningServer(tmp_path, env=limits) as server, ExitStack() as open_sockets:
        key, others = server.key(), server.key("other")

        def knock(secret: str) -> tuple[Raw, str]:
            raw = open_sockets.enter_context(Raw(server.port))
            return raw, raw.open(V3, f"Authorization: {secret}").lower()

        (_, first), (second, _), (third, refused) = (knock(key) for _ in range(3))
        assert " 101 " in first
        assert " 429 " in refused
        assert "retry-after: 5" in refused
        assert "This account may have 2" in json.loads(third.rest())["error"]
        assert " 101 " in knock(others)[1]
        assert "This machine has 3" in json.loads(knock(others)[0].rest())["error"]
        second.socket.close()
        deadline = time.monotonic() + 10
        while " 101 " not in knock(key)[1]:
            assert time.monotonic() < deadline, "a place that was left stays taken"
            time.sleep(0.1)


def test_a_plain_request_is_told_to_upgrade(either_gateway: RunningServer) -> None:
    for path in (SOCKET, SCRIBE, V3):
        assert httpx.get(f"{either_gateway.url}{path}?api_key=x").status_code == 426


def test_tokens_come_by_http_and_open_one_socket(either_gateway: RunningServer, key: str) -> None:
    scribe = httpx.post(f"{either_gateway.url}/v1/single-use-token/realtime_scribe", headers={"xi-api-key": key})
    assert scribe.status_code == 200
    token = scribe.json()["token"]
    assert [answer(either_gateway, f"{SCRIBE}?token={token}")[0] for _ in range(2)] == [101, 401]
    v3 = httpx.get(f"{either_gateway.url}/v3/token?expires_in_seconds=60", headers={"Authorization": key})
    assert v3.json()["expires_in_seconds"] == 60
    token = v3.json()["token"]
    assert answer(either_gateway, f"{SCRIBE}?token={token}")[0] == 401, "another API's door"
    minting = httpx.get(f"{either_gateway.url}/v3/token?expires_in_seconds=60", headers={"Authorization": token})
    assert minting.status_code == 401, "a token mints no other"
    assert [answer(either_gateway, f"{V3}?token={token}")[0] for _ in range(2)] == [101, 401]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/single-use-token/realtime_scribe", 405),
        ("POST", "/v3/token", 405),
        ("GET", "/v3/token", 400),
        ("GET", "/v3/token?expires_in_seconds=0", 400),
        ("GET", "/v3/token?expires_in_seconds=601", 400),
        ("GET", "/v3/token?expires_in_seconds=%D9%A1", 400),
        ("GET", "/v3/token?expires_in_seconds=60&max_session_duration_seconds=5", 400),
    ],
)
def test_bad_token_requests_are_told_why(
    either_gateway: RunningServer, key: str, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": key, "xi-api-key": key}
    response = httpx.request(method, f"{either_gateway.url}{path}", headers=headers)
    assert response.status_code == status
    assert response.json()


def test_tokens_need_a_key(either_gateway: RunningServer) -> None:
    assert httpx.post(f"{either_gateway.url}/v1/single-use-token/realtime_scribe").status_code == 401
    assert httpx.get(f"{either_gateway.url}/v3/token?expires_in_seconds=60").status_code == 401


def test_after_twenty_wrong_keys_the_address_waits_and_a_right_key_still_opens(server: RunningServer) -> None:
    key = server.key()
    path = f"{SOCKET}?provider=elevenlabs&api_key="
    forwarded = "X-Forwarded-For: 192.0.2.{0}"
    statuses = [answer(server, f"{path}sk-mem-wrong{n}", forwarded.format(n))[0] for n in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    status, head, _ = answer(server, f"{path}sk-mem-again")
    assert status == 429
    assert "retry-after: " in head
    assert answer(server, path + key)[0] == 101
