"""Bound to a provider, the gateway passes every message on as it came, both ways, and charges what it passed on.

The provider is a stand-in that speaks both protocols and records every byte; gateway and server are real processes.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from memweb.speech import meter
from tests.running import RunningServer
from tests.upstream_simulator import Connected, StandIn

pytestmark = pytest.mark.process

DOORS = {
    "gateway elevenlabs": ("/serve/ws/v2/audio-stream?provider=elevenlabs", "authorization"),
    "gateway assemblyai": ("/serve/ws/v2/audio-stream?provider=assemblyai", "authorization"),
    "elevenlabs": ("/v1/speech-to-text/realtime?", "xi-api-key"),
    "assemblyai": ("/v3/ws?", "authorization"),
}
SECOND = bytes(range(256)) * 125
PIECES = (SECOND, b"", b"\x00", "", "{}", "naïve ☂ 𝄞", '{"a": 1}  ', bytes(70_000), "x" * 66_000)


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def relaying(
    request: pytest.FixtureRequest, provider: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("relaying")
    with RunningServer(folder, server=request.param, env=provider.environment) as running:
        yield running


@pytest.fixture(scope="module")
def key(relaying: RunningServer) -> str:
    return relaying.key()


def dial(
    server: RunningServer, key: str, door: str = "assemblyai", query: str = "", **options: Any
) -> ClientConnection:
    path, header = DOORS[door]
    return connect(
        f"{server.ws_url}{path}{query}", additional_headers={header: key}, compression=None, max_size=2**24, **options
    )


def eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def closing(socket: ClientConnection) -> tuple[int | None, str]:
    """How the other side closes, after whatever it still says."""
    try:
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed:
        pass
    return socket.close_code, socket.close_reason or ""


@pytest.mark.parametrize("door", DOORS)
def test_every_message_goes_both_ways_as_it_came(
    relaying: RunningServer, provider: StandIn, key: str, door: str
) -> None:
    with dial(relaying, key, door, "&x_echo=1") as socket:
        assert "stand-in" in str(socket.recv(timeout=10))
        for piece in PIECES:
            socket.send(piece)
        assert [socket.recv(timeout=10) for _ in PIECES] == list(PIECES)
        socket.send(["in ", "three ", "parts"])
        assert socket.recv(timeout=10) == "in three parts"
    assert provider.connections[-1].heard == [*PIECES, "in three parts"]


@pytest.mark.parametrize("door", DOORS)
def test_unknown_parameters_go_on_letter_for_letter_and_secrets_do_not(
    relaying: RunningServer, provider: StandIn, key: str, door: str
) -> None:
    query = f"&api_key={key}&zeta=%C3%BC&b=1&b=2&empty=&Case=A+b%20c&%70rovider=x&list=%5B%22a%22%5D"
    with dial(relaying, key, door, query):
        pass
    asked = provider.connections[-1]
    path = {"elevenlabs": "/v1/speech-to-text/realtime", "assemblyai": "/v3/ws"}[door.split()[-1]]
    assert asked.path == f"{path}?zeta=%C3%BC&b=1&b=2&empty=&Case=A+b%20c&list=%5B%22a%22%5D"
    assert key not in str(asked.headers)
    header, operators = {
        "elevenlabs": ("xi-api-key", "operators-eleven"),
        "assemblyai": ("authorization", "operators-assembly"),
    }[door.split()[-1]]
    assert asked.headers[header] == operators
    assert "sec-websocket-extensions" not in asked.headers, "nothing is compressed"


def test_a_token_opens_and_stays_here(relaying: RunningServer, provider: StandIn, key: str) -> None:
    token = httpx.get(f"{relaying.url}/v3/token?expires_in_seconds=60", headers={"authorization": key}).json()["token"]
    with connect(f"{relaying.ws_url}/v3/ws?token={token}&x_echo=1", compression=None) as socket:
        assert "Begin" in str(socket.recv(timeout=10))
    assert provider.connections[-1].path == "/v3/ws?x_echo=1"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1008, "No"), (3005, "Session Cancelled"), (4031, "idle ü")])
def test_close_codes_and_reasons_come_down(relaying: RunningServer, key: str, code: int, reason: str) -> None:
    query = f"&x_close={code}-{reason.replace('ü', '%C3%BC').replace(' ', '+')}"
    with dial(relaying, key, "assemblyai", query) as socket:
        socket.send(b"1")
        assert closing(socket) == (code, reason.replace("ü", "%C3%BC"))


@pytest.mark.parametrize(("code", "reason"), [(1000, "User ended conversation"), (1001, ""), (4000, "mine ü")])
def test_close_codes_and_reasons_go_up(
    relaying: RunningServer, provider: StandIn, key: str, code: int, reason: str
) -> None:
    with dial(relaying, key) as socket:
        socket.recv(timeout=10)
        socket.close(code, reason)
    record = provider.connections[-1]
    assert record.over.wait(10)
    assert record.closed == (code, reason)


def test_a_provider_that_is_cut_off_is_told_as_lost(relaying: RunningServer, key: str) -> None:
    with dial(relaying, key, "assemblyai", "&x_drop=1") as socket:
        socket.send(b"1")
        assert closing(socket)[0] in (1006, 1014)


def test_the_end_of_a_session_is_the_providers_own(relaying: RunningServer, key: str) -> None:
    with dial(relaying, key) as socket:
        socket.recv(timeout=10)
        socket.send('{"type":"Terminate"}')
        assert socket.recv(timeout=10) == '{"type":"Termination"}'
        assert closing(socket)[0] == 1000


def test_a_rate_that_is_told_twice_is_refused_before_the_provider_is_asked(
    relaying: RunningServer, key: str, provider: StandIn
) -> None:
    before = len(provider.connections)
    with pytest.raises(InvalidStatus) as refused:
        dial(relaying, key, "assemblyai", "&sample_rate=48000&sample_rate=8000")
    assert refused.value.response.status_code == 400
    assert b"sample_rate is given more than once." in (refused.value.response.body or b"")
    assert len(provider.connections) == before


@pytest.mark.parametrize(("theirs", "ours"), [(400, 400), (401, 502), (403, 502), (404, 400), (429, 429), (503, 502)])
def test_a_refusal_of_the_providers_has_a_status_for_the_client(
    relaying: RunningServer, key: str, theirs: int, ours: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(relaying, key, "assemblyai", f"&x_refuse={theirs}")
    assert refused.value.response.status_code == ours
    assert json.loads(refused.value.response.body or b"")["error"]
    assert ("retry-after" in refused.value.response.headers) is (ours == 429)


def flood_memory(server: RunningServer) -> int:
    process = psutil.Process(server.pid)
    return int(process.memory_info().rss)


def test_a_client_that_does_not_read_holds_the_provider_back(relaying: RunningServer, key: str) -> None:
    with dial(relaying, key, "assemblyai", "&x_flood=60000", max_queue=1) as socket:
        socket.recv(timeout=10)
        before = flood_memory(relaying)
        time.sleep(1.5)
        assert flood_memory(relaying) - before < 16 * 2**20, "of 60 MB"
        socket.socket.close()


def test_a_provider_that_does_not_read_holds_the_client_back(relaying: RunningServer, key: str) -> None:
    with dial(relaying, key, "assemblyai", "&x_deaf=1") as socket:
        socket.recv(timeout=10)
        socket.socket.settimeout(2)
        before, sent = flood_memory(relaying), 0
        with suppress(TimeoutError, ConnectionClosed, OSError):
            for _ in range(400):
                socket.send(bytes(200_000))
                sent += 200_000
        assert sent < 40_000_000, "of 80 MB"
        assert flood_memory(relaying) - before < 16 * 2**20
        socket.socket.close()


# --- money


def billed(server: RunningServer, user: str = "owner") -> tuple[int, Decimal]:
    """Seconds and dollars in the books for this person's live sessions."""
    told = server.ask(
        "from memweb.gateway.models import LedgerEntry\n"
        f"rows = LedgerEntry.objects.filter(account__user__username={user!r}, kind='live')\n"
        "print(sum(r.audio_ms for r in rows) // 1000, sum(r.amount for r in rows))"
    ).split()
    return int(told[0]), Decimal(told[1])


def give(server: RunningServer, user: str, balance: Decimal) -> None:
    server.ask(
        "from decimal import Decimal\n"
        "from memweb.gateway import keys, ledger\n"
        f"account = keys.account_of(user=User.objects.get_or_create(username={user!r})[0])\n"
        f"ledger.set_balance(account_id=account.pk, balance=Decimal('{balance}'))"
    )


def chunk(pcm: bytes) -> str:
    audio = base64.b64encode(pcm).decode()
    return json.dumps({"message_type": "input_audio_chunk", "audio_base_64": audio, "commit": False})


@pytest.mark.parametrize("name", ["elevenlabs", "assemblyai"])
def test_what_is_charged_is_the_audio_the_provider_got(relaying: RunningServer, provider: StandIn, name: str) -> None:
    user = f"paying-{name}"
    give(relaying, user, Decimal(1))
    with dial(relaying, relaying.key(user), name) as socket:
        for _ in range(117):
            socket.send(SECOND[:3200] if name == "assemblyai" else chunk(SECOND[:3200]))
        record = provider.connections[-1]
        eventually(lambda: len(record.heard) == 117)
    seconds = record.audio_bytes / 32000
    assert seconds == pytest.approx(11.7)
    eventually(lambda: billed(relaying, user) == (15, meter.cost(3, meter.RATES[name])))


@pytest.mark.parametrize(("name", "code"), [("elevenlabs", 1000), ("assemblyai", 4002)])
def test_an_empty_balance_stops_before_the_first_frame_it_does_not_pay_for(
    relaying: RunningServer, provider: StandIn, name: str, code: int
) -> None:
    user = f"ending-{name}"
    give(relaying, user, meter.cost(2, meter.RATES[name]))
    with dial(relaying, relaying.key(user), name) as socket:
        socket.recv(timeout=10)
        record = provider.connections[-1]
        with suppress(ConnectionClosed):
            for _ in range(300):
                socket.send(SECOND[:3200] if name == "assemblyai" else chunk(SECOND[:3200]))
                time.sleep(0.002)
        assert closing(socket)[0] == code
    assert record.over.wait(10)
    assert record.audio_bytes == 10 * 32000
    eventually(lambda: billed(relaying, user) == (10, meter.cost(2, meter.RATES[name])))


def test_the_error_of_an_empty_balance_has_the_providers_shape(relaying: RunningServer) -> None:
    give(relaying, "shape", meter.cost(1, meter.RATES["elevenlabs"]))
    key = relaying.key("shape")
    for name, expected in (
        ("assemblyai", {"type": "Error", "error_code": 4002}),
        ("elevenlabs", {"message_type": "quota_exceeded"}),
    ):
        give(relaying, "shape", meter.cost(1, meter.RATES[name]))
        with dial(relaying, key, name) as socket:
            socket.recv(timeout=10)
            socket.send(bytes(200_000) if name == "assemblyai" else chunk(bytes(170_000)))
            error = json.loads(socket.recv(timeout=10))
        assert expected.items() <= error.items()
        assert "balance" in error["error"].lower()


def test_the_books_survive_kills_and_never_charge_for_what_was_not_sent(provider: StandIn, tmp_path: Any) -> None:
    """External sessions: a kill loses at most the unit that was begun in the second before it."""
    with RunningServer(tmp_path, env=provider.environment) as server:
        key = server.key()
        owed: list[Connected] = []
        for strike in range(3):
            with dial(server, key) as socket:
                record = provider.connections[-1]
                owed.append(record)
                for _ in range(60 + 37 * strike):
                    socket.send(SECOND[:3200])
                eventually(lambda record=record, strike=strike: len(record.heard) == 60 + 37 * strike)  # type: ignore[misc]
                time.sleep(1.2 if strike == 1 else 0.2)
                server.kill()
            server.start()
        units = sum(meter.units_of(record.audio_bytes // 32) for record in owed)
        charged = billed(server)[0] // 5
        assert units - len(owed) <= charged <= units
