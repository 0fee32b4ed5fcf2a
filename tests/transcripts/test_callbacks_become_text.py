"""Stored callbacks become a stream's text: in any order, however often, early or late, and edits stay."""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
import re
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from memweb.accounts.models import User
from memweb.speech import envelope
from memweb.speech.envelope import StreamStatus
from tests.transcripts import making
from tests.transcripts.posting import commit, store, turn
from transcripts import jobs, search, streams
from transcripts.callbacks import applying, letters
from transcripts.callbacks.inbox import Callback
from transcripts.editor import editing
from transcripts.models import Job, Record, Segment, Version
from transcripts.shown import wording

pytestmark = pytest.mark.django_db(transaction=True)
State = Callback.State
DRILLS = int(os.environ.get("MEMWEB_DRILLS", "0"))


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    streams._folds.clear()


def stream(owner: User, task_id: str, provider: str = "assemblyai") -> Record:
    return streams.begin(owner_id=owner.pk, title="Radio", provider=provider, language="en", task_id=task_id)


def said(record: Record) -> list[str]:
    return list(Segment.objects.filter(version__record=record).shown().values_list("text", flat=True))


def states() -> list[str]:
    return list(Callback.objects.order_by("id").values_list("state", flat=True))


def test_a_streams_callbacks_become_its_text(alice: User) -> None:
    record = stream(alice, "t1")
    begun = {"type": "Begin", "id": "x", "configuration": {"model": "universal"}}
    store(alice, envelope.stream_callback("t1", 0, transcript=json.dumps(begun)), turn("t1", 0, "Good evening."))
    assert applying.apply_waiting() == 2
    store(alice, turn("t1", 1, "Here is the news."))
    applying.apply_waiting()
    record.refresh_from_db()
    assert said(record) == ["Good evening.", "Here is the news."]
    assert states() == [State.APPLIED] * 3
    assert record.status == Record.Status.LIVE
    assert record.duration_ms == 2380
    assert Version.objects.get(record=record).model == "universal"


def test_a_stream_is_found_by_its_title_and_one_that_failed_is_not_begun_again(alice: User) -> None:
    record = stream(alice, "t1")
    assert search.titled(search.parse("radio").every, owner_id=alice.pk, most=9) == [record.pk]
    record.jobs.update(status=Job.Status.FAILED)
    assert jobs.retry(record_id=record.pk, job_id=record.jobs.get().pk) is None


def saying(task_id: str, words: str) -> bytes:
    """A callback with words that may still change."""
    message = {"message_type": "partial_transcript", "text": words}
    return envelope.stream_callback(task_id, 0, transcript=json.dumps(message))


def back_after(seconds: int, task_id: str = "t1") -> bytes:
    """The first message after a source was away, as the gateway passes it on."""
    message = {"type": "Turn", "turn_order": 1, "end_of_turn": False, "transcript": "and", "words": []}
    return envelope.stream_callback(task_id, 0, envelope.gap(seconds), json.dumps(message))


GAP = "13 seconds missing, the source went away"


def test_where_sound_is_missing_is_marked_in_the_text_and_on_the_air(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    said_all = turn("t1", 0, "Good evening."), back_after(13), turn("t1", 1, "<b>And</b> back.")
    store(alice, *said_all)
    applying.apply_waiting()
    client.force_login(alice)
    for page in (f"/transcripts/{record.pk}/", "/streams/air/"):
        text = client.get(page).content.decode()
        shown = [text.index(words) for words in ("Good evening.", 'class="gap"', GAP, "&lt;b&gt;And")]
        assert shown == sorted(shown)
    assert [(mark.at_ms, mark.note, mark.is_gap) for mark in record.marks.all()] == [(180, GAP, True)]
    page = client.get(f"/transcripts/{record.pk}/").content.decode()
    assert f'<span class="num">0:00</span> · {GAP}</span>' in page
    assert f'<span dir="auto">{GAP}</span>' in page, "among the marks"
    making.assert_focus_stays(client.get("/streams/air/").content.decode())


def standing(client: Client, record: Record) -> list[str]:
    """How a stream stands in words and look, on its record's page and on the page of streams."""
    pages = [client.get(page).content.decode() for page in (f"/transcripts/{record.pk}/state/", "/streams/air/")]
    found = [re.search(r'class="st ([a-z]*)">(.*?)</(?:p|form|div)>', page, re.DOTALL) for page in pages]
    return [f"{at[1]}: {' '.join(re.sub('<[^>]+>', ' ', at[2]).split())}" if at else "" for at in found]


def test_a_stream_is_live_from_its_first_sound_and_not_from_its_beginning(alice: User, client: Client) -> None:
    record = stream(alice, "t1", "elevenlabs")
    client.force_login(alice)
    assert standing(client, record) == [": Connecting", ": Connecting Stop"]
    begins = json.dumps({"message_type": "session_started", "session_id": "x"})
    store(alice, envelope.stream_callback("t1", 0, transcript=begins))
    applying.apply_waiting()
    assert standing(client, record) == [": Connecting", ": Connecting Stop"]
    store(alice, saying("t1", "First"))
    applying.apply_waiting()
    assert standing(client, record) == ["live: Live", "live: Live 0:00 Stop"]


def test_the_length_of_a_stream_on_its_page_grows(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    client.force_login(alice)
    assert '<span class="num" id="length">0:00</span>' in client.get(f"/transcripts/{record.pk}/").content.decode()
    store(alice, turn("t1", 0, "Good evening.", start=5000))
    applying.apply_waiting()
    part = client.get(f"/transcripts/{record.pk}/state/").content.decode()
    assert '<span class="num" id="length" hx-swap-oob="true">0:05</span>' in part


def test_both_pages_say_the_same_of_a_stream_that_brings_nothing(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    store(alice, turn("t1", 0, "Good evening."))
    applying.apply_waiting()
    client.force_login(alice)
    Record.objects.filter(pk=record.pk).update(last_heard_at=timezone.now() - timedelta(seconds=19))
    assert standing(client, record) == ["bad: Nothing heard for 0:19", "bad: Nothing heard for 0:19 Stop"]
    for page in (f"/transcripts/{record.pk}/", "/streams/air/", "/transcripts/"):
        assert wording.AWAY in client.get(page).content.decode()


def test_each_stream_on_the_air_costs_what_only_it_can_tell(alice: User, client: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            assert client.get("/streams/air/").status_code == 200
        return len(made)

    client.force_login(alice)
    costs = []
    for task in ("t1", "t2", "t3"):
        stream(alice, task)
        store(alice, turn(task, 0, "Good evening."))
        applying.apply_waiting()
        costs.append(cost())
    assert [after - before for before, after in itertools.pairwise(costs)] == [3, 3], (
        "its last words, those being said, and where sound is missing"
    )


def test_a_page_that_is_open_is_brought_the_gaps_it_has_not(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    store(alice, turn("t1", 0, "Good evening."))
    applying.apply_waiting()
    client.force_login(alice)
    page = client.get(f"/transcripts/{record.pk}/").content.decode()
    assert 'hx-include="#gaps"' in page
    had = re.findall(r'id="gaps" name="gaps" value="(.*?)"', page)[0]

    def brought(told: str) -> str:
        return client.get(f"/transcripts/{record.pk}/state/", {"version": 1, "gaps": told}).content.decode()

    assert "mem-marks" not in brought(had)
    store(alice, back_after(13), turn("t1", 1, "And back."))
    applying.apply_waiting()
    state = brought(had)
    assert '<mem-marks id="marks" hx-swap-oob="true"' in state
    assert f'<span dir="auto">{GAP}</span>' in state
    assert "mem-marks" not in brought(re.findall(r'name="gaps" value="(.*?)"', state)[0])
    assert "mem-marks" not in client.get(f"/transcripts/{record.pk}/state/").content.decode(), "a page from before"


def test_a_correction_beside_a_gap_leaves_it_between_its_paragraphs(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    store(alice, turn("t1", 0, "Good evening,"), back_after(13), turn("t1", 1, "and back.", start=200))
    applying.apply_waiting()
    client.force_login(alice)
    answer = client.post(
        f"/transcripts/{record.pk}/text/?version=1",
        {"segment": "0:0", "text": "Good morning,"},
        headers={"Accept": "text/x-paragraphs"},
    )
    first, second = answer.content.decode().split("<article")[1:]
    assert "Good morning," in first
    assert "and back." in second


def test_a_gap_is_where_it_was_whatever_comes_late(alice: User) -> None:
    for order in itertools.permutations(range(4)):
        task_id = "".join(map(str, order))
        record = stream(alice, task_id)
        texts = ("Good evening.", "And back.", "For good.")
        first, *others = (turn(task_id, number, text) for number, text in enumerate(texts))
        bodies = [first, back_after(13, task_id), *others]
        for number in order:
            store(alice, bodies[number], ids=True, sequences=[number])
            applying.apply_waiting()
        applying.apply_again(callback=Callback.objects.get(task_id=task_id, sequence=1))
        applying.apply_waiting()
        assert [(mark.at_ms, mark.is_gap) for mark in record.marks.all()] == [(180, True)], order


def test_words_being_said_are_told_until_they_last_or_are_old(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    assert streams.being_said(record) == ""
    store(alice, saying("t1", "First"), saying("t1", "First we"))
    applying.apply_waiting()
    assert streams.being_said(record) == "First we"
    assert said(record) == []
    store(alice, commit("t1", "First we speak.", 1.0))
    applying.apply_waiting()
    assert streams.being_said(record) == ""
    assert said(record) == ["First we speak."]
    store(alice, saying("t1", "Then"))
    applying.apply_waiting()
    assert streams.being_said(record) == "Then"
    Callback.objects.update(arrived_at=timezone.now() - streams.FRESH - timedelta(seconds=1))
    assert streams.being_said(record) == ""


def test_words_being_said_are_on_the_streams_own_pages(alice: User, client: Client) -> None:
    record = stream(alice, "t1", "elevenlabs")
    client.force_login(alice)
    own = f"/transcripts/{record.pk}/"
    pages = (own, f"{own}segments/?version=1&after=", "/streams/air/")

    def shown() -> list[str]:
        found = [client.get(page).content.decode() for page in pages]
        words = [" ".join(re.findall(r'<p class="interim"[^>]*>(.*?)</p>', html)) for html in found]
        assert all(html.count(said) == 1 for html, said in zip(found, words, strict=True) if said), "and nowhere else"
        return words

    store(alice, saying("t1", "First <b>we"))
    applying.apply_waiting()
    assert shown() == ["First &lt;b&gt;we"] * 3
    store(alice, commit("t1", "First we speak.", 1.0))
    applying.apply_waiting()
    assert shown() == [""] * 3
    store(alice, saying("t1", "Then"))
    applying.apply_waiting()
    streams.end(job=record.jobs.get(), sentence="")
    assert shown() == [""] * 3


def test_a_stream_that_has_ended_says_nothing_any_more(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, saying("t1", "And"), envelope.stream_callback("t1", StreamStatus.STOPPED, "Stopped"))
    applying.apply_waiting()
    store(alice, saying("t1", "And late"), b"not understood")
    applying.apply_waiting()
    assert streams.being_said(record) == ""


def test_words_being_said_cost_a_look_two_statements(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, *(saying("t1", f"word {number}") for number in range(30)))
    applying.apply_waiting()
    with django_assert_num_queries(2):
        assert streams.being_said(record) == "word 29"


def test_what_comes_before_its_task_is_known_waits_and_is_taken_up(alice: User) -> None:
    store(alice, turn("t1", 0, "Early words."))
    applying.apply_waiting()
    assert states() == [State.UNCLAIMED]
    record = stream(alice, "t1")
    applying.apply_waiting()
    assert said(record) == ["Early words."]
    assert states() == [State.APPLIED]


def test_what_comes_to_wait_while_its_callback_is_set_aside_is_told_all_the_same(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the task's own claim looks for is not committed yet, so it finds nothing."""
    set_aside = applying._set
    store(alice, turn("t1", 0, "Good evening."))

    def begun_meanwhile(*told: Any) -> None:
        monkeypatch.setattr(applying, "_set", set_aside)
        with monkeypatch.context() as patched:
            patched.setattr(applying, "claim", lambda **task: None)
            stream(alice, "t1")
        set_aside(*told)

    monkeypatch.setattr(applying, "_set", begun_meanwhile)
    applying.apply_waiting()
    assert said(Record.objects.get()) == ["Good evening."]


def test_what_two_workers_take_up_at_once_is_said_once(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, commit("t1", "Again."))
    read = envelope.read_callback

    def overtaken(raw: bytes) -> envelope.Callback:
        monkeypatch.setattr(envelope, "read_callback", read)
        applying.apply_waiting()
        return read(raw)

    monkeypatch.setattr(envelope, "read_callback", overtaken)
    applying.apply_waiting()
    assert said(record) == ["Again."]


def test_the_worker_finds_what_was_not_claimed(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    store(alice, turn("t1", 0, "Early words."), turn("t2", 0, "Nobody's."))
    applying.apply_waiting()
    monkeypatch.setattr(applying, "claim", lambda **_: None)  # the process died before it could
    record = stream(alice, "t1")
    assert applying.claim_all() == 1
    applying.apply_waiting()
    assert said(record) == ["Early words."]
    assert states() == [State.APPLIED, State.UNCLAIMED]


def test_a_bell_that_was_lost_is_rung_again(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(letters, "ring", lambda: rung.append(1))
    store(alice, turn("t1", 0, "Words."))
    assert applying.reap() == 0
    Callback.objects.update(arrived_at=timezone.now() - timedelta(minutes=1))
    assert applying.reap() == 1
    assert rung == [1]


def test_another_persons_callback_never_reaches_a_task(alice: User, bob: User) -> None:
    record = stream(alice, "t1")
    store(bob, turn("t1", 0, "Forged."))
    applying.apply_waiting()
    assert said(record) == []
    assert states() == [State.UNCLAIMED]


def test_a_late_one_finds_its_place_and_edits_stay(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, commit("t1", "First words.", 1.0), commit("t1", "Third words.", 9.0))
    applying.apply_waiting()
    version = record.versions.get()
    row = version.segments.get(text="Third words.")
    editing.rewrite(version=version, keys=[row.key], revisions=[0], text="The third, corrected.", user_id=alice.pk)
    store(alice, commit("t1", "Second words.", 5.0))
    applying.apply_waiting()
    assert said(record) == ["First words.", "Second words.", "The third, corrected."]


def test_a_repeat_changes_nothing_and_an_honest_repetition_stays(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, commit("t1", "Okay.", 1.0), commit("t1", "Okay.", 2.0), commit("t1", "Okay.", 1.0))
    applying.apply_waiting()
    store(alice, commit("t1", "Okay.", 2.0))
    applying.apply_waiting()
    assert said(record) == ["Okay.", "Okay."]
    assert states() == [State.APPLIED] * 4


def test_two_deliveries_with_equal_bodies_are_two(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, commit("t1", "Okay."), commit("t1", "Okay."), ids=True, sequences=[1, 2])
    applying.apply_waiting()
    assert said(record) == ["Okay.", "Okay."]


def test_a_process_that_remembers_nothing_goes_on_alike(alice: User) -> None:
    record, other = stream(alice, "t1", "elevenlabs"), stream(alice, "t2", "elevenlabs")
    for n in range(6):
        for task in ("t1", "t2"):
            store(alice, commit(task, f"Words {n}.", float(n)))
        applying.apply_waiting()
        streams._folds.pop(Job.objects.get(task_id="t2").pk, None)
    keys = [list(one.versions.get().segments.values_list("key", "text")) for one in (record, other)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 6


def test_what_another_process_has_applied_meanwhile_counts_here_too(alice: User) -> None:
    """Words without times follow the words before them: those that somebody else has read as well."""
    record, whole = stream(alice, "t1", "elevenlabs"), stream(alice, "t2", "elevenlabs")
    said_all = [("The first.", 1.0), ("The second.", 9.0), ("The third.", None)]
    store(alice, *[commit("t2", *words) for words in said_all])
    applying.apply_waiting()
    remembered: list[Any] = []
    for number, words in enumerate(said_all):
        store(alice, commit("t1", *words))
        if number == 2:  # this process did the first, another the second
            streams._folds.clear()
            streams._folds.update(remembered)
        applying.apply_waiting()
        remembered = remembered or copy.deepcopy(list(streams._folds.items()))
    rows = [list(one.versions.get().segments.values_list("text", "start_ms")) for one in (record, whole)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("status", "message", "job", "words"),
    [
        (14, "Stream stopped by user", "done", ""),
        (-1, None, "failed", "The stream broke off. What was said is kept."),
        (-1, "Stream ended by its source", "done", "The source ended this stream. What was said is kept."),
        (-1, "The source went away.", "failed", "off. The gateway says: The source went away. What was said is kept."),
        (16, None, "failed", "no place left"),
        (
            402,
            "No balance",
            "failed",
            "left. What was said is kept. Add to it, then start the stream again.",
        ),
        (77, None, "failed", "did not say why"),
        (77, "Overhauled", "failed", "The stream ended. The gateway says: Overhauled. What was said is kept."),
    ],
)
def test_an_end_closes_the_record_in_words(alice: User, status: int, message: str | None, job: str, words: str) -> None:
    record = stream(alice, "t1")
    store(alice, turn("t1", 0, "Before."), envelope.stream_callback("t1", status, message), turn("t1", 1, "Late."))
    applying.apply_waiting()
    record.refresh_from_db()
    assert record.status == Record.Status.READY
    assert words in record.status_reason
    assert bool(record.status_reason) == bool(words)
    assert record.ended_at
    assert Job.objects.get(record=record).status == job
    assert said(record) == ["Before.", "Late."]


def test_a_source_that_came_to_its_end_is_no_trouble(alice: User) -> None:
    record = stream(alice, "t1")
    store(alice, turn("t1", 0, "All of it."), envelope.stream_callback("t1", -1, "Stream ended by its source"))
    applying.apply_waiting()
    record.refresh_from_db()
    state = wording.state_of(record, record.jobs.order_by("id"), edited=False, now=timezone.now())
    assert (state.words, state.look, state.is_calm, state.can_start_again) == ("Ready", "done", True, False)
    assert wording.end_of(record.jobs.get()) == "Ended"


def test_who_stops_a_stream_before_anything_is_heard_is_not_warned(alice: User) -> None:
    for task_id, status in (("stopped", 14), ("failed", -1)):
        record = stream(alice, task_id)
        store(alice, envelope.stream_callback(task_id, status))
        applying.apply_waiting()
        job = record.jobs.get()
        assert job.begun_at is None
        assert wording.did_not_start(job) is (task_id == "failed")
        assert wording.end_of(job) == ("Did not start" if task_id == "failed" else "Stopped")


@pytest.mark.parametrize("end", [(14, "Stream stopped by user"), (-1, "Stream ended by its source")])
def test_a_stream_that_is_over_can_be_started_again_from_its_record(
    alice: User, client: Client, end: tuple[int, str]
) -> None:
    record = stream(alice, "t1")
    client.force_login(alice)
    address = f"/streams/{record.pk}/again/"
    assert address not in client.get(f"/transcripts/{record.pk}/").content.decode(), "it is on the air"
    assert address not in client.get(f"/transcripts/{record.pk}/state/").content.decode()
    store(alice, turn("t1", 0, "All of it."), envelope.stream_callback("t1", *end))
    applying.apply_waiting()
    assert client.get(f"/transcripts/{record.pk}/").content.decode().count(address) == 1
    part = client.get(f"/transcripts/{record.pk}/state/").content.decode()
    assert re.search(f'<span id="over" hx-swap-oob="true"><a class="btn" href="{address}"', part), (
        "on a page that is open"
    )


def test_an_end_that_is_told_late_takes_the_place_of_our_own_guess(alice: User) -> None:
    record = stream(alice, "t1")
    streams.end(job=record.jobs.get(), sentence=streams.UNKNOWN_END)
    store(alice, envelope.stream_callback("t1", 14, "Stream stopped by user"))
    applying.apply_waiting()
    record.refresh_from_db()
    assert (record.status, record.status_reason, record.jobs.get().status) == ("ready", "", "done")


def test_an_end_that_is_told_late_leaves_what_the_record_says_by_now(alice: User) -> None:
    record = stream(alice, "t1")
    streams.end(job=record.jobs.get(), sentence=streams.UNKNOWN_END)
    Record.objects.filter(pk=record.pk).update(status_reason="3 marks of the file are left out.")
    store(alice, envelope.stream_callback("t1", 14, "Stream stopped by user"))
    applying.apply_waiting()
    record.refresh_from_db()
    assert record.status_reason == "3 marks of the file are left out."


def test_a_task_that_failed_altogether_closes_the_record(alice: User) -> None:
    record = stream(alice, "t1")
    store(alice, envelope.failed_callback("t1", 402, "Insufficient balance"))
    applying.apply_waiting()
    record.refresh_from_db()
    told = "The gateway's account has no balance left. Add to it, then start the stream again."
    assert record.status_reason == told


def test_a_stream_that_never_began_has_failed_and_claims_no_words(alice: User, client: Client) -> None:
    record = stream(alice, "t1")
    store(alice, envelope.stream_callback("t1", -1, "The source is not there."))
    applying.apply_waiting()
    client.force_login(alice)
    page = client.get(f"/transcripts/{record.pk}/").content.decode()
    assert "Did not start" in page
    assert ">The gateway says: The source is not there.<" in page
    assert streams.KEPT not in page
    assert "Copy all" not in page, "there is nothing to take away, or to correct"
    assert "mem-editor" in page
    assert "Undo" not in page
    assert "Nothing was heard" not in page, "the reason stands above"
    assert "Did not start" in client.get("/transcripts/").content.decode()


def test_a_title_cannot_turn_the_words_beside_it_around(alice: User) -> None:
    record = streams.begin(owner_id=alice.pk, title="Radio \u202egpj", provider="assemblyai", task_id="t1")
    assert record.title == "Radio \ufffdgpj"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"\xff", b"\x00", b"[" * 100_000, b'{"code":200,"task_id":"t1","data":{"status":"x"}}',
     b'{"code":200,"data":{"status":0,"transcript":{}}}', b'{"code":200,"task_id":"t1","data":{"data":[]}}'],
    ids=["empty", "null", "no task", "no text", "nul", "deep", "no status", "a message of no task", "rows"],
)  # fmt: skip
def test_what_cannot_be_understood_is_kept_with_its_reason(alice: User, body: bytes) -> None:
    stream(alice, "t1")
    store(alice, body)
    applying.apply_waiting()
    callback = Callback.objects.get()
    assert callback.state == State.UNREADABLE
    assert callback.reason.endswith(".")
    assert bytes(callback.raw) == body


def test_odd_words_in_a_message_never_stop_the_others(alice: User) -> None:
    record = stream(alice, "t1")
    odd = b'{"code":"200","task_id":"t1","data":{"status":"0","transcript":{"type":"Turn","turn_order":1,' \
          b'"end_of_turn":true,"transcript":"a\\ud800\\u0000<b>","words":[{"text":1,"start":1e999}]}}}'  # fmt: skip
    store(
        alice,
        turn("t1", 0, "Good."),
        odd,
        envelope.stream_callback("t1", 0, transcript="no json"),
        turn("t1", 2, "Last."),
    )
    applying.apply_waiting()
    assert states() == [State.APPLIED] * 4
    assert set(said(record)) == {"Good.", "a\ufffd\ufffd<b>", "Last."}


def test_one_task_in_trouble_holds_up_no_other(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = stream(alice, "bad"), stream(alice, "good")
    apply = streams.apply

    def failing(job: Job, told: object) -> None:
        apply(job, told)  # type: ignore[arg-type]
        if job.task_id == "bad":
            raise ValueError("no")

    monkeypatch.setattr(streams, "apply", failing)
    store(alice, turn("bad", 0, "Never."), turn("good", 0, "Fine."))
    applying.apply_waiting()
    assert (said(bad), said(good)) == ([], ["Fine."])
    assert states() == [State.UNREADABLE, State.APPLIED]
    monkeypatch.undo()
    applying.apply_again(callback=Callback.objects.get(state=State.UNREADABLE))
    applying.apply_waiting()
    assert said(bad) == ["Never."]


def test_applying_again_what_was_applied_changes_nothing(alice: User) -> None:
    record = stream(alice, "t1", "elevenlabs")
    store(alice, *(commit("t1", f"Words {n}.", n) for n in range(3)))
    applying.apply_waiting()
    before = list(record.versions.get().segments.values())
    applying.apply_again(callback=Callback.objects.order_by("id")[1])
    applying.apply_waiting()
    assert list(record.versions.get().segments.values()) == before
    assert states() == [State.APPLIED] * 3


# --- the outcome of a job --------------------------------------------------------------------------------


ROWS = [{"start_time": 0.0, "end_time": 2.0, "text": "Of the file.", "speaker": None}]


def file_job(owner: User, *, status: str = "awaiting", kind: str = "transcribe") -> Job:
    record = making.dictation(owner, finished=False)
    record.versions.all().delete()
    Record.objects.filter(pk=record.pk).update(status=Record.Status.FINISHING, source="file", current_version=None)
    due = timezone.now() + timedelta(hours=1)
    return Job.objects.create(record=record, kind=kind, status=status, due_at=due, task_id="f1", holder="me")


def test_the_outcome_of_a_file_becomes_its_version_once(alice: User) -> None:
    job = file_job(alice)
    store(alice, *[envelope.rows_callback("f1", ROWS, 2.0, "whisper-1")] * 3)
    applying.apply_waiting()
    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    assert said(job.record) == ["Of the file."]
    assert job.record.versions.count() == 1
    assert states() == [State.APPLIED] * 3


def test_an_outcome_waits_until_its_job_does(alice: User) -> None:
    job = file_job(alice, status="running")
    store(alice, envelope.rows_callback("f1", ROWS, 2.0, "whisper-1"))
    applying.apply_waiting()
    assert states() == [State.EARLY]
    assert applying.claim_all() == 0
    jobs.await_call(job_id=job.pk, holder="me", until=timezone.now() + timedelta(hours=1))
    applying.apply_waiting()
    assert said(job.record) == ["Of the file."]


def test_an_outcome_after_its_job_was_given_up_is_taken_all_the_same(alice: User) -> None:
    job = file_job(alice)
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    jobs.reap()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    store(alice, envelope.rows_callback("f1", ROWS, 2.0, "whisper-1"))
    applying.apply_waiting()
    job.refresh_from_db()
    assert (job.status, job.record.status) == (Job.Status.DONE, Record.Status.READY)
    assert said(job.record) == ["Of the file."]


def test_a_late_outcome_is_not_taken_beside_the_job_that_does_it_over(alice: User) -> None:
    job = file_job(alice, status="failed")
    Job.objects.create(record=job.record, kind=job.kind, status="queued", due_at=timezone.now())
    store(alice, envelope.rows_callback("f1", ROWS, 2.0, "whisper-1"))
    applying.apply_waiting()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert not job.record.versions.exists(), "the same text would come twice"
    assert states() == [State.APPLIED], "nothing is wrong with it"


def test_an_outcome_of_what_was_stopped_is_kept_and_not_called_applied(alice: User) -> None:
    job = file_job(alice)
    assert jobs.cancel(record_id=job.record_id)
    store(alice, envelope.rows_callback("f1", ROWS, 2.0, "whisper-1"))
    applying.apply_waiting()
    row = Callback.objects.get()
    assert (row.state, row.reason, row.job) == (State.UNUSED, applying.NO_MORE, job)
    assert applying.claim_all() == 0, "it is looked at again and again"
    assert not job.record.versions.exists()


def test_a_refusal_becomes_the_jobs_reason(alice: User) -> None:
    job = file_job(alice)
    store(alice, envelope.failed_callback("f1", 402, "Insufficient balance"))
    applying.apply_waiting()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "Insufficient balance" in job.reason
    assert states() == [State.APPLIED]


def test_a_message_of_a_stream_is_no_outcome(alice: User) -> None:
    job = file_job(alice)
    store(alice, turn("f1", 0, "Words."))
    applying.apply_waiting()
    assert states() == [State.UNREADABLE]
    job.refresh_from_db()
    assert job.status == Job.Status.AWAITING


# --- many ------------------------------------------------------------------------------------------------


def test_many_on_one_task_stay_fast(alice: User) -> None:
    """The last of many costs what the first did: nothing is read again for it. Drills make it ten thousand."""
    record = stream(alice, "t1")
    many = 10_000 if DRILLS else 1_500
    store(alice, *(turn("t1", n, f"Sentence number {n}.") for n in range(many)))
    applying.apply_waiting()
    assert Segment.objects.filter(version__record=record).count() == many
    begun = time.process_time()
    for n in range(many, many + 20):
        store(alice, turn("t1", n, f"Sentence number {n}."))
        applying.apply_waiting()
    assert (time.process_time() - begun) / 20 < 0.1
    assert Segment.objects.filter(version__record=record).count() == many + 20


@pytest.mark.parametrize("provider", ["assemblyai", "elevenlabs"])
def test_shuffled_callbacks_in_odd_batches_are_the_stream(alice: User, provider: str) -> None:
    chance = random.Random(provider)
    task = uuid.uuid4().hex
    make = (lambda n: turn(task, n, "Okay." if n % 5 == 0 else f"Sentence {n}.")) if provider == "assemblyai" else (
        lambda n: commit(task, "Okay." if n % 5 == 0 else f"Sentence {n}.", n * 2.0)
    )  # fmt: skip
    bodies = [make(n) for n in range(150) for _ in range(chance.choice([1, 1, 3]))]
    chance.shuffle(bodies)
    early, rest = bodies[:40], bodies[40:]
    store(alice, *early)
    applying.apply_waiting()
    record = stream(alice, task, provider)
    while rest:
        size = chance.randint(1, 60)
        store(alice, *rest[:size])
        rest = rest[size:]
        applying.apply_waiting()
    assert said(record) == ["Okay." if n % 5 == 0 else f"Sentence {n}." for n in range(150)]
    assert set(states()) == {State.APPLIED}
