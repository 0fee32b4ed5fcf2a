"""`refold`: from what providers said, word for word, the same text comes out, and corrections stay."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from memweb.accounts.models import User
from memweb.speech import actions as act
from memweb.speech import envelope
from memweb.speech.dialects import live_client
from memweb.speech.session import LiveSession
from tests.speech.test_stream import plain, timed, turn
from tests.transcripts import making, posting
from transcripts import services, streams
from transcripts.callbacks import applying
from transcripts.editor import editing
from transcripts.hearing import results
from transcripts.hearing.refold import refold
from transcripts.hearing.transcription import OF_VERSION
from transcripts.models import Job, Message, Record, Segment, Version

pytestmark = pytest.mark.django_db(transaction=True)


def rows(record: Record) -> list[dict[str, Any]]:
    return list(Segment.objects.filter(version__record=record).order_by("id").values())


def spoiled(record: Record) -> None:
    """As if an earlier memweb had read everything wrongly, save what a person has changed."""
    Segment.objects.filter(version__record=record, revision=0).update(text="wrong", words=[], speaker=None)


def dictated(owner: User, provider: str, talk: list[list[dict[str, Any]]]) -> Record:
    """A dictation through the real session: each list is a connection, dropped at its end."""
    record = services.open_record(id=uuid.uuid4(), owner_id=owner.pk, provider=provider, started_at=timezone.now())
    session = LiveSession(chance=lambda: 0.0)
    now = 0.0
    actions = session.start(now)
    for number, messages in enumerate(talk, 1):
        session.hear(16 * 60_000, now)
        client = live_client(provider)
        (connect,) = [action for action in actions if isinstance(action, act.Connect)]
        session.opened(number, now)
        for _ in range(60):
            now += 1
            session.tick(now)
        for sequence, message in enumerate(messages):
            raw = json.dumps(message)
            place = (record.pk, number, sequence, connect.offset_ms, provider)
            services.save_messages([services.MessageRow(*place, timezone.now(), raw)])
            for event in client.read(raw):
                for action in session.event(number, event, now):
                    if isinstance(action, act.Save):
                        services.save_final(record_id=record.pk, segment=action.segment)
                    elif isinstance(action, act.Revise):
                        services.revise_speaker(record_id=record.pk, key=action.key, speaker=action.speaker)
        session.closed(number, client.closed(1006, ""), now)
        now += 0.1
        actions = session.tick(now)
    return record


REVISION = {"type": "SpeakerRevision", "revisions": [{"turn_order": 0, "speaker_label": "B", "words": []}]}
TALKS = {
    "assemblyai": [[turn(0, "Good morning all."), turn(1, "And welcome.", formatted=False), turn(1, "And welcome."),
                    REVISION], [turn(0, "Good"), turn(3, "After the drop.")]],
    "elevenlabs": [[plain("Okay."), timed("Okay.", 0.5), timed("Okay.", 1.5), plain("Without times.")],
                   [timed("Once more.", 1.0)]],
}  # fmt: skip


@pytest.mark.parametrize("provider", TALKS)
def test_a_dictation_folds_to_the_same_rows(alice: User, provider: str) -> None:
    record = dictated(alice, provider, TALKS[provider])
    before = rows(record)
    assert len(before) >= 4
    assert refold(record_id=record.pk) == 0
    assert rows(record) == before
    spoiled(record)
    assert refold(record_id=record.pk) == len(before)
    assert rows(record) == before


def test_corrections_stay(alice: User) -> None:
    record = dictated(alice, "assemblyai", TALKS["assemblyai"])
    version = record.versions.get()
    first, second, *_ = version.segments.shown()
    editing.rewrite(version=version, keys=[first.key], revisions=[0], text="Corrected.", user_id=alice.pk)
    editing.remove(version=version, keys=[second.key], revisions=[0], user_id=alice.pk)
    before = rows(record)
    spoiled(record)
    refold(record_id=record.pk)
    assert rows(record) == before


def test_what_no_message_says_stays_in_a_dictation(alice: User) -> None:
    record = dictated(alice, "assemblyai", TALKS["assemblyai"])
    services.save_final(record_id=record.pk, segment=making.line("9-9", 50_000, "Its message was lost."))
    assert refold(record_id=record.pk) == 0
    assert Segment.objects.filter(version__record=record, key="9-9").exists()


def test_a_stream_folds_to_the_same_rows(alice: User) -> None:
    record = streams.begin(owner_id=alice.pk, title="Radio", provider="elevenlabs", task_id="t1")
    for start in (1.0, 9.0, 5.0):  # the last one comes late
        posting.store(alice, posting.commit("t1", f"At {start}.", start))
        applying.apply_waiting()
    version = record.versions.get()
    row = version.segments.get(start_ms=9000)
    editing.rewrite(version=version, keys=[row.key], revisions=[0], text="Corrected.", user_id=alice.pk)
    before = rows(record)
    assert refold(record_id=record.pk) == 0
    spoiled(record)
    Segment.objects.create(version=version, key="stray", order=99, start_ms=0, end_ms=1, text="stray")
    assert refold(record_id=record.pk) == 3
    assert rows(record) == before
    mine = Segment.objects.create(version=version, key="mine", order=99, start_ms=0, end_ms=1, text="m", revision=1)
    assert refold(record_id=record.pk) == 0, "what a person has changed is theirs, though nothing tells of it"
    assert Segment.objects.filter(pk=mine.pk).exists()


def test_a_files_results_fold_to_the_same_versions(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    record.versions.all().delete()
    Record.objects.filter(pk=record.pk).update(status=Record.Status.FINISHING, source="file", current_version=None)
    said = [{"start_time": n * 2.0, "end_time": n * 2.0 + 1, "text": f"Line {n}."} for n in range(3)]
    voices = [{"start": 0.0, "end": 3.5, "speaker": "SPEAKER_00"}, {"start": 3.6, "end": 9.0, "speaker": "SPEAKER_01"}]
    for task, kind, items in (("f1", "transcribe", said), ("f2", "speakers", voices), ("f3", "transcribe", said[:1])):
        due = timezone.now() + timedelta(hours=1)
        Job.objects.create(record=record, kind=kind, status="awaiting", due_at=due, task_id=task)
        posting.store(alice, envelope.rows_callback(task, items, 9.0, "whisper-1"))
        applying.apply_waiting()
    before = rows(record)
    assert [row["speaker_id"] is not None for row in before] == [True, True, True, False]
    assert refold(record_id=record.pk) == 0
    spoiled(record)
    assert refold(record_id=record.pk) == 4
    assert rows(record) == before


def test_speakers_told_late_fold_into_the_text_they_were_asked_for(alice: User) -> None:
    """Whisper listened once more before the older text's pass was retried."""
    record = making.dictation(alice, finished=False)
    record.versions.all().delete()
    Record.objects.filter(pk=record.pk).update(status=Record.Status.FINISHING, source="file", current_version=None)
    said = [{"start_time": n * 2.0, "end_time": n * 2.0 + 1, "text": f"Line {n}."} for n in range(2)]
    late = {OF_VERSION: 1}
    for task, kind, speaker, options in (
        ("f1", "transcribe", "", {}),
        ("f2", "transcribe", "", {}),
        ("f3", "speakers", "SPEAKER_02", {OF_VERSION: 2}),
        ("f4", "speakers", "SPEAKER_00", late),
        ("f5", "speakers", "SPEAKER_01", late),
    ):
        due = timezone.now() + timedelta(hours=1)
        Job.objects.create(record=record, kind=kind, status="awaiting", due_at=due, task_id=task, options=options)
        items = [{"start": 0.0, "end": 9.0, "speaker": speaker}] if speaker else said
        posting.store(alice, envelope.rows_callback(task, items, 9.0, "whisper-1"))
        applying.apply_waiting()
    before = rows(record)
    voices = [list(one.segments.values_list("speaker__label", flat=True)) for one in record.versions.all()]
    assert voices == [["SPEAKER_01"] * 2, ["SPEAKER_02"] * 2]
    assert refold(record_id=record.pk) == 0
    spoiled(record)
    assert refold(record_id=record.pk) == 4
    assert rows(record) == before
    of_first, of_second = (results.of_version(one) for one in record.versions.all())
    assert [(one.connection, one.sequence) for one in of_first] == [(1, 0), (1, 1), (1, 2)]
    assert [(one.connection, one.sequence) for one in of_second] == [(2, 0), (2, 1)]


def test_speakers_kept_by_an_older_memweb_fold_into_whispers_last_text(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    record.versions.all().delete()
    whisper = b'{"items":[{"start_time":0,"end_time":1,"text":"Line."}]}'
    for dialect, raw in (("whisper-1", whisper), ("elevenlabs", b"{}"), ("pyannote", b"{}")):
        services.keep_result(record_id=record.pk, dialect=dialect, raw=raw)
    first, second = (
        services.add_version(record_id=record.pk, kind=kind, model="x", language="en", segments=[])
        for kind in results.MADE_OF_RESULTS
    )
    assert [one.connection for one in results.of_version(first)] == [1, 3]
    assert [one.connection for one in results.of_version(second)] == [2]


def test_results_that_fit_no_version_change_nothing(alice: User) -> None:
    record = making.dictation(alice, "Live words.")
    services.add_version(
        record_id=record.pk,
        kind=Version.Kind.TRANSCRIBED,
        model="x",
        language="en",
        segments=[making.line("0", 0, "A.")],
    )
    for dialect, raw in (("batch:nobody", b"{}"), ("batch:pyannote", b"\xff"), ("batch:whisper-1", b'{"code":500}')):
        place = (record.pk, Message.objects.count() + 1, 0, 0, dialect)
        services.save_messages([services.MessageRow(*place, timezone.now(), raw)])
    before = rows(record)
    assert refold(record_id=record.pk) is None
    assert rows(record) == before


def test_the_command_says_what_came_of_it(alice: User, capsys: pytest.CaptureFixture[str]) -> None:
    record = dictated(alice, "assemblyai", TALKS["assemblyai"])
    services.rename(record_id=record.pk, title="Talk", user_id=alice.pk)
    bare = making.dictation(alice, "No messages.", title="Bare")
    call_command("refold")
    assert capsys.readouterr().out.splitlines() == ["Talk: the same", "Bare: nothing is kept to fold again"]
    Segment.objects.filter(key="1-0").update(text="wrong")
    call_command("refold", str(record.pk))
    assert capsys.readouterr().out == "Talk: 1 line came out otherwise\n"
    with pytest.raises(CommandError, match="There is no record"):
        call_command("refold", str(uuid.uuid4()), str(bare.pk))
