"""Rows of files, streams and callbacks in every state, as they stand while nobody works on them: no worker runs beside.

Each function makes those of one person and tells the ids that a test asks for by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from memweb.accounts import services as accounts
from memweb.accounts.models import User
from memweb.speech import envelope
from tests.transcripts import making, posting
from transcripts import jobs, recordings, services, streams, uploads
from transcripts.callbacks import applying, hooks, letters
from transcripts.callbacks.inbox import Callback
from transcripts.models import Job, Record, Upload, Version

Ids = dict[str, str]
LATER = timedelta(days=1)
SAID = (
    "The footbridge at Mill Lane has been closed since the first week of November, and nobody has said for how long.",
    "We asked the council twice. The second answer was shorter than the first.",
    "There is a path along the river, which the school does not want the children to take.",
)
FUNDS = "The gateway’s balance is used up. Top it up, then retry."
LONG_NAME = "Reading group, the twenty-third evening, second half, with questions from the back of the room"
RESULT: dict[str, Any] = {
    "status": "completed", "language_code": "en", "text": " ".join(SAID), "audio_duration": 20,
    "words": [{"text": word, "start": 400 * at, "end": 400 * at + 300}
              for at, word in enumerate(" ".join(SAID).split())],
    "summary": "- The footbridge is closed.\n- The council has answered twice, and said little.",
    "chapters": [
        {"gist": "The footbridge", "headline": "The footbridge at Mill Lane is closed.",
         "summary": "Since November nobody can cross there, and nobody knows until when.", "start": 0, "end": 8000},
        {"gist": "The path", "headline": "There is a path, which the school does not like.", "summary": "It is steep.",
         "start": 13_000, "end": 20_000},
    ],
    "entities": [{"entity_type": "location", "text": "Mill Lane", "start": 1200, "end": 1900},
                 {"entity_type": "date", "text": "the first week of November", "start": 3600, "end": 5000}],
    "auto_highlights_result": {"results": [
        {"text": "first week", "count": 2, "rank": 0.5, "timestamps": [{"start": 3600, "end": 4500}]}]},
    "sentiment_analysis_results": [
        {"text": SAID[1], "start": 8000, "end": 13_000, "sentiment": "NEGATIVE", "confidence": 0.93, "speaker": "A"}],
    "iab_categories_result": {
        "results": [{"text": SAID[0], "timestamp": {"start": 0, "end": 8000},
                     "labels": [{"label": "Travel>Roads", "relevance": 0.81}]}],
        "summary": {"Travel>Roads": 0.9}},
    "content_safety_labels": {
        "results": [{"text": SAID[2], "timestamp": {"start": 13_000, "end": 20_000},
                     "labels": [{"label": "accidents", "confidence": 0.71, "severity": 0.2}]}],
        "summary": {"accidents": 0.71}, "severity_score_summary": {"accidents": {"low": 0.8, "high": 0.1}}},
    "a_word_of_tomorrow": {"unknown": True},
}  # fmt: skip


def person(name: str, gateway: str = "", key: str = "", options: dict[str, Any] | None = None) -> User:
    """Somebody who may use a gateway inside this network, and uses this one; else the one built in."""
    made = User.objects.create_superuser(name, password=None)
    if gateway:
        accounts.choose_gateway(user=made, chosen=accounts.ChosenGateway(gateway, key))
    if options:
        accounts.save_preferences(user=made, file_options=options)
    return made


# --- files --------------------------------------------------------------------------------------------------


def record(owner: User, title: str, *texts: str, status: str = "ready", ms: int = 0, **known: Any) -> Record:
    """A file's record, with text where there is any."""
    made = making.dictation(owner, *texts, title=title)
    if not texts:
        made.versions.all().delete()
    Version.objects.filter(record=made).update(kind=Version.Kind.TRANSCRIBED)
    length = ms or made.duration_ms
    Record.objects.filter(pk=made.pk).update(source="file", status=status, duration_ms=length, **known)
    made.refresh_from_db()
    return made


def job(made: Record, kind: str, status: str, **known: Any) -> Job:
    """One that nobody comes for: not due, and leased till tomorrow."""
    later = timezone.now() + LATER
    return Job.objects.create(record=made, kind=kind, status=status, due_at=later, lease_until=later, **known)


def heard(owner: User, title: str, *texts: str) -> Record:
    """A file's record with its recording: there is a player on its page."""
    made = making.dictation(owner, *texts, title=title, finished=False)
    making.spool(made, making.sound(20))
    services.finish(record_id=made.pk)
    jobs.run(job_id=Job.objects.get(record=made, kind="seal").pk, work=recordings.seal)
    Job.objects.filter(record=made).delete()
    Version.objects.filter(record=made).update(kind=Version.Kind.TRANSCRIBED)
    Record.objects.filter(pk=made.pk).update(source="file", status="ready")
    made.refresh_from_db()
    return made


def files(owner: User) -> Ids:
    """Records of files."""
    earlier = timezone.now() - timedelta(seconds=250)
    found: dict[str, Record] = {}

    def make(
        name: str, title: str, kind: str, standing: str, *texts: str, status: str = "finishing", **known: Any
    ) -> None:
        why = known.pop("why", "")
        found[name] = record(owner, title, *texts, status=status, ms=1_260_000, status_reason=why)
        job(found[name], kind, standing, **known)

    make("queued", "Third day", "prepare", "queued")
    make("reading", "Fourth day", "prepare", "running", progress=40)
    make("handing-over", "Fifth day", "transcribe", "running")
    make("running", "Second day", "transcribe", "running", asset_id="re_1", progress=40, begun_at=earlier)
    make("behind", "Sixth day", "transcribe", "queued")
    make("awaiting", "Seventh day", "transcribe", "awaiting", asset_id="re_2", task_id="wait" * 8)
    make("again-by-itself", "Eighth day", "transcribe", "queued", reason=f"The gateway is at capacity. {jobs.AGAIN}")
    make("speakers-run", "Choir practice", "speakers", "running", *SAID, status="ready", progress=60)
    make("speakers-failed", "Choir concert", "speakers", "failed", *SAID, status="ready",
         reason="The gateway is at capacity.")  # fmt: skip
    make("failed", "Voice memo 0113", "transcribe", "failed", status="failed", why=FUNDS)
    make("stopped", "Voice memo 0114", "transcribe", "cancelled", status="failed", progress=18)
    make("nothing-heard", "An empty room", "transcribe", "done", status="ready")
    make("again-failed", "Interview, Dr Osei", "transcribe", "failed", *SAID, status="ready", reason=FUNDS)
    make("again-running", "Interview, Dr Hall", "transcribe", "running", *SAID, status="ready", asset_id="re_3",
         progress=12, begun_at=earlier)  # fmt: skip
    found["panels"] = heard(owner, "A word on the footbridge", *SAID)
    services.keep_result(record_id=found["panels"].pk, dialect="assemblyai", raw=json.dumps(RESULT).encode())
    found["player"] = heard(owner, "Reading group", *SAID)
    version = Version.objects.get(record=found["player"])
    services.set_speakers(version=version, speakers={"1-0": "A", "1-1": "B", "1-2": "A"})
    return {name: str(made.pk) for name, made in found.items()}


def _row(owner: User, name: str, size: int, **known: Any) -> None:
    upload = uploads.begin(owner_id=owner.pk, name=name, size=9)
    Upload.objects.filter(pk=upload.pk).update(size=size, **known)


def _taken(
    owner: User, name: str, size: int, kind: str, standing: str, *, status: str = "finishing", **known: Any
) -> None:
    why, texts = known.pop("why", ""), known.pop("texts", ())
    made = record(owner, uploads.title_of(name), *texts, status=status, ms=2_728_000, status_reason=why)
    _row(owner, name, size, status="taken", record=made)
    job(made, kind, standing, **known)


def listed(owner: User) -> Ids:
    """Files on the upload page, one in each state that the server knows of."""
    now = timezone.now()
    earlier = now - timedelta(seconds=250)
    row, taken = partial(_row, owner), partial(_taken, owner)
    row("minutes-october.pages", 31_000, status="refused", reason="This is no recording. memweb reads WAV and others.")
    row("subtitles.srt", 12_000, status="refused", reason="No times are in it.")
    row("memweb-archive.zip", 88_000_000, status="brought_in", options={"told": "41 records"})
    former = record(owner, "Second half", *SAID)
    row("Interview, Dr Osei — second half.wav", 374_000_000, status="duplicate", duplicate_of=former)
    row("Gone since.wav", 3_000_000, status="duplicate")
    taken("Voice memo 0113.m4a", 31_000_000, "transcribe", "failed", status="failed", why=FUNDS)
    taken("Voice memo 0114.m4a", 31_000_000, "transcribe", "cancelled", status="failed", progress=18)
    taken("Tuesday stand-up.mp3", 9_000_000, "transcribe", "done", status="ready", texts=SAID, begun_at=earlier,
          ended_at=now)  # fmt: skip
    taken("Choir practice.ogg", 9_000_000, "speakers", "failed", status="ready", texts=SAID,
          reason="The gateway is at capacity.")  # fmt: skip
    taken("Choir concert.ogg", 9_000_000, "speakers", "running", status="ready", texts=SAID, progress=60)
    taken("Council hearing, second day.mp3", 121_000_000, "transcribe", "running", asset_id="re_4", progress=41,
          begun_at=earlier)  # fmt: skip
    taken("Council hearing, third day.mp3", 121_000_000, "transcribe", "queued")
    taken(
        "Council hearing, fourth day.mp3", 121_000_000, "transcribe", "awaiting", asset_id="re_5", task_id="calls" * 6
    )
    taken("Council hearing, fifth day.mp3", 121_000_000, "prepare", "running", progress=30)
    taken("Council hearing, sixth day.mp3", 121_000_000, "prepare", "queued")
    row("field-recording-mill-lane.wav", 1_200_000_000, offset=576_000_000)
    row("field-recording-weir.wav", 900_000_000)
    return {}


def done(owner: User) -> Ids:
    """Files that are at their end, for who clears them away, and some that failed: so many that they can be."""
    _row(owner, "memweb-archive.zip", 88_000_000, status="brought_in", options={"told": "41 records"})
    for number in range(13, 17):
        name = f"Voice memo 01{number}.m4a"
        _taken(owner, name, 31_000_000, "transcribe", "failed", status="failed", why=FUNDS)
    _taken(owner, "Tuesday stand-up.mp3", 9_000_000, "transcribe", "done", status="ready", texts=SAID)
    return {}


# --- streams ------------------------------------------------------------------------------------------------


class Air:
    """One person's streams: on the air, and ended."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        self.found: Ids = {}

    def begin(self, name: str, title: str, *told: bytes, provider: str = "assemblyai", **options: Any) -> None:
        """A stream of which this was told."""
        made = streams.begin(
            owner_id=self.owner.pk, title=title, provider=provider, language="en", task_id=name,
            options={streams.ADDRESS: f"rtsp://camera.example/{name}", **options},
        )  # fmt: skip
        posting.store(self.owner, *told)
        applying.apply_waiting()
        self.found[name] = str(made.pk)

    def heard_at(self, name: str, when: datetime) -> None:
        """From then on it is silent; what is to come keeps it as it is for as long as the test runs."""
        Record.objects.filter(pk=self.found[name]).update(last_heard_at=when)


def said(task: str, *texts: str, gap_before: int | None = None) -> list[bytes]:
    """A stream's callbacks; before the turn of this number sound is missing."""
    told = [posting.turn(task, order, text, start=9000 * order) for order, text in enumerate(texts)]
    if gap_before is not None:
        told.insert(gap_before, envelope.stream_callback(task, 0, envelope.gap(13)))
    return told


def interim(task: str, text: str) -> bytes:
    """Words that may still change."""
    words = [{"text": word, "start": 60_000, "end": 60_100, "confidence": 0.5, "word_is_final": False}
             for word in text.split()]  # fmt: skip
    message = {"type": "Turn", "turn_order": 9, "turn_is_formatted": False, "end_of_turn": False, "transcript": text,
               "end_of_turn_confidence": 0.1, "words": words}  # fmt: skip
    return envelope.stream_callback(task, 0, transcript=json.dumps(message))


def on_air(owner: User) -> Ids:
    """Streams in every state."""
    air, now = Air(owner), timezone.now()
    until = (now + LATER).isoformat()
    status = envelope.StreamStatus

    def ended(name: str, title: str, code: int, why: str, *told: bytes) -> None:
        air.begin(name, title, *told, envelope.stream_callback(name, code, why or None))

    ended("silent", "A silent camera", status.STOPPED, "")
    ended("by-source", "The morning broadcast", status.FAILED, envelope.SOURCE_ENDED, *said("by-source", *SAID))
    ended("by-person", "Stopped by hand", status.STOPPED, "", *said("by-person", *SAID))
    ended("broke-off", "The harbour radio", status.FAILED, "the connection was reset", *said("broke-off", *SAID[:1]))
    ended("not-begun", "No such camera", status.FAILED, "nothing answers at this address")
    ended("no-balance", "The evening broadcast", status.BALANCE, "", *said("no-balance", *SAID[:2]))
    ended("no-place", "The night broadcast", status.CAPACITY, "")
    Job.objects.filter(task_id="no-place").update(options={
        streams.ADDRESS: "rtsp://camera.example/no-place", streams.LACKS: True, "provider": "assemblyai",
        streams.UNTIL: (now + timedelta(minutes=45)).isoformat()})  # fmt: skip
    air.begin("stopping", "Council radio, at its end", *said("stopping", *SAID), **{streams.ASKED: until})
    air.begin("away", "Council radio, from the harbour", *said("away", *SAID[:2]))
    air.begin("connecting", "Council radio, a new one")
    air.begin("gap", "Council radio, after a gap", *said("gap", *SAID, gap_before=2))
    air.begin("live", "Council radio, evening", *said("live", *SAID), interim("live", "and then somebody"),
              **{streams.UNTIL: until})  # fmt: skip
    for name in ("connecting", "gap", "live", "stopping"):
        air.heard_at(name, now + LATER)
    air.heard_at("away", now - timedelta(seconds=40))
    Callback.objects.filter(task_id="live").update(arrived_at=now + LATER)
    return air.found


def stoppable(owner: User) -> Ids:
    """One stream that a hosted gateway pulls under this id."""
    air = Air(owner)
    gateway = accounts.gateway_of(owner).url
    air.begin("stop-me", "Council radio, hosted", *said("stop-me", *SAID))
    Record.objects.filter(pk=air.found["stop-me"]).update(gateway=gateway, last_heard_at=timezone.now() + LATER)
    Job.objects.filter(task_id="stop-me").update(gateway=gateway)
    return air.found


# --- callbacks ----------------------------------------------------------------------------------------------


def callbacks(owner: User) -> Ids:
    """Callbacks in every state; the number of each by its name."""
    found: Ids = {}

    def post(name: str, body: bytes) -> None:
        posting.store(owner, body, ids=True)
        found[name] = str(Callback.objects.filter(owner=owner).latest("pk").pk)

    streams.begin(owner_id=owner.pk, title="Council radio, evening", provider="assemblyai", task_id="ec24" * 8)
    for number, text in enumerate(SAID):
        post(f"applied-{number}", posting.turn("ec24" * 8, number, text))
    post("gap", envelope.stream_callback("ec24" * 8, 0, envelope.gap(13)))
    posting.store(owner, posting.turn("ec24" * 8, 1, SAID[1]), ids=True)  # it came before: counted, not kept twice
    Callback.objects.filter(pk=found["applied-0"]).update(signed=True)
    post("unclaimed", posting.turn("b7f0" * 8, 0, "Early."))
    for task, status in (("early" * 6, "running"), ("unused" * 5, "cancelled")):
        made = record(owner, f"The {task[:5]} one", status="finishing")
        job(made, "transcribe", status, task_id=task, asset_id="re_6")
        post(task[:5], envelope.rows_callback(task, [{"text": "Words."}], 1.0, "whisper-1"))
    post("malformed", b"no json at all")
    post("long", b'{"task_id": "' + b"x" * 300_000)
    post("failed", envelope.stream_callback("ec24" * 8, -1, "the source is gone, and so is whoever sent it"))
    applying.apply_waiting()
    post("stored", posting.turn("ec24" * 8, 9, "Not yet."))
    secret = hooks.path_of(owner).split("/")[2]
    letters.note_refused({hooks.digest_of(secret): (3, timezone.now())})
    return found


def made(what: Sequence[tuple[str, str, Callable[[User], Ids] | None]], gateway: str, key: str) -> dict[str, Ids]:
    """By person, what was made for them. `what`: a name, where their sound goes ("here" or "hosted"), their rows."""
    found: dict[str, Ids] = {}
    for name, where, make in what:
        owner = person(name, gateway, key) if where == "hosted" else person(name)
        found[name] = make(owner) if make else {}
    return found


def everything(gateway: str, key: str) -> dict[str, Ids]:
    """All of it. Who is not named here exists from the server's start."""
    return made(
        [
            ("newcomer", "here", None), ("hosted", "hosted", None), ("sender", "here", None),
            ("lister", "hosted", listed), ("tidy", "here", done), ("keeper", "here", files),
            ("listener", "here", on_air), ("stopper", "hosted", stoppable), ("called", "here", callbacks),
        ],
        gateway, key,
    )  # fmt: skip
