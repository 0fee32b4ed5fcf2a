"""The page of callbacks, and the panels of what a provider says besides the text. Alice owns, Bob is a stranger."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.speech import envelope
from memweb.speech.dialects.batch import KINDS, Extra
from tests.transcripts import making, posting
from transcripts import services, streams
from transcripts.callbacks import applying, hooks
from transcripts.callbacks.inbox import Callback
from transcripts.models import Job, Record, Version
from transcripts.views import panels

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\u202e'


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def html(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_callback_is_listed_with_what_came_of_it(alice: User) -> None:
    streams.begin(owner_id=alice.pk, title="Radio", provider="assemblyai", task_id="t1")
    posting.store(alice, posting.turn("t1", 0, "Words."), posting.turn("t2", 0, "Early."), b"no json", ids=True)
    applying.apply_waiting()
    posting.store(alice, posting.turn("t1", 1, "Not yet."))
    shown = html(signed_in(alice), "/settings/callbacks/")
    for words in ("Radio", "t2", "Applied", "No task yet", "Not understood", "Stored", "not a JSON object"):
        assert words in shown
    assert hooks.path_of(alice) in shown


def test_a_kind_can_be_asked_for_and_older_ones_follow(alice: User) -> None:
    posting.store(alice, *(f"no json {n}".encode() for n in range(60)))
    applying.apply_waiting()
    client = signed_in(alice)
    first = html(client, "/settings/callbacks/?state=unreadable")
    assert first.count("<time") == 50
    (before,) = {part.split('"')[0].split("&")[0] for part in first.split("?before=")[1:]}
    assert html(client, f"/settings/callbacks/?state=unreadable&before={before}").count("<time") == 10
    assert "None of this kind" in html(client, "/settings/callbacks/?state=applied")
    assert html(client, "/settings/callbacks/?state=odd&before=9" + "9" * 30).count("<time") == 50


def test_a_page_without_callbacks_says_how_they_come(bob: User) -> None:
    assert "Nothing has come yet" in html(signed_in(bob), "/settings/callbacks/")


@pytest.mark.parametrize(
    ("body", "words", "failed"),
    [
        (envelope.stream_callback("t", 0, transcript="{}"), "Stream, a message", False),
        (envelope.stream_callback("t", 0, envelope.gap(3)), "Stream, a gap: 3 seconds are missing before this", False),
        (envelope.stream_callback("t", 14), "The stream ended", False),
        (envelope.stream_callback("t", -1, "the source is gone"), "The stream broke off: the source is gone", True),
        (envelope.stream_callback("t", 402), "The stream ended, no balance is left", True),
        (envelope.stream_callback("t", 99), "The stream ended with status 99", True),
        (envelope.rows_callback("t", [{"text": "a"}] * 12, 1.0, "x"), "Words of a file, 12 rows", False),
        (envelope.failed_callback("t", 402, "Insufficient balance"), "Failed: Insufficient balance", True),
        (envelope.failed_callback("t", 500, ""), "Failed: the gateway does not say why", True),
        (b'{"data":"' + b"x" * 3_000_000 + b'"}', "3 MB long", False),
    ],
)
def test_each_says_in_a_few_words_what_it_told(alice: User, body: bytes, words: str, failed: bool) -> None:
    posting.store(alice, body)
    row = html(signed_in(alice), "/settings/callbacks/")
    assert f"<bdi>{words}" in row
    assert ('class="why"' in row) is failed


def test_a_failure_is_applied_and_not_green(alice: User) -> None:
    streams.begin(owner_id=alice.pk, title="Radio", provider="assemblyai", task_id="t1")
    posting.store(alice, envelope.stream_callback("t1", 16))
    applying.apply_waiting()
    row = html(signed_in(alice), "/settings/callbacks/?state=applied")
    assert "Applied" in row
    assert 'class="st ok"' not in row


def test_a_job_that_is_known_is_named_and_each_state_has_its_own_word(alice: User) -> None:
    for task_id, status in (("early", "running"), ("stopped", "cancelled")):
        record = making.dictation(alice, "hello", title=f"The {task_id}")
        Job.objects.create(record=record, kind="transcribe", status=status, due_at=timezone.now(), task_id=task_id)
        posting.store(alice, envelope.rows_callback(task_id, [], 1.0, "x"))
    applying.apply_waiting()
    client = signed_in(alice)
    for state, title, words in (("early", "The early", "Waits for its job"), ("unused", "The stopped", "Not used")):
        shown = html(client, f"/settings/callbacks/?state={state}", **{"HX-Request": "true"})
        assert title in shown
        assert words in shown
        assert "No record yet" not in shown
        assert ("Apply again" in shown) is (state == "early")


def test_the_list_asks_again_while_any_is_to_be_applied(alice: User) -> None:
    client = signed_in(alice)
    posting.store(alice, b"no json")
    waiting = html(client, "/settings/callbacks/?state=unreadable&before=999")
    assert 'hx-get="/settings/callbacks/?state=unreadable&amp;before=999"' in waiting
    applying.apply_waiting()
    settled = html(client, "/settings/callbacks/", **{"HX-Request": "true"})
    assert "hx-get" not in settled
    assert "<html" not in settled


def test_one_callback_has_a_page_with_what_is_known_of_it(alice: User, bob: User) -> None:
    posting.store(alice, f'{{"a":["{HOSTILE}"]}}'.replace('"><', '\\"><').encode())
    applying.apply_waiting()
    row = Callback.objects.get()
    path = f"/settings/callbacks/{row.pk}/"
    shown = html(signed_in(alice), path)
    for words in (
        "Not understood",
        row.digest,
        "content-type",
        "application/json",
        "Not checked",
        row.reason,
        "\\u202e",
    ):
        assert words in shown
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert ">Indented<" in shown
    assert f'action="{path}application/"' in shown, "it waits to be applied again"
    assert "\n  &quot;a&quot;: [\n" in html(signed_in(alice), path + "?indented")
    assert signed_in(bob).get(path).status_code == 404
    assert Client().get(path).status_code == 302


@pytest.mark.parametrize("body", [b"[" * 900 + b"1," * 90_000 + b"1" + b"]" * 900, b"[" * 100_000, b"no json"])
def test_what_would_be_endless_when_indented_is_shown_as_it_is(alice: User, body: bytes) -> None:
    posting.store(alice, body)
    shown = signed_in(alice).get(f"/settings/callbacks/{Callback.objects.get().pk}/?indented")
    assert len(shown.content) < 1_100_000
    assert (
        ">Indented<" not in signed_in(alice).get(f"/settings/callbacks/{Callback.objects.get().pk}/").content.decode()
    )


def test_of_a_long_body_the_beginning_is_shown(alice: User) -> None:
    posting.store(alice, b"a" * 200_000 + b"b" * 3_000_000)
    shown = html(signed_in(alice), f"/settings/callbacks/{Callback.objects.get().pk}/")
    assert "The first 200 kB of 3.2 MB" in shown
    assert "aab" not in shown


def test_the_body_can_be_saved_by_its_owner_byte_for_byte(alice: User, bob: User) -> None:
    raw = f"{HOSTILE}".encode() + b"\xff\x00"
    posting.store(alice, raw)
    path = f"/settings/callbacks/{Callback.objects.get().pk}/body/"
    answer = signed_in(alice).get(path)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content == raw
    assert signed_in(bob).get(path).status_code == 404
    assert Client().get(path).status_code == 302


def test_applying_again_is_for_the_owner(alice: User, bob: User) -> None:
    posting.store(alice, b"no json")
    applying.apply_waiting()
    callback = Callback.objects.get()
    path = f"/settings/callbacks/{callback.pk}/application/"
    assert signed_in(bob).post(path).status_code == 404
    given = {"state": "unreadable", "before": "77"}
    assert signed_in(alice).post(path, given)["Location"] == "/settings/callbacks/?state=unreadable&before=77#came"
    callback.refresh_from_db()
    assert callback.state == Callback.State.STORED


def test_another_address_can_be_made(alice: User, bob: User) -> None:
    before, others = hooks.path_of(alice), hooks.path_of(bob)
    asked = html(signed_in(alice), "/settings/callbacks/address/")
    assert "refused" in asked
    assert hooks.path_of(alice) == before, "asking is not doing"
    assert signed_in(alice).post("/settings/callbacks/address/").status_code == 302
    assert hooks.path_of(alice) != before
    assert hooks.path_of(bob) == others


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("", "https://mavi-backend.memories.ai", True),
        ("http://192.168.1.7:8000", "https://mavi-backend.memories.ai", True),
        ("https://memweb.example.org", "https://mavi-backend.memories.ai", False),
        ("", "http://localhost:9000", False),  # both on this machine
        ("", "", False),  # the gateway built in
    ],
)
def test_an_address_no_gateway_can_reach_says_so(
    alice: User, settings: Any, ours: str, theirs: str, told: bool
) -> None:
    settings.PUBLIC_URL, settings.GATEWAY_URL, settings.GATEWAY_KEY = ours, theirs, "sk-test"
    pages = [html(signed_in(alice), path) for path in ("/settings/callbacks/", "/streams/")]
    assert ["Ask who runs this memweb" in page for page in pages] == [told, told]
    assert not any("MEMWEB_PUBLIC_URL" in page for page in pages)
    alice.is_superuser = True
    alice.save()
    assert ("MEMWEB_PUBLIC_URL" in html(signed_in(alice), "/streams/")) is told
    assert hooks.address_of(alice) in pages[0]
    assert (hooks.address_of(alice) in pages[1]) is bool(theirs)


def test_what_is_in_a_callback_is_shown_as_text(alice: User) -> None:
    posting.store(alice, envelope.stream_callback(HOSTILE, 0), json.dumps({"task_id": HOSTILE}).encode())
    applying.apply_waiting()
    shown = html(signed_in(alice), "/settings/callbacks/")
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "&lt;script&gt;" in shown


# --- panels ----------------------------------------------------------------------------------------------

ANALYSED: dict[str, Any] = {
    "status": "completed", "language_code": "en", "text": "Good morning Ann.", "audio_duration": 5,
    "words": [{"text": "Good", "start": 0, "end": 400}, {"text": "morning", "start": 500, "end": 900},
              {"text": "Ann.", "start": 1000, "end": 1400}],
    "summary": "- They greet.\n- That is all.",
    "chapters": [{"gist": "Greeting", "headline": "A greeting.", "summary": "At length.", "start": 0, "end": 1400}],
    "entities": [{"entity_type": "person_name", "text": HOSTILE, "start": 61_250, "end": 61_500}],
    "auto_highlights_result": {"results": [
        {"text": "good", "count": 2, "rank": 0.5, "timestamps": [{"start": 0, "end": 9}]}]},
    "sentiment_analysis_results": [{"text": "Good", "start": 0, "end": 9, "sentiment": "POSITIVE", "confidence": 0.93,
                                    "speaker": "A"}],
}  # fmt: skip


def analysed(owner: User, payload: Any = ANALYSED) -> Record:
    """A record whose second version was made of a provider's result."""
    record = making.dictation(owner, "Live words.")
    services.keep_result(record_id=record.pk, dialect="assemblyai", raw=json.dumps(payload).encode())
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.TRANSCRIBED, model="best", language="en",
        segments=[making.line("0", 0, "Good morning Ann.")],
    )  # fmt: skip
    services.show_version(record_id=record.pk, number=version.number)
    return record


def test_what_has_no_place_in_the_text_has_a_panel(alice: User) -> None:
    record = analysed(alice)
    client = signed_in(alice)
    assert f"/transcripts/{record.pk}/panels/?version=2" in html(client, f"/transcripts/{record.pk}/")
    for shown in (
        html(client, f"/transcripts/{record.pk}/panels/", **{"HX-Request": "true"}),
        html(client, f"/transcripts/{record.pk}/panels/?version=2"),
    ):
        for words in (
            "Summary",
            "- That is all.",
            "A greeting.",
            "person name",
            "93 %",
            "positive",
            "Said by A",
            "2 times",
            "#t=61.250",
            "1:01",
        ):
            assert words in shown
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


def test_a_version_of_no_result_has_no_panels(alice: User) -> None:
    record = analysed(alice)
    client = signed_in(alice)
    assert "/panels/" not in html(client, f"/transcripts/{record.pk}/?version=1")
    assert "Nothing was said besides" in html(client, f"/transcripts/{record.pk}/panels/?version=1")


def test_a_result_is_shown_as_it_came(alice: User, bob: User) -> None:
    record = analysed(alice)
    path = f"/transcripts/{record.pk}/results/1/"
    client = signed_in(alice)
    answer = client.get(path, {"download": ""})
    assert json.loads(answer.content) == ANALYSED
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="result-1.json"'
    page = html(client, path)
    body = unescape(page.partition('<pre class="raw')[2].partition("</pre>")[0].partition(">")[2])
    assert body == answer.content.decode()
    assert f'href="/transcripts/{record.pk}/#panels"' in page, "the way back"
    indented = html(client, f"{path}?indented")
    assert "\n  &quot;status&quot;: &quot;completed&quot;,\n" in indented
    assert signed_in(bob).get(path).status_code == 404
    services.keep_result(record_id=record.pk, dialect="pyannote", raw=b"voices", of=1)
    assert f'"{path}"' in html(signed_in(alice), f"/transcripts/{record.pk}/panels/?version=2")
    assert f'"{path}?part=1"' in html(signed_in(alice), f"/transcripts/{record.pk}/panels/?version=2")
    answer = client.get(path, {"part": "1", "download": ""})
    assert (answer.content, answer["Content-Disposition"]) == (b"voices", 'attachment; filename="result-1-1.json"')
    assert "?part=1&amp;download" in html(client, f"{path}?part=1")
    for odd in (2, 10**20):
        assert signed_in(alice).get(f"/transcripts/{record.pk}/results/{odd}/").status_code == 404
    for odd in ("2", "-1", "x", "9" * 20):
        assert signed_in(alice).get(path, {"part": odd}).status_code == 404


def test_a_result_that_cannot_be_read_has_no_panels_and_breaks_nothing(alice: User) -> None:
    record = analysed(alice, payload=[1])
    assert "As it came" in html(signed_in(alice), f"/transcripts/{record.pk}/panels/")


def test_panels_have_an_order_and_a_length() -> None:
    extras = [Extra(kind, "x", score=0.5) for kind in reversed(KINDS)] + [Extra("topic", "y")] * 1000
    found = panels.made(extras)
    assert [panel.kind for panel in found] == list(KINDS)
    (topics,) = [panel for panel in found if panel.kind == "topic"]
    assert (len(topics.items), topics.more, topics.count) == (panels.MOST, 701, 1001)


def test_a_record_being_heard_again_later_keeps_its_panels(alice: User) -> None:
    record = analysed(alice)
    Record.objects.filter(pk=record.pk).update(ended_at=timezone.now() + timedelta(days=1))
    services.keep_result(record_id=record.pk, dialect="pyannote", raw=b'{"code":200,"data":{"items":[]}}')
    services.keep_result(record_id=record.pk, dialect="nobody", raw=b'{"code":500,"msg":"no"}')
    services.add_version(record_id=record.pk, kind=Version.Kind.RETRANSCRIBED, model="x", language="en", segments=[])
    shown = html(signed_in(alice), f"/transcripts/{record.pk}/panels/?version=2")
    assert "pyannote" in shown
    assert "Summary" in shown
    assert "Summary" not in html(signed_in(alice), f"/transcripts/{record.pk}/panels/?version=3")
