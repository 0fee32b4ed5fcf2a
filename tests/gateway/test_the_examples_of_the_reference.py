"""Every example of the reference is copied from its page and run; every answer shown is like the real one."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from memweb.gateway.reference import blocks
from tests.gateway import sources, telling
from tests.gateway.conftest import PHRASES, heard
from tests.gateway.reading import PARTS, Blocks, Reader, runs, unheld, unlike
from tests.gateway.receiver import Receiver
from tests.running import RunningServer, free_port
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(600)]
SECONDS = 8
"""Of the talk: four phrases."""
SAID = list(PHRASES[:4])
LONG_SECONDS = 24


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, wheel_speech: dict[str, Path]) -> Path:
    """A folder with a talk in it, as talk.wav and talk.mp3, and a longer one to be pulled as a stream."""
    folder = tmp_path_factory.mktemp("talk")
    for name, seconds in (("talk", SECONDS), ("long", LONG_SECONDS)):
        with wave.open(str(wheel_speech["two_cities"])) as whole, wave.open(str(folder / f"{name}.wav"), "wb") as cut:
            cut.setparams(whole.getparams())
            cut.writeframes(whole.readframes(seconds * whole.getframerate()))
    return sources.encoded(folder / "talk.mp3", folder / "talk.wav", "mp3", "mp3").parent


@pytest.fixture(scope="module")
def shown(server: RunningServer) -> dict[str, str]:
    """Every block of every page by its name, as anybody gets it."""
    found: dict[str, str] = {}
    with httpx.Client(base_url=server.url) as client:
        for part in PARTS:
            page = Blocks(client.get(f"/reference/{part}").raise_for_status().text)
            assert page.nameless == []
            found |= page.found
    return found


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    return server.key()


@pytest.fixture
def reader(request: pytest.FixtureRequest, shown: dict[str, str], talk: Path, key: str) -> Iterator[Reader]:
    """One who must have run what this test says that it runs."""
    if shutil.which("curl") is None:
        sources.missing("curl")
    reading = Reader(shown, talk, key)
    yield reading
    assert reading.ran == {name for mark in request.node.iter_markers("runs") for name in mark.args}


@pytest.fixture
def asset_id(server: RunningServer, key: str, talk: Path) -> str:
    with (talk / "talk.mp3").open("rb") as file:
        answer = httpx.post(f"{server.url}/serve/api/v2/upload", headers={"Authorization": key}, files={"file": file})
    return str(answer.json()["data"]["asset_id"])


def words(*printed: str) -> list[str]:
    return heard(printed)


# --- nothing is shown that is not held ------------------------------------------------------------------


def test_every_block_is_run_by_a_test_or_is_a_known_message(shown: dict[str, str]) -> None:
    frames = {*telling.shown(), *telling.meant()}
    assert len(shown) > 90
    assert unheld(shown, frames) == []
    files = {path.name for folder in ("examples", "answers") for path in (blocks.HOME / folder).iterdir()}
    assert files - shown.keys() == set(), "a file that no page shows is run by nobody"


def test_a_block_that_nobody_runs_would_be_found(shown: dict[str, str]) -> None:
    more = {"new.sh": "curl", "new.json": "{}", "receiver.json": "{}", "assemblyai/New": "{}"}
    assert unheld(shown | more, {*telling.shown(), *telling.meant()}) == sorted(more)
    assert Blocks("<pre><code>{}</code></pre>").nameless == ["{}"]


def test_an_answer_of_another_shape_would_be_found() -> None:
    real = {"code": 200, "data": [{"text": "a", "start": 0.5}, {"text": " ", "start": 1.0}]}
    assert unlike({"code": 401, "data": [{"text": "b", "start": 7}]}, real) == []
    for wrong in (
        {"code": 200},
        {"code": "200", "data": real["data"]},
        {"code": 200, "data": []},
        {"code": 200, "data": [{"text": "a"}]},
        {"code": 200, "data": [{"text": "a", "start": None}]},
        {"code": True, "data": real["data"]},
    ):
        assert unlike(wrong, real), wrong


# --- examples, run ------------------------------------------------------------------------------------------


@runs("first.sh", "first.py", "providers.sh", "providers.py", "wrong_key.sh", "wrong_key.py")
def test_the_first_steps(reader: Reader) -> None:
    assert words(reader.ask("first")["text"]) == SAID
    assert words(reader.run("first.py")) == SAID
    assert reader.ask("providers")["data"][0]["live"] == "this machine"
    assert "elevenlabs is answered by this machine" in reader.run("providers.py")
    assert reader.ask("wrong_key")["code"] == 401
    assert reader.run("wrong_key.py") == "401 Unauthorized\n"


@runs("live_elevenlabs.py", "live_assemblyai.py")
def test_the_live_socket(reader: Reader) -> None:
    assert words(reader.run("live_elevenlabs.py")) == SAID
    assert words(reader.run("live_assemblyai.py")) == SAID


@runs("token_elevenlabs.sh", "token_elevenlabs.py", "token_assemblyai.sh", "token_assemblyai.py")
async def test_a_token_opens_one_session(reader: Reader, server: RunningServer) -> None:
    scribe = "/v1/speech-to-text/realtime"
    tokens = [
        (scribe, reader.ask("token_elevenlabs")["token"]),
        (scribe, reader.run("token_elevenlabs.py").strip()),
        ("/v3/ws", reader.ask("token_assemblyai")["token"]),
        ("/v3/ws", reader.run("token_assemblyai.py").strip()),
    ]
    for path, token in tokens:
        async with connect(f"{server.ws_url}{path}?token={token}") as socket:
            assert json.loads(await socket.recv())


@runs("elevenlabs_file.sh", "elevenlabs_file.py", "elevenlabs_live.py")
def test_elevenlabs_client(reader: Reader) -> None:
    assert words(reader.ask("elevenlabs_file")["text"]) == SAID
    assert words(reader.run("elevenlabs_file.py")) == SAID
    assert words(reader.run("elevenlabs_live.py")) == SAID


@runs("assemblyai_file.py", "assemblyai_live.py", "assemblyai_upload.sh", "assemblyai_create.sh", "assemblyai_poll.sh")
def test_assemblyai_client(reader: Reader) -> None:
    printed = reader.run("assemblyai_file.py")
    assert words(printed) == SAID
    assert printed.startswith("A: ")
    assert words(reader.run("assemblyai_live.py")) == SAID
    upload_url = reader.ask("assemblyai_upload")["upload_url"]
    begun = reader.ask("assemblyai_create", UPLOAD_URL=upload_url)
    until(lambda: json.loads(reader.run("assemblyai_poll.sh", TRANSCRIPT_ID=begun["id"]))["status"] == "completed")
    assert words(reader.ask("assemblyai_poll", TRANSCRIPT_ID=begun["id"])["text"]) == SAID


@runs("openai_file.sh", "openai_file.py")
def test_openai_client(reader: Reader) -> None:
    assert words(reader.ask("openai_file")["text"]) == SAID
    assert words(reader.run("openai_file.py")) == SAID


@runs("upload.sh", "upload.py", "signed_url.sh", "signed_url.py", "signed_put.sh", "metadata.sh", "metadata.py",
      "download.sh", "download.py", "delete.sh", "delete.py")  # fmt: skip
def test_files_are_brought_looked_at_fetched_and_deleted(reader: Reader, talk: Path) -> None:
    brought = [reader.ask("upload")["data"]["asset_id"], reader.run("upload.py").strip()]
    announced = reader.ask("signed_url")["data"]
    assert reader.ask("signed_put", SIGNED_URL=announced["signed_url"])["data"] == {"asset_id": announced["asset_id"]}
    brought += [announced["asset_id"], reader.run("signed_url.py").strip()]
    for asset_id in brought:
        [known] = reader.ask("metadata", ASSET_ID=asset_id)["data"]["resource"]
        assert (known["original_filename"], known["upload_status"]) == ("talk.mp3", "SUCCESS")
    assert reader.run("metadata.py", ASSET_ID=brought[0]) == "talk.mp3 SUCCESS\n"
    for program in ("download.sh", "download.py"):
        reader.run(program, ASSET_ID=brought[0])
        assert (talk / "fetched.mp3").read_bytes() == (talk / "talk.mp3").read_bytes()
        (talk / "fetched.mp3").unlink()
    assert reader.ask("delete", ASSET_ID=brought[0])["data"] is None
    reader.run("delete.py", ASSET_ID=brought[1])
    for asset_id in brought[:2]:
        assert json.loads(reader.run("metadata.sh", ASSET_ID=asset_id))["code"] == 400


@runs("speech_to_text.sh", "speech_to_text.py", "speech_to_text_assemblyai.sh", "speech_to_text_assemblyai.py")
def test_words_as_a_provider_gives_them(reader: Reader, asset_id: str) -> None:
    assert words(reader.ask("speech_to_text", ASSET_ID=asset_id)["data"]["text"]) == SAID
    assert words(reader.run("speech_to_text.py", ASSET_ID=asset_id)) == SAID
    assert words(reader.ask("speech_to_text_assemblyai", ASSET_ID=asset_id)["data"]["text"]) == SAID
    assert words(reader.run("speech_to_text_assemblyai.py", ASSET_ID=asset_id)) == SAID


@runs("whisper.sh", "whisper.py", "speakers.sh", "speakers.py")
def test_whisper_and_speakers(reader: Reader, asset_id: str) -> None:
    items = reader.ask("whisper", ASSET_ID=asset_id)["data"]["items"]
    assert words(*(item["text"] for item in items)) == SAID
    printed = reader.run("whisper.py", ASSET_ID=asset_id)
    assert words(printed) == SAID
    assert "SPEAKER_00" in printed
    assert reader.ask("speakers", ASSET_ID=asset_id)["data"]["items"][0]["speaker"] == "SPEAKER_00"
    assert "SPEAKER_00" in reader.run("speakers.py", ASSET_ID=asset_id)


def told(receiver: Receiver, task_id: str, *, to_the_end: bool = False) -> list[dict[str, Any]]:
    """The callbacks of a task, once there is one; of a stream, once it is over."""

    def posted() -> list[dict[str, Any]]:
        bodies = [json.loads(one.body) for one in list(receiver.got)]
        return [body for body in bodies if body["task_id"] == task_id]

    until(lambda: [one for one in posted() if not to_the_end or one["data"]["status"] != 0], 180)
    return posted()


@runs("whisper_later.sh", "whisper_later.py", "task.sh", "task.py")
def test_a_task_is_begun_asked_after_and_told(reader: Reader, asset_id: str, receiver: Receiver) -> None:
    begun = [
        reader.ask("whisper_later", ASSET_ID=asset_id)["data"]["task_id"],
        reader.run("whisper_later.py", ASSET_ID=asset_id).strip(),
    ]
    for task_id in begun:
        [callback] = told(receiver, task_id)
        rows = callback["data"]["data"]["data"]
        assert words(*(row["text"] for row in rows)) == SAID
        spoken = json.loads(reader.blocks["callbacks/words of a file"])
        for row in spoken["data"]["data"]["data"]:
            row["speaker"] = None  # nobody asked
        assert unlike(spoken, callback) == []
    assert reader.ask("task", TASK_ID=begun[0])["data"]["status"] == "done"
    assert reader.run("task.py", TASK_ID=begun[1]).startswith("done ")


@runs("stream_start.sh", "stream_start.py", "stream_stop.sh", "stream_stop.py")
def test_a_stream_is_pulled_and_stopped(reader: Reader, talk: Path, receiver: Receiver) -> None:
    with sources.web_server(talk, {}, {}) as web:
        heard_out = reader.ask("stream_start", AUDIO_URL=f"{web}/talk.wav")["data"]["task_id"]
        *before, last = told(receiver, heard_out, to_the_end=True)
        assert unlike(json.loads(reader.blocks["streams/status -1"]), last) == []
        assert last == telling.streams()["status -1"] | {"task_id": heard_out}
        messages = [one["data"]["transcript"] for one in before]
        committed = [one["text"] for one in messages if one["message_type"] == "committed_transcript"]
        assert words(*committed) == SAID
        for start, stop in (("sh", "sh"), ("py", "py")):
            started = reader.run(f"stream_start.{start}", AUDIO_URL=f"{web}/long.wav")
            task_id = started.strip() if start == "py" else json.loads(started)["data"]["task_id"]
            told(receiver, task_id)
            stopped = reader.run(f"stream_stop.{stop}", TASK_ID=task_id)
            assert "Audio stream stopped successfully" in stopped
            if stop == "sh":
                assert unlike(json.loads(reader.blocks["stream_stop.json"]), json.loads(stopped)) == []
            *more, last = told(receiver, task_id, to_the_end=True)
            assert last == telling.streams()["status 14"] | {"task_id": task_id}
            before += more
        # A machine that is behind tells of finals alone for a while: any of the three streams will do.
        partial = next(one for one in before if one["data"]["transcript"]["message_type"] == "partial_transcript")
        assert unlike(json.loads(reader.blocks["streams/status 0"]), partial) == []


@runs("webhook_set.sh", "webhook_set.py", "webhook_test.sh", "webhook_test.py", "deliveries.sh", "deliveries.py",
      "receiver.py")  # fmt: skip
def test_a_receiver_is_set_and_takes_only_what_is_signed(reader: Reader, server: RunningServer, talk: Path) -> None:
    reader.key = server.key("other")
    port = free_port()
    hook = f"http://127.0.0.1:{port}/hook"
    other = reader.run("webhook_set.py", HOOK_URL=f"{hook}/first").strip()
    secret = reader.ask("webhook_set", HOOK_URL=hook)["data"]["secret"]
    assert other != secret
    printed = talk / "received.txt"
    with printed.open("w") as out:
        command = reader.written("receiver.py")
        environment = reader.environment(WEBHOOK_SECRET=secret, PORT=str(port))
        child = subprocess.Popen(command, cwd=talk, env=environment, stdout=out, stderr=subprocess.DEVNULL)
    try:
        sources.wait_until_open(port)
        sent = [reader.ask("webhook_test")["data"]["webhook_id"], reader.run("webhook_test.py").strip()]
        until(lambda: len(printed.read_text().splitlines()) == 2)
        forged = httpx.post(hook, json={"task_id": "forged"}, headers={"webhook-id": "1", "memweb-sequence": "1"})
        assert forged.status_code == 401
        lines = [line.split(" ", 2) for line in printed.read_text().splitlines()]
        assert {line[0] for line in lines} == set(sent)
        for _, number, callback in lines:
            assert number == "1"
            assert unlike(json.loads(reader.blocks["callbacks/a test"]), json.loads(callback)) == []
        until(lambda: reader.run("deliveries.py").count("delivered [204]") == 2)
        assert reader.ask("deliveries")["data"][0]["webhook_id"] in sent
    finally:
        child.kill()
        child.wait()


# --- messages, met on a real server ------------------------------------------------------------------------


async def converse(server: RunningServer, key: str, sound: bytes, provider: str, query: str) -> list[dict[str, Any]]:
    """Everything that is said in a session in which every message of a client is sent that the reference shows."""
    url = f"{server.ws_url}/serve/ws/v2/audio-stream?provider={provider}&{query}"
    shown = {name: frame for name, frame in telling.meant().items() if name.startswith(f"{provider}/")}
    async with connect(url, additional_headers={"Authorization": key}) as socket:
        for at in range(0, len(sound), 3200):
            piece = sound[at : at + 3200]
            encoded = json.dumps(
                {"message_type": "input_audio_chunk", "audio_base_64": base64.b64encode(piece).decode()}
            )
            await socket.send(piece if provider == "assemblyai" else encoded)
            await asyncio.sleep(0.1)
        for name, frame in shown.items():
            if not name.endswith("/Terminate"):
                await socket.send(json.dumps(frame))
        await socket.send(json.dumps({"type": "Terminate"}))
        async with asyncio.timeout(60):
            said = [json.loads(message) async for message in socket]
        assert socket.close_code == 1000
    return said


@pytest.mark.parametrize(
    ("provider", "query", "kinds"),
    [
        (
            "elevenlabs",
            "language_code=en&commit_strategy=vad&include_timestamps=true&include_language_detection=true",
            {"session_started", "partial_transcript", "committed_transcript", "committed_transcript_with_timestamps",
             "final_transcript_with_timestamps"},
        ),
        ("assemblyai", "sample_rate=16000", {"Begin", "SpeechStarted", "Turn", "Turn, its end", "Termination"}),
    ],
)  # fmt: skip
async def test_what_a_session_says_is_shown(
    provider: str, query: str, kinds: set[str], server: RunningServer, key: str, two_cities: bytes,
    shown: dict[str, str],
) -> None:  # fmt: skip
    said = await converse(server, key, two_cities[: 32000 * SECONDS], provider, query)
    met = {telling.name_of(frame) for frame in said}
    assert kinds <= met <= {*kinds, "warning", "Warning", "commit_throttled"}
    for frame in said:
        name = telling.name_of(frame)
        known = json.loads(shown[f"{provider}/{'invalid_request' if name == 'commit_throttled' else name}"])
        if frame.get("words") == []:
            known["words"] = []
        assert unlike(known, frame) == []
