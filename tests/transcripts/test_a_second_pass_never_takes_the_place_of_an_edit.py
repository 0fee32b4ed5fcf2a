"""The stronger engine's reading stands beside the live one, and is shown by itself only while nobody changed a word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from memweb.accounts.models import Preferences, User
from memweb.engines import batch
from memweb.engines.errors import EngineFailed, EngineMissing
from memweb.speech import transcript as speech
from tests.transcripts import making
from transcripts import jobs, queries, recordings, services
from transcripts.editor import carrying, editing
from transcripts.errors import Conflict
from transcripts.hearing import second_pass
from transcripts.models import Job, Record, Version

pytestmark = pytest.mark.django_db(transaction=True)
HEARD = [making.line("0", 100, "Hello there."), making.line("1", 3000, "How are you?")]
TIMELY = [HEARD[0], making.line("1", 4_800, "How are you?")]
"""Each about when it was spoken."""


def hears(
    monkeypatch: pytest.MonkeyPatch, segments: list[speech.Segment], *, during: Callable[[], object] = int
) -> None:
    """The engine stands in for itself here: what it hears is proved with it, in the tests that play speech."""

    def transcribe(
        path: Path, *, language: str | None, progress: Callable[[int], None], **_: object
    ) -> Iterator[speech.Segment]:
        assert path.read_bytes()[:4] == b"fLaC"
        assert language == "en"
        for number, segment in enumerate(segments, 1):
            progress(100 * number // len(segments))
            yield segment
        during()

    monkeypatch.setattr(batch, "transcribe", transcribe)
    monkeypatch.setattr(batch, "engine_name", lambda: "whisper-test")


@pytest.fixture
def record(alice: User) -> Record:
    made = making.dictation(alice, "hello there", "how are you", finished=False)
    making.spool(made, making.sound(4))
    return made


def sealed(record: Record) -> Job:
    services.finish(record_id=record.pk)
    jobs.run(job_id=Job.objects.get(record=record, kind="seal", status="queued").pk, work=recordings.seal)
    return Job.objects.get(record=record, kind="second_pass", status="queued")


def heard_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> tuple[Version, Version]:
    """Its live text, and the second pass's reading, which is shown."""
    hears(monkeypatch, HEARD)
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS
    return record.versions.get(kind=Version.Kind.LIVE), shown(record)


def shown(record: Record) -> Version:
    record.refresh_from_db()
    assert record.current_version is not None
    return record.current_version


def texts(version: Version) -> list[str]:
    return [segment.text for segment in version.segments.shown()]


def corrected(version: Version, key: str, text: str, person: User) -> None:
    assert editing.rewrite(version=version, keys=[key], revisions=[0], text=text, user_id=person.pk)


def test_an_untouched_record_shows_it_with_real_times_and_confidence(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears(monkeypatch, HEARD)
    job = sealed(record)
    jobs.run(job_id=job.pk, work=second_pass.make)
    job.refresh_from_db()
    assert (job.status, job.progress) == (Job.Status.DONE, 100)
    version = shown(record)
    assert (version.kind, version.model, version.number) == (Version.Kind.SECOND_PASS, "whisper-test", 2)
    assert [segment.text for segment in version.segments.shown()] == ["Hello there.", "How are you?"]
    assert version.segments.shown()[0].words == [["Hello", 100, 380, 0.9, 0], ["there.", 400, 680, 0.9, 0]]
    assert [segment.text for segment in queries.live_segments(record.pk)] == ["hello there", "how are you"]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_an_edited_record_keeps_its_text_and_has_it_beside(
    when: str, alice: User, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit() -> None:
        services.take_back(record_id=record.pk, key="1-1", user_id=alice.pk)

    hears(monkeypatch, HEARD, during=edit if when == "meanwhile" else int)
    if when == "before":
        edit()
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.LIVE
    assert Version.objects.filter(record=record, kind=Version.Kind.SECOND_PASS).count() == 1


def test_the_broken_twin_without_the_look_at_the_journal_the_edit_would_be_covered(
    alice: User, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears(monkeypatch, HEARD)
    services.take_back(record_id=record.pk, key="1-1", user_id=alice.pk)
    monkeypatch.setattr(queries, "is_edited", lambda record_id: False)
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS


def test_a_new_title_is_no_edit_of_what_was_said(alice: User, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)
    services.rename(record_id=record.pk, title="Greeting", user_id=alice.pk)
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS


def test_a_reading_without_a_word_never_covers_one_with_words(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, [])
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.LIVE


def test_a_failure_has_a_reason_and_the_live_text_stays(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)

    def broken(*args: object, **kwargs: object) -> Iterator[speech.Segment]:
        yield HEARD[0]
        raise EngineFailed("The speech engine stopped. Try again.")

    monkeypatch.setattr(batch, "transcribe", broken)
    job = sealed(record)
    jobs.run(job_id=job.pk, work=second_pass.make)
    job.refresh_from_db()
    assert (job.status, job.reason) == (Job.Status.QUEUED, "The speech engine stopped. Try again.")
    assert shown(record).kind == Version.Kind.LIVE
    assert Version.objects.filter(record=record).count() == 1
    assert record.status == Record.Status.READY


def test_a_missing_engine_is_said_once_and_not_tried_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)

    def missing() -> str:
        raise EngineMissing("No speech engine is installed.")

    monkeypatch.setattr(batch, "engine_name", missing)
    job = sealed(record)
    jobs.run(job_id=job.pk, work=second_pass.make)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.FAILED, 1)


def test_the_engine_that_heard_it_live_is_not_asked_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)
    services.note_model(record_id=record.pk, model="whisper-test")
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert Version.objects.filter(record=record).count() == 1


def test_text_that_two_engines_made_names_both_and_is_heard_anew(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears(monkeypatch, HEARD)
    for model in ("moonshine-tiny-en", "whisper-test", "whisper-test"):
        services.note_model(record_id=record.pk, model=model)
    assert shown(record).model == "moonshine-tiny-en, whisper-test"
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS


def not_all_heard(record: Record) -> Job:
    """Finished while the gateway was away, by somebody who wants no second pass; sealed by now."""
    Preferences.objects.update_or_create(user=record.owner, defaults={"second_pass": False})
    services.note_model(record_id=record.pk, model="whisper-test")
    services.finish(record_id=record.pk, unheard=services.unheard("The gateway does not answer."))
    jobs.run(job_id=Job.objects.get(record=record, kind="seal").pk, work=recordings.seal)
    return Job.objects.get(record=record, kind="second_pass", status="queued")


def test_what_was_not_heard_is_said_and_heard_whoever_listened_and_whatever_is_wanted(
    alice: User, record: Record, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    hears(monkeypatch, HEARD)
    job = not_all_heard(record)
    record.refresh_from_db()
    assert record.status_reason.startswith("The last words were not heard. The gateway does not answer. ")
    client.force_login(alice)
    assert record.status_reason in client.get(f"/transcripts/{record.pk}/").content.decode()
    jobs.run(job_id=job.pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS
    assert record.status_reason == "", "now they are there"


def test_where_corrections_keep_the_live_text_the_record_goes_on_offering_the_rest(
    alice: User, record: Record, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    hears(monkeypatch, HEARD)
    services.take_back(record_id=record.pk, key="1-1", user_id=alice.pk)
    job = not_all_heard(record)
    client.force_login(alice)
    assert "standing-again" not in client.get(f"/transcripts/{record.pk}/").content.decode(), "it is under way"
    jobs.run(job_id=job.pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.LIVE
    for page in (f"/transcripts/{record.pk}/", "/transcripts/"):
        seen = client.get(page).content.decode()
        assert record.status_reason in seen
        assert f'href="/transcripts/{record.pk}/again/"' in seen.split(record.status_reason)[1]
    services.show_version(record_id=record.pk, number=2)
    record.refresh_from_db()
    assert record.status_reason == ""


def test_going_on_to_a_whole_end_takes_the_sentence_back(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)
    services.finish(record_id=record.pk, unheard=services.unheard(""))
    services.reopen(record_id=record.pk)
    services.finish(record_id=record.pk)
    jobs.run(job_id=Job.objects.get(record=record, kind="seal", status="queued").pk, work=recordings.seal)
    record.refresh_from_db()
    assert (record.status, record.status_reason) == (Record.Status.READY, "")


def test_who_wants_none_gets_none(alice: User, record: Record) -> None:
    Preferences.objects.update_or_create(user=alice, defaults={"second_pass": False})
    services.finish(record_id=record.pk)
    jobs.run(job_id=Job.objects.get(record=record, kind="seal").pk, work=recordings.seal)
    assert not Job.objects.filter(record=record, kind="second_pass").exists()


def test_going_on_meanwhile_makes_the_reading_stale_and_it_is_made_anew(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on() -> None:
        services.reopen(record_id=record.pk)

    hears(monkeypatch, HEARD, during=go_on)
    job = sealed(record)
    jobs.run(job_id=job.pk, work=second_pass.make)
    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    assert Version.objects.filter(record=record).count() == 1
    hears(monkeypatch, HEARD)
    making.spool(record, making.sound(4) + making.sound(1, seed=3))
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    assert shown(record).kind == Version.Kind.SECOND_PASS


def test_going_on_shows_the_live_text_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    hears(monkeypatch, HEARD)
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    services.reopen(record_id=record.pk)
    assert shown(record).kind == Version.Kind.LIVE


def test_going_on_keeps_what_was_corrected_in_the_second_pass(
    alice: User, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears(monkeypatch, TIMELY)
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    corrected(shown(record), "1", "How are we?", alice)
    for number in (1, 2):
        services.reopen(record_id=record.pk)
        assert shown(record).kind == Version.Kind.LIVE
        assert texts(shown(record)) == ["hello there", "how are we?", "and more"][: number + 1]
        services.save_final(record_id=record.pk, segment=making.line("2-0", 8_000, "and more"))
        hears(monkeypatch, [*TIMELY, making.line("2", 8_000, "And more.")])
        making.spool(record, making.sound(4) + making.sound(1, seed=3) * number)
        jobs.run(job_id=sealed(record).pk, work=second_pass.make)
        assert texts(shown(record)) == ["hello there", "how are we?", "and more"]
        assert texts(record.versions.latest("number")) == ["Hello there.", "How are we?", "And more."]
    assert [segment.text for segment in carrying.original_of(shown(record))] == [
        "hello there", "how are you", "and more",
    ]  # fmt: skip


def test_a_correction_is_made_once_however_often_it_goes_over(alice: User) -> None:
    record = making.dictation(alice, "um so um we saw it")
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="other", language="en",
        segments=[making.line("0", 100, "Um, so, um, we saw it.")],
    )  # fmt: skip
    corrected(version, "0", "So, um, we never saw it.", alice)
    for _ in range(3):
        services.show_version(record_id=record.pk, number=version.number)
        services.reopen(record_id=record.pk)
        assert texts(shown(record)) == ["so um we never saw it"]


def test_a_correction_begun_before_the_second_pass_came_is_in_both(
    alice: User, client: Client, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page is older than the text shown now: nobody would see what is saved in the older one alone."""
    client.force_login(alice)
    live, version = heard_again(record, monkeypatch)

    def correct(segment: str, text: str) -> str:
        answer = client.post(
            f"/transcripts/{record.pk}/text/?version=1", {"segment": segment, "text": text},
            headers={"Accept": "text/x-paragraphs"},
        )  # fmt: skip
        assert answer.status_code == 200
        return answer.content.decode()

    both = "Saved in “Live text” and in “Second pass”. “Second pass” is shown and shared: reload the page"
    only = "Saved in “Live text” only. “Second pass” is shown and shared: reload the page"
    first, second = (f"{row.key}:{row.revision}" for row in live.segments.shown())
    assert both in correct(first, "hello Ann")
    assert texts(version) == ["Hello Ann", "How are you?"]
    assert both in correct(second, "how is he")
    assert texts(version) == ["Hello Ann", "How is he"]
    assert texts(live) == ["hello Ann", "how is he"]
    undone = client.post(f"/transcripts/{record.pk}/undoing/?version=1", headers={"Accept": "text/x-paragraphs"})
    assert only in undone.content.decode()
    assert texts(version) == ["Hello Ann", "How is he"]
    assert shown(record) == version


def test_what_was_corrected_in_the_second_pass_is_not_written_over_from_an_older_page(
    alice: User, client: Client, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    live, version = heard_again(record, monkeypatch)
    corrected(version, "0", "Hello, Bob.", alice)
    row = live.segments.shown()[0]
    said = client.post(
        f"/transcripts/{record.pk}/text/?version=1", {"segment": f"{row.key}:{row.revision}", "text": "hello Ann"},
        follow=True,
    ).content.decode()  # fmt: skip
    assert "Saved in “Live text” only. “Second pass” is shown and shared: reload the page to correct that." in said
    assert (texts(version)[0], texts(live)[0]) == ("Hello, Bob.", "hello Ann")


def test_who_corrects_the_second_pass_while_another_page_does_so_is_not_written_over(
    alice: User, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, version = heard_again(record, monkeypatch)
    corrected(live, live.segments.shown()[0].key, "hello Ann", alice)
    read, wrote, conflicts = threading.Event(), threading.Event(), []

    def correct_too() -> None:
        assert read.wait(20)
        try:
            corrected(version, "0", "Hello, Bob.", alice)
            wrote.set()
        except Conflict as conflict:
            conflicts.append(conflict)
        finally:
            connection.close()

    def slowly(target: Version, after: editing.Sides) -> None:
        read.set()
        assert not wrote.wait(0.5), "between what is read here and what is written"
        write(target, after)

    write = carrying._change
    monkeypatch.setattr(carrying, "_change", slowly)
    other = threading.Thread(target=correct_too)
    other.start()
    assert carrying.follow(source=live, target=version)
    other.join(60)
    assert len(conflicts) == 1
    assert texts(version)[0] == "Hello Ann"


@pytest.mark.speech
def test_the_real_engine_makes_a_reading_with_word_times(alice: User, wheel_speech: dict[str, Path]) -> None:
    from transcripts.management.commands.seed import _frames

    record = making.dictation(alice, "it was the best of times", finished=False)
    spool = recordings.spool_path(record.pk)
    spool.parent.mkdir(parents=True, exist_ok=True)
    frames = list(_frames(wheel_speech["two_cities"]))[:100]
    spool.write_bytes(b"".join(frames))
    jobs.run(job_id=sealed(record).pk, work=second_pass.make)
    version = shown(record)
    assert version.kind == Version.Kind.SECOND_PASS
    assert "best of times" in version.segments.shown()[0].text.lower()
    times = [word[1] for segment in version.segments.shown() for word in segment.words]
    assert len(times) > 15
    assert times == sorted(times)
    assert max(times) < 10_000
