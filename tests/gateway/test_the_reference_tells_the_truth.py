"""What the pages of the reference tell is what the gateway goes by: messages, parameters, addresses, operations."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from memweb.gateway.api import api
from memweb.gateway.deeds import ELEVENLABS_OWN, SOURCES, WEBHOOK
from memweb.gateway.native.urls import urlpatterns as native
from memweb.gateway.pages.reference import PARTS
from memweb.gateway.reference import blocks, live, operations, providers
from memweb.gateway.routing import websocket_paths
from memweb.speech.dialects import live_server
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.openai import transcriptions
from tests.gateway import telling
from tests.gateway.reading import Blocks
from tests.running import ROOT

SHOWN = {
    frame.block.name: json.loads(frame.block.text)
    for path in sorted((blocks.HOME / "frames").iterdir())
    for frame in blocks.frames(path.stem)
    if frame.block is not None
}


def page(part: str, **extra: Any) -> str:
    answer = Client().get("/reference/" if part == "start" else f"/reference/{part}/", **extra)
    assert answer.status_code == 200
    return answer.content.decode()


# --- messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SHOWN if name not in telling.meant()])
def test_a_message_of_a_server_is_what_it_says(name: str) -> None:
    assert telling.shown()[name] == SHOWN[name]


@pytest.mark.parametrize("name", telling.meant())
def test_a_message_of_a_client_is_understood(name: str) -> None:
    kind, _, frame = name.partition("/")
    assert telling.understood(kind, SHOWN[name]) == list(telling.MEANT[kind][frame])


def test_every_message_that_is_known_is_shown() -> None:
    assert {*telling.shown(), *telling.meant()} == SHOWN.keys()


# --- tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "parameter"),
    [pytest.param(kind, one, id=f"{kind} {one.name}") for kind, some in live.PARAMETERS.items() for one in some],
)
def test_a_parameter_of_a_session_changes_something(provider: str, parameter: live.Parameter) -> None:
    name, _, value = parameter.beside.partition("=")
    beside = {name: [value]} if name else {}
    without = live_server(provider, beside, "").settings
    assert live_server(provider, beside | {parameter.name: [parameter.example]}, "").settings != without


def test_every_parameter_of_a_session_is_told() -> None:
    """Those that the dialects' own lists of what is honoured begin with."""
    for provider, module in (("elevenlabs", live.elevenlabs), ("assemblyai", live.assemblyai)):
        listed = set(re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*),? +(?:honoured|taken)", module.__doc__ or "", re.M))
        names = {name for some in listed for name in some.split(", ")}
        assert names <= {one.name for one in live.PARAMETERS[provider]}, provider
        assert len(names) > 5


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("ElevenLabs", [*scribe.OWN, *ELEVENLABS_OWN]),
        ("AssemblyAI", [*transcripts.OWN, *transcripts.LABELS, *WEBHOOK, *SOURCES]),
        ("OpenAI", [*transcriptions.OWN, *transcriptions.GRANULARITIES, "file"]),
    ],
)
def test_every_parameter_of_a_file_is_told(provider: str, names: list[str]) -> None:
    assert sorted(providers.HONOURED[provider]) == sorted(names)


def test_every_address_of_the_providers_is_told() -> None:
    told = {line.partition(" /")[2] for some in providers.ADDRESSES.values() for line in some}
    told |= {line.rpartition(", ")[2].partition(" /")[2] for some in providers.ADDRESSES.values() for line in some}
    real = {re.sub(r"<str:(\w+)>", r"{\1}", str(one.pattern)) for one in native}
    sockets = {path.removeprefix("/") for path in websocket_paths if not path.startswith("/serve/")}
    assert told == real | sockets


def test_every_reason_for_an_end_is_told() -> None:
    """Those that the gateway and its engines name, and are not left to the dialects."""
    sources = [*(ROOT / "memweb/gateway").rglob("*.py"), *(ROOT / "memweb/engines").rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'\bFailed\("(\w+)"', path.read_text())}
    assert named == live.WHEN.keys()
    shown = page("live")
    for end in live.ends():
        assert f"<code>{end.elevenlabs}</code></td><td><code>{end.assemblyai}</code>" in shown


# --- operations -------------------------------------------------------------------------------------------------


def test_every_operation_of_the_document_is_on_the_page() -> None:
    document = api.get_openapi_schema()
    real = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    listed = [one for group in operations.operations() for one in group.operations]
    assert sorted(real) == sorted((method, one.path) for one in listed for method in one.methods)
    shown = page("operations")
    for one in listed:
        assert f"<b>{', '.join(one.methods)}</b> <code>{one.path}</code>" in shown
        for row in (*one.parameters, *one.body, *one.answer):
            assert f"<code>{row.name}</code>" in shown
    assert Client().get("/serve/api/v2/openapi.json").json()["paths"].keys() == document["paths"].keys()


def test_an_operation_is_told_with_its_fields() -> None:
    [found] = [one for group in operations.operations() for one in group.operations if one.id == "start-audio-stream"]
    assert (found.methods, found.by_key, found.body_type) == (["POST"], True, "application/json")
    body = {row.name: row for row in found.body}
    assert body["audio_url"].required
    assert body["audio_url"].note == (
        "What to pull: rtmp, rtmps, rtsp, rtsps, http or https, HLS too. "
        'At most 2000 characters, such as "rtmp://example.com/live/audio".'
    )
    assert body["provider"].type == '"elevenlabs" or "assemblyai"'
    assert body["audio_start_from"].type == "integer or null"
    assert not body["audio_start_from"].required
    assert [row.name for row in found.answer] == ["data", "data.task_id", "data.message"]


def test_every_operation_of_the_document_is_described() -> None:
    """Its summary alone would be the name of a function; what is not offered says so in it."""
    paths = api.get_openapi_schema()["paths"]
    told = [operation for methods in paths.values() for operation in methods.values()]
    bare = [one["summary"] for one in told if not one.get("description")]
    assert [summary for summary in bare if not summary.startswith("Not offered here: ")] == []


def test_every_field_of_the_document_is_described() -> None:
    listed = [one for group in operations.operations() for one in group.operations]
    rows = [(one.id, row) for one in listed for row in (*one.parameters, *one.body, *one.answer) if row.name != "data"]
    assert len(rows) > 100
    bounds_alone = re.compile(r"(In the \w+\. ?)?((At most|Default|Such as|\d+ to) .*)?")
    assert [(id, row.name) for id, row in rows if bounds_alone.fullmatch(row.note)] == []


# --- pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_page_is_open_to_everybody_and_has_the_readers_own_address(part: str) -> None:
    shown = page(part, headers={"host": "localhost:8123"})
    assert "localhost:8000" not in shown
    secure = page(part, headers={"host": "localhost:8123"}, secure=True)
    for text in (shown, secure):
        assert all("//" not in block or "localhost:8123" in block for block in commands(text))
    assert "http://localhost" not in secure
    assert "ws://localhost" not in secure


@pytest.mark.parametrize("part", [part for part, (_, sections) in PARTS.items() if sections])
def test_the_contents_of_a_page_are_its_sections(part: str) -> None:
    sections = re.findall(r'<section class="sect" id="([^"]+)"><h2>([^<]+)</h2>', page(part))
    assert [(anchor, html.unescape(name)) for anchor, name in sections] == list(PARTS[part][1].items())


def commands(text: str) -> list[str]:
    return [block for name, block in Blocks(text).found.items() if name.endswith((".sh", ".py"))]


def test_what_is_no_page_is_told_so() -> None:
    assert Client().get("/reference/nothing/").status_code == 404
    assert Client().post("/reference/").status_code == 405


def test_the_documents_have_no_examples_of_their_own() -> None:
    """Two sets would come apart."""
    text = (ROOT / "docs/gateway.md").read_text()
    assert not re.findall(r"^(?:    \S|```).*", text, re.M)
    assert "/reference/" in text


def test_json_is_broken_only_where_it_is_long() -> None:
    assert blocks.pretty({"a": [1, {"b": None}]}) == '{"a": [1, {"b": null}]}'
    long = {"words": ["x" * 30, "y" * 30, "z" * 30], "end": True}
    assert json.loads(blocks.pretty(long)) == long
    assert blocks.pretty(long).splitlines()[:3] == ["{", '  "words": [', f'    "{"x" * 30}",']
