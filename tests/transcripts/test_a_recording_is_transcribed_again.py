"""Transcribe again, from the record's page: another listener, language or model, as a version that covers nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.accounts.services import preferences_of
from tests.gateway_stand_in import Fault, StandIn
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.editor import editing
from transcripts.errors import Refused
from transcripts.hearing import again, speakers, transcription
from transcripts.models import Edit, Job, Record, Recording, Segment, Speaker, Version

pytestmark = pytest.mark.django_db(transaction=True)
WORK = {Job.Kind.TRANSCRIBE: transcription.transcribe, Job.Kind.SPEAKERS: speakers.tell}
ENGLISH = {"provider": "whisper-1", "language": "en", "speakers": "-1"}


def hears(sound: bytes) -> list[dict[str, Any]]:
    """The dictation's own two sentences, when they were said."""
    return [
        {"text": "It was the best of times.", "start_time": 0.0, "end_time": 1.9},
        {"text": "It was the worst of times.", "start_time": 5.0, "end_time": 6.9},
    ]


@pytest.fixture
def hosted(settings: Any) -> Iterator[StandIn]:
    with StandIn(ear=hears) as stand_in:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = stand_in.url, stand_in.key
        yield stand_in


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def record(alice: User) -> Record:
    """A sealed dictation of ten seconds, whose second pass somebody stopped."""
    made = making.dictation(alice, "it was the best of tines", "it was the worst of times", finished=False)
    making.spool(made, making.sound(10))
    services.finish(record_id=made.pk)
    jobs.run(job_id=Job.objects.get(record=made).pk, work=recordings.seal)
    jobs.cancel(record_id=made.pk)
    made.refresh_from_db()
    assert made.current_version is not None
    return made


def work(*, attempts: int = 4) -> None:
    for _ in range(attempts):
        job = Job.objects.filter(status=Job.Status.QUEUED, kind__in=list(WORK)).order_by("id").first()
        if job is None:
            return
        jobs.run(job_id=job.pk, work=WORK[Job.Kind(job.kind)])


def ask(client: Client, record: Record, **form: str) -> None:
    answer = client.post(f"/transcripts/{record.pk}/again/", ENGLISH | form)
    assert (answer.status_code, answer["Location"]) == (302, f"/transcripts/{record.pk}/")


def said(version: Version | None) -> list[str]:
    assert version is not None
    return [row.text for row in version.segments.shown()]


def newest(record: Record) -> Version:
    return record.versions.order_by("-number")[0]


def page(client: Client, record: Record, part: str = "") -> str:
    return client.get(f"/transcripts/{record.pk}/{part}").content.decode()


def test_it_becomes_a_version_of_its_own_and_is_shown_where_nobody_corrected(
    hosted: StandIn, as_alice: Client, record: Record
) -> None:
    before = record.current_version
    assert before is not None
    ask(as_alice, record)
    html = page(as_alice, record)
    assert "Queued" in html
    assert f"/transcripts/{record.pk}/stop/" in html
    assert "it was the best of tines" in html, "what there is can be read all the while"
    work()
    record.refresh_from_db()
    assert record.current_version == newest(record)
    assert (newest(record).kind, newest(record).model) == (Version.Kind.RETRANSCRIBED, "whisper-1")
    assert said(newest(record)) == ["It was the best of times.", "It was the worst of times."]
    assert said(before) == ["it was the best of tines", "it was the worst of times"]
    told = page(as_alice, record, f"state/?version={before.number}")
    assert "Show transcribed again" in told
    assert f"/comparison/{before.number}/{newest(record).number}/" in told


def test_corrected_text_stays_and_its_corrections_are_made_in_the_new_version_too(
    hosted: StandIn, alice: User, as_alice: Client, record: Record
) -> None:
    before = record.current_version
    assert before is not None
    editing.rewrite(
        version=before, keys=["1-1"], revisions=[0], text="it was the very worst of times", user_id=alice.pk
    )
    ask(as_alice, record)
    work()
    record.refresh_from_db()
    assert record.current_version == before
    assert said(newest(record)) == ["It was the best of times.", "It was the very worst of times."]
    html = page(as_alice, record)
    assert "your corrected text stays" in html
    assert f"/comparison/{newest(record).number}/{before.number}/" in html
    Version.objects.filter(pk=newest(record).pk).update(created_at=timezone.now() - timedelta(days=2))
    assert "your corrected text stays" not in page(as_alice, record)


def test_who_a_person_said_speaks_is_not_told_otherwise_by_the_pass_that_follows(
    hosted: StandIn, alice: User, as_alice: Client, record: Record
) -> None:
    before = record.current_version
    assert before is not None
    editing.assign(version=before, keys=["1-0", "1-1"], revisions=[0, 0], name="Ann", user_id=alice.pk)
    editing.assign(version=before, keys=["1-1"], revisions=[1], name="", user_id=alice.pk)
    ask(as_alice, record, speakers="0")
    work()
    rows = list(newest(record).segments.shown())
    assert str(rows[0].speaker) == "Ann"
    assert {str(row.speaker) for row in rows} - {"Ann"} <= {"SPEAKER_00", "SPEAKER_01", "None"}
    assert Job.objects.get(kind=Job.Kind.SPEAKERS).status == Job.Status.DONE


def test_the_form_asks_what_an_upload_asks_and_tells_the_price(
    hosted: StandIn, alice: User, as_alice: Client, record: Record
) -> None:
    Record.objects.filter(pk=record.pk).update(duration_ms=3_600_000)
    html = page(as_alice, record, "again/?provider=elevenlabs&language=pt")
    assert "about $0.39" in html
    assert "at $0.39 an hour" in html
    assert '<option value="pt" selected>' in html
    assert 'name="tag_audio_events"' in html
    assert "Tell apart, any number" in html
    short = as_alice.get(f"/transcripts/{record.pk}/again/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in short
    ask(as_alice, record, provider="elevenlabs", language="pt")
    job = Job.objects.get(kind=Job.Kind.TRANSCRIBE)
    assert (job.options["provider"], job.options["language"]) == ("elevenlabs", "pt")
    assert preferences_of(alice).file_options == {}, "what uploads ask for is another matter"


def test_a_language_that_was_not_told_is_none_that_was_found(hosted: StandIn, as_alice: Client, record: Record) -> None:
    """The hosted gateway's Whisper cannot be told one, nor how many speak: also where the form was an older one."""
    ask(as_alice, record, language="pt", speakers="3")
    job = Job.objects.get(kind=Job.Kind.TRANSCRIBE)
    assert (job.options["language"], job.options["speakers"]) == ("", 0)
    Job.objects.filter(pk=job.pk).update(options=job.options | {"language": "pt", "speakers": 3})
    work()
    assert newest(record).language == ""
    assert Segment.objects.filter(version=newest(record)).exclude(speaker=None).exists()
    assert not any("language" in one.body or "speakers" in one.body for one in hosted.asked if "generate" in one.path)


def test_on_this_machine_it_costs_nothing(as_alice: Client, record: Record) -> None:
    html = page(as_alice, record, "again/")
    assert "No cost" in html
    assert "This machine, no cost" in html


OFFERED = 'id="hear-again-link"'


def test_it_is_offered_where_it_can_be_done(hosted: StandIn, as_alice: Client, record: Record) -> None:
    assert OFFERED in page(as_alice, record)
    assert OFFERED in page(as_alice, record, "state/"), "a page that waited for it gets it without a reload"
    ask(as_alice, record)
    assert OFFERED not in page(as_alice, record)
    jobs.cancel(record_id=record.pk)
    services.reopen(record_id=record.pk)
    assert OFFERED not in page(as_alice, record)
    Record.objects.update(status="ready")
    Recording.objects.all().delete()
    html = page(as_alice, record)
    assert OFFERED not in html
    assert "<h2>Export</h2>" in html
    record.versions.all().delete()
    html = page(as_alice, record)
    assert "Export" not in html, "there is nothing of it"
    assert "shares/" not in html


def test_without_a_recording_it_is_refused_in_words(as_alice: Client, record: Record) -> None:
    Recording.objects.all().delete()
    assert again.NOTHING in page(as_alice, record, "again/")
    answer = as_alice.post(f"/transcripts/{record.pk}/again/", ENGLISH, follow=True)
    assert again.NOTHING in answer.content.decode()
    assert not Job.objects.filter(kind=Job.Kind.TRANSCRIBE).exists()


@pytest.mark.parametrize("kind", again.PENDING)
def test_while_something_is_done_with_it_it_is_refused_in_words(kind: str, as_alice: Client, record: Record) -> None:
    jobs.enqueue(record_id=record.pk, kind=kind)
    assert again.PENDING[kind] in page(as_alice, record, "again/")
    with pytest.raises(Refused, match=again.PENDING[kind].split(".")[0]):
        again.start(record_id=record.pk, options={})
    assert Job.objects.pending().filter(record=record).count() == 1


def test_what_is_being_recorded_is_not_transcribed_again(as_alice: Client, record: Record) -> None:
    services.reopen(record_id=record.pk)
    assert again.LIVE in page(as_alice, record, "again/")
    with pytest.raises(Refused):
        again.start(record_id=record.pk, options={})


def test_the_page_shows_how_far_it_is_and_about_how_long_it_takes(
    hosted: StandIn, as_alice: Client, record: Record
) -> None:
    ask(as_alice, record)
    begun = timezone.now() - timedelta(minutes=4)
    Job.objects.filter(kind=Job.Kind.TRANSCRIBE).update(status="running", asset_id="re_1", progress=40, begun_at=begun)
    for part in ("", "state/"):
        html = page(as_alice, record, part)
        assert '<progress class="prog" value="40" max="100" aria-label="Transcribing 40 %">' in html
        assert "about 6 min left" in html


def test_it_can_be_stopped_from_the_page(hosted: StandIn, as_alice: Client, record: Record) -> None:
    ask(as_alice, record)
    assert as_alice.post(f"/transcripts/{record.pk}/stop/").status_code == 302
    assert Job.objects.get(kind=Job.Kind.TRANSCRIBE).status == Job.Status.CANCELLED
    work()
    assert record.versions.count() == 1


def test_a_failure_leaves_the_text_and_says_why(hosted: StandIn, as_alice: Client, record: Record) -> None:
    hosted.faults.append(Fault("/sync-generate-audio", 402))
    ask(as_alice, record)
    work()
    html = page(as_alice, record)
    assert "Not transcribed again. The gateway&#x27;s balance is used up." in html
    assert "it was the best of tines" in html
    assert "Retry" in html


def test_a_record_that_never_got_its_text_may_get_it_elsewhere(
    hosted: StandIn, alice: User, as_alice: Client, record: Record
) -> None:
    Record.objects.filter(pk=record.pk).update(
        source="file", status="failed", status_reason="No.", current_version=None
    )
    record.versions.all().delete()
    assert "Nothing was heard" not in page(as_alice, record), "nobody has listened yet"
    ask(as_alice, record)
    assert "Queued" in page(as_alice, record)
    work()
    record.refresh_from_db()
    assert (record.status, said(record.current_version)[0]) == ("ready", "It was the best of times.")
    assert "Show transcript" in page(as_alice, record, "state/"), "a page that was opened without text offers it"


def test_what_was_taken_up_again_meanwhile_is_not_covered(hosted: StandIn, alice: User, record: Record) -> None:
    again.start(record_id=record.pk, options={})
    services.reopen(record_id=record.pk)
    work()
    record.refresh_from_db()
    assert record.current_version is not None
    assert record.current_version.kind == Version.Kind.LIVE


def test_nobody_else_may(alice: User, bob: User, record: Record) -> None:
    client = Client()
    for path in ("again", "stop"):
        assert client.post(f"/transcripts/{record.pk}/{path}/", ENGLISH).status_code == 302
    client.force_login(bob)
    for path in ("again", "stop"):
        assert client.post(f"/transcripts/{record.pk}/{path}/", ENGLISH).status_code == 404
    assert client.get(f"/transcripts/{record.pk}/again/").status_code == 404
    assert not Job.objects.filter(kind=Job.Kind.TRANSCRIBE).exists()
    client.force_login(alice)
    services.bin_record(record_id=record.pk)
    assert client.post(f"/transcripts/{record.pk}/again/", ENGLISH).status_code == 404


def test_names_given_before_hold_in_the_new_version(hosted: StandIn, as_alice: Client, record: Record) -> None:
    Speaker.objects.create(record=record, label="SPEAKER_00", name="<b>Ann</b>")
    ask(as_alice, record, speakers="0")
    work()
    html = page(as_alice, record)
    assert "&lt;b&gt;Ann&lt;/b&gt;" in html
    assert not Edit.objects.filter(record=record).exists()


def test_what_stands_in_the_way_can_be_stopped_from_the_page(as_alice: Client, record: Record) -> None:
    for kind in (Job.Kind.SECOND_PASS, Job.Kind.TRANSCRIBE, Job.Kind.SPEAKERS):
        jobs.enqueue(record_id=record.pk, kind=kind)
        assert f"/transcripts/{record.pk}/stop/" in page(as_alice, record), kind
        as_alice.post(f"/transcripts/{record.pk}/stop/")
        assert again.why_not(record) == ""


def test_a_voice_that_was_named_is_called_so_when_a_later_pass_tells_it(
    hosted: StandIn, alice: User, as_alice: Client, record: Record
) -> None:
    before = record.current_version
    assert before is not None
    voice = Speaker.objects.create(record=record, label="A")
    before.segments.update(speaker=voice)
    editing.rename_speaker(speaker=voice, name="Ann", user_id=alice.pk)
    ask(as_alice, record, speakers="0")
    work(attempts=1)
    assert [one[3] for one in newest(record).unplaced] == ["Ann"]
    work()
    assert {str(row.speaker) for row in newest(record).segments.shown()} == {"Ann"}
    assert newest(record).unplaced == []
