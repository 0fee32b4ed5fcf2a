"""Random accounts: whatever rows there are, the archive of their copy is their archive, line by line."""

from __future__ import annotations

import json
import tempfile
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memweb.accounts.models import User
from memweb.speech.text import line
from transcripts import archive
from transcripts.callbacks.inbox import Callback
from transcripts.models import Edit, Job, Mark, Message, Record, Segment, Speaker, Tag, Version

pytestmark = pytest.mark.django_db(transaction=True)

# Every text that both databases can hold.
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=12)
LABELS = st.lists(TEXT.filter(bool), max_size=3, unique=True)
MOMENTS = st.integers(0, 10**15).map(lambda micros: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros))
MAYBE = st.none() | MOMENTS
SHORT = st.integers(0, 5)
LENGTHS = st.integers(-(2**63), 2**63 - 1)
CONFIDENCE = st.none() | st.floats(0, 1, width=32)
WORD = st.tuples(TEXT, st.integers(0, 10**7), st.integers(0, 10**7), CONFIDENCE, st.integers(0, 1)).map(list)


def of(choices: Any) -> st.SearchStrategy[str]:
    return st.sampled_from(choices.values)


@st.composite
def accounts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What to make of each record; pointers are places, taken modulo what there is."""
    record = st.fixed_dictionaries(
        {
            "record": st.fixed_dictionaries({
                "title": TEXT, "source": of(Record.Source), "status": st.sampled_from(["ready", "failed"]),
                "status_reason": TEXT, "language": TEXT, "provider": TEXT, "gateway": TEXT, "duration_ms": LENGTHS,
                "started_at": MOMENTS, "ended_at": MAYBE, "last_heard_at": MAYBE, "deleted_at": MAYBE,
                "archived_at": MAYBE, "pinned_at": MAYBE,
            }),
            "times": st.tuples(MOMENTS, MOMENTS),
            "shown": st.none() | SHORT,
            "tags": LABELS,
            "speakers": st.lists(st.tuples(TEXT, TEXT), max_size=3, unique_by=lambda pair: pair[0]),
            "versions": st.lists(st.tuples(of(Version.Kind), TEXT, MOMENTS), max_size=3),
            "segments": st.lists(st.fixed_dictionaries({
                "key": TEXT, "start_ms": LENGTHS, "end_ms": LENGTHS, "text": TEXT, "words": st.lists(WORD, max_size=3),
                "removed": st.booleans(), "opens": st.none() | st.booleans(), "channel": st.none() | SHORT,
                "revision": SHORT, "order": SHORT, "language": TEXT,
            }), max_size=5, unique_by=lambda row: row["key"]),
            "edits": st.lists(st.tuples(of(Edit.Kind), TEXT, MOMENTS, st.none() | SHORT, st.booleans()), max_size=4),
            "marks": st.lists(LENGTHS, max_size=3, unique=True),
            "messages": st.lists(st.binary(max_size=8), max_size=4),
            "jobs": st.lists(st.tuples(of(Job.Kind), st.sampled_from(["done", "failed", "cancelled"]), MOMENTS),
                             max_size=2),
            "callbacks": st.lists(st.binary(max_size=8), max_size=2),
        }
    )  # fmt: skip
    return draw(st.lists(record, max_size=3))


def make(owner: User, said: dict[str, Any]) -> None:
    record = Record.objects.create(id=uuid.uuid4(), owner=owner, **said["record"])
    names = {line(name) for name in said["tags"]} - {""}
    record.tags.add(*(Tag.objects.get_or_create(owner=owner, name=name)[0] for name in names))
    speakers = [Speaker.objects.create(record=record, label=label, name=name) for label, name in said["speakers"]]
    versions = []
    for number, (kind, model, moment) in enumerate(said["versions"]):
        versions.append(Version.objects.create(record=record, number=number * 3, kind=kind, model=model))
        Version.objects.filter(pk=versions[-1].pk).update(created_at=moment)
    for place, fields in enumerate(said["segments"] if versions else []):
        speaker = speakers[place % len(speakers)] if speakers and place % 2 else None
        Segment.objects.create(version=versions[place % len(versions)], speaker=speaker, **fields)
    edits: list[Edit] = []
    for kind, text, moment, undone, mine in said["edits"]:
        undoes = edits[undone % len(edits)] if edits and undone is not None else None
        edits.append(Edit.objects.create(
            record=record, kind=kind, segment_key=text, before={"segments": {text: None}}, after={"title": text},
            undoes=undoes, user=owner if mine else None, version=versions[-1] if versions and mine else None,
        ))  # fmt: skip
        Edit.objects.filter(pk=edits[-1].pk).update(made_at=moment)
    Mark.objects.bulk_create(Mark(record=record, at_ms=at, note="n") for at in said["marks"])
    for place, raw in enumerate(said["messages"]):
        Message.objects.create(record=record, connection=place % 2, sequence=place, offset_ms=-place, dialect="x",
                               arrived_at=record.started_at, raw=raw)  # fmt: skip
    for kind, status, moment in said["jobs"]:
        job = Job.objects.create(record=record, kind=kind, status=status, due_at=moment, task_id=str(uuid.uuid4()))
        for raw in said["callbacks"]:
            Callback.objects.create(owner=owner, arrived_at=moment, raw=raw, digest="d", job=job, state="applied")
    shown = versions[said["shown"] % len(versions)].pk if versions and said["shown"] is not None else None
    created, updated = said["times"]
    Record.objects.filter(pk=record.pk).update(created_at=created, updated_at=updated, current_version=shown)


def lines(path: Path) -> list[bytes]:
    """Each record's lines, without the names that must not meet twice in one house."""
    found = []
    with zipfile.ZipFile(path) as zip:
        for name in zip.namelist():
            if name.startswith("records/"):
                told = [json.loads(row) for row in zip.read(name).split(b"\n") if row]
                for _, fields in told:
                    fields.pop("task_id", None)
                found.append(json.dumps(told).encode())
    return sorted(found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accounts())
def test_the_copy_tells_the_same(alice: User, bob: User, account: list[dict[str, Any]]) -> None:
    Record.objects.all().delete()
    Tag.objects.all().delete()
    for said in account:
        make(alice, said)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "1.zip", Path(folder) / "2.zip"
        first.write_bytes(b"".join(archive.pack(owner=alice)))
        brought = archive.bring_in(first, owner=bob)
        assert (brought.came, brought.trouble) == (len(account), [])
        second.write_bytes(b"".join(archive.pack(owner=bob)))
        assert lines(second) == lines(first)
        for path in (first, second):
            again = archive.bring_in(path, owner=bob)
            assert (again.came, again.here) == (0, len(account))
