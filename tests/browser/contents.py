"""What stands on the pages while they are looked at: libraries, the rows of the gateway, links."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from memweb.accounts import services as people
from memweb.accounts.models import User
from memweb.gateway import keys, ledger, outbox
from memweb.gateway.models import ApiKey, Attempt, Delivery, Lane, WebhookEndpoint
from memweb.gateway.signature import new_secret
from memweb.speech.transcript import Segment, Word
from tests.transcripts import making
from transcripts import jobs, recordings, services, shelving
from transcripts.editor import editing, marking
from transcripts.management.commands.seed import TALK
from transcripts.models import Job, Record, Share
from transcripts.taken_away import sharing

LONG = (
    "Minutes of the harbour board, read into the record by the clerk because the projector had failed again, part two"
)
ARABIC = "مقابلة مع أمينة المكتبة عن أرشيف الميناء"
SAID_IN_ARABIC = [
    "بدأنا بتسجيل أصوات الميناء في صيف سنة ألف وتسعمئة وستّ وثمانين.",
    "كانت الأشرطة في صناديق بلا عناوين، ولم يستمع إليها أحد منذ ذلك الوقت.",
    "ثم جاءت مديرة المكتبة وسألت: من يتكلّم هنا؟",
]


def make() -> dict[str, Any]:
    """Everything; the ids and tokens that addresses need."""
    ann = User.objects.create_superuser("ann", password=None)
    bea = User.objects.create_user("bea", password=None)
    User.objects.create_user("new-here", password="a-good-long-one")
    made = {**_library(ann), **_gateway(ann)}
    lying = making.dictation(bea, "Out of the way.", title="Put away")
    shelving.archive(owner_id=bea.pk, ids=[lying.pk], archived=True)
    used = people.make_link(user=bea)
    people.use_link(token=used)
    return {**made, "used": used, "bea": bea.pk}


def _library(ann: User) -> dict[str, Any]:
    call_command("seed", user="ann", many=34, stdout=io.StringIO())
    talk = _conversation(ann)
    arabic = _in_arabic(ann)
    making.dictation(ann, "Nothing decided.", title=LONG, started_at=timezone.now() - timedelta(days=2))
    long = making.dictation(ann, "An address.", title="https://example.org/" + "harbour" * 20)
    silent = making.dictation(ann, title="Left running in an empty room")
    unfinished = making.dictation(ann, "Good evening, everybody.", title="Evening lecture", finished=False)
    binned = [making.dictation(ann, "Not needed.", title=f"Test {n}").pk for n in (1, 2, 3)]
    shelving.bin_records(owner_id=ann.pk, ids=binned)
    seeded = {title: Record.objects.get(owner=ann, title__startswith=title) for title in ("Voice", "Notes for", "Int")}
    shelving.tag(owner_id=ann.pk, ids=[talk.pk, arabic.pk, seeded["Int"].pk], name="radio")
    shelving.tag(owner_id=ann.pk, ids=[talk.pk], name="harbour archive")
    shelving.pin(owner_id=ann.pk, ids=[talk.pk], pinned=True)
    letter = Record.objects.get(owner=ann, title__startswith="Letter")
    shelving.archive(owner_id=ann.pk, ids=[letter.pk], archived=True)
    plain, sound, of_arabic, of_long = (
        sharing.make(record_id=one.pk, with_audio=audio, days=days)
        for one, audio, days in ((talk, False, 7), (talk, True, 0), (arabic, False, 0), (long, False, 0))
    )
    late = sharing.make(record_id=talk.pk, days=1)
    Share.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    captions = sharing.make(record_id=unfinished.pk, kind="captions")
    tokens = {
        "plain": plain,
        "sound": sound,
        "of_arabic": of_arabic,
        "of_long": of_long,
        "late": late,
        "captions": captions,
    }
    return {
        "talk": str(talk.pk), "arabic": str(arabic.pk), "silent": str(silent.pk), "unfinished": str(unfinished.pk),
        "binned": str(binned[0]), "failed": str(seeded["Voice"].pk), "live": str(seeded["Notes for"].pk),
        "panelled": str(_panelled(ann).pk), "interview": str(seeded["Int"].pk),
        **{name: sharing.token_of(share) for name, share in tokens.items()},
    }  # fmt: skip


def _spoken(*, changed: bool = False) -> list[Segment]:
    """The talk of three, twice over, every word timed; `changed`: as another listener heard it."""
    found, at = [], 800
    for number in range(2 * len(TALK)):
        voice, text = TALK[number % len(TALK)]
        text = text.replace("harbour", "harbor").replace("sixteen", "sixty") if changed else text
        words = []
        for word in text.split():
            sure = 0.31 if word.startswith(("sixteen", "batteries")) else 0.97
            words.append(Word(word, at, at + 230, sure))
            at += 270
        found.append(
            Segment(f"1-{number}", words[0].start_ms, at, text, tuple(words), speaker=voice[:1], language="en")
        )
        at += 700
    return found


def _conversation(ann: User) -> Record:
    """A minute with its sound, named voices, chapters, marks, corrections, and a second version beside it."""
    record = making.dictation(ann, title="The harbour archive: a conversation of three", finished=False)
    for segment in _spoken():
        services.save_final(record_id=record.pk, segment=segment)
    making.spool(record, making.sound(80))
    services.finish(record_id=record.pk)
    jobs.run(job_id=Job.objects.get(record=record, kind=Job.Kind.SEAL).pk, work=recordings.seal)
    jobs.cancel(record_id=record.pk)
    for speaker in record.speakers.all():
        name = {"M": "Maya", "D": "Dr Osei", "K": "Kwame"}[speaker.label]
        editing.rename_speaker(speaker=speaker, name=name, user_id=ann.pk)
    for at_ms, note, is_chapter in (
        (1_000, "How it began", True), (32_000, "Up the hill, with eleven kilos of machine and batteries", True),
        (45_000, "Ask for the first tape", False), (60_000, "", False),
    ):  # fmt: skip
        marking.add(record_id=record.pk, at_ms=at_ms, note=note, is_chapter=is_chapter)
    record.refresh_from_db()
    assert record.current_version is not None
    for key, text in (("1-2", "And you carried it up the hill by yourselves?"), ("1-4", "She still does that.")):
        editing.rewrite(version=record.current_version, keys=[key], revisions=[0], text=text, user_id=ann.pk)
    services.add_version(
        record_id=record.pk, kind="retranscribed", model="whisper-1", language="en", segments=_spoken(changed=True)
    )
    return record


def _in_arabic(ann: User) -> Record:
    record = making.dictation(ann, title=ARABIC)
    segments = [making.line(str(n), n * 9000, text, speaker="ل") for n, text in enumerate(SAID_IN_ARABIC)]
    version = services.add_version(
        record_id=record.pk, kind="imported", model="library.srt", language="ar", segments=segments
    )
    services.show_version(record_id=record.pk, number=version.number)
    Record.objects.filter(pk=record.pk).update(language="ar", source="import", duration_ms=27_000)
    return record


def _panelled(ann: User) -> Record:
    """A record of which a provider said more than its text."""
    told = {
        "status": "completed", "language_code": "en", "text": "Good morning Ann.", "audio_duration": 5,
        "words": [{"text": "Good", "start": 0, "end": 400}, {"text": "morning", "start": 500, "end": 900},
                  {"text": "Ann.", "start": 1000, "end": 1400}],
        "summary": "- They greet.\n- That is all.",
        "chapters": [{"gist": "Greeting", "headline": "Two people greet each other.", "summary": "At length.",
                      "start": 0, "end": 1400}],
        "entities": [{"entity_type": "person_name", "text": "Ann", "start": 1000, "end": 1400}],
        "auto_highlights_result": {"results": [
            {"text": "good morning", "count": 2, "rank": 0.5, "timestamps": [{"start": 0, "end": 900}]}]},
        "sentiment_analysis_results": [
            {"text": "Good morning Ann.", "start": 0, "end": 1400, "sentiment": "POSITIVE", "confidence": 0.93}],
    }  # fmt: skip
    record = making.dictation(ann, "Good morning, Ann.", title="A greeting")
    services.keep_result(record_id=record.pk, dialect="assemblyai", raw=json.dumps(told).encode())
    version = services.add_version(
        record_id=record.pk, kind="transcribed", model="best", language="en",
        segments=[making.line("0", 0, "Good morning Ann.")],
    )  # fmt: skip
    services.show_version(record_id=record.pk, number=version.number)
    return record


def _gateway(ann: User) -> dict[str, Any]:
    now = timezone.now()
    account = keys.account_of(user=ann)
    for name in ("Lecture room", "Nightly import of the town council’s recordings", "Former laptop", "Trial"):
        key, _ = keys.create_key(user=ann, name=name, streams_allowed=not name.startswith("Nightly"))
        if name == "Former laptop":
            keys.revoke_key(key=key)
    ApiKey.objects.filter(name="Lecture room").update(last_used_at=now - timedelta(minutes=3))
    ApiKey.objects.filter(name="Trial").update(expires_at=now - timedelta(days=2))
    hook = {"url": "https://hook.example.org/memweb", "secret": new_secret()}
    WebhookEndpoint.objects.create(account=account, **hook)
    for task, tries, state in (
        ("ec24" * 8, [200], "delivered"), ("b7f0" * 8, [None, 503], "waiting"), ("99aa" * 8, [500, 500], "given_up"),
    ):  # fmt: skip
        delivery = _delivery(account.pk, task)
        for status in tries:
            excerpt = {None: "No answer within 15 s.", 200: "ok", 500: "Internal Server Error", 503: "<b>Busy</b>"}
            Attempt.objects.create(delivery=delivery, at=now, ms=112, status=status, excerpt=excerpt[status])
        Delivery.objects.filter(pk=delivery.pk).update(state=state)
    Lane.objects.update(due_at=now + timedelta(minutes=4))
    for provider, minutes in (("elevenlabs", 90), ("assemblyai", 34), ("whisper-1", 12)):
        ledger.charge_file(
            account_id=account.pk,
            session=f"shown-{provider}",
            provider=provider,
            kind="file",
            audio_ms=minutes * 60_000,
        )
    return {}


@transaction.atomic
def _delivery(account_id: int, task: str) -> Delivery:
    made = outbox.enqueue(account_id=account_id, task_id=task, body=b"{}")
    assert made is not None
    return made
