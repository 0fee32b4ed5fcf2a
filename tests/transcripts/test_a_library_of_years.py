"""What many years bring: ten thousand records in the list, and a recording of half a day. No clock is looked at."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from memweb.accounts.models import User
from tests import media_files
from tests.transcripts.test_a_file_becomes_a_record import send, state, work
from transcripts import recordings, seeding
from transcripts.files import preparing
from transcripts.models import Job, Record, Recording

pytestmark = pytest.mark.django_db
FEW, MANY = 2, 10_000
HOURS = 12


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def statements(client: Client, rows: int = 30, **query: str) -> tuple[list[str], str]:
    """What the list asked of the database to show so many rows, and where the next ones are."""
    with CaptureQueriesContext(connection) as asked:
        html = client.get(reverse("library"), query).content.decode()
    assert html.count("<h3>") == rows
    onward = re.search(r'after=([^"&]+)"', html)
    return [one["sql"] for one in asked], onward[1] if onward else ""


def plan(sql: str) -> list[str]:
    """How the database goes about it, without what it does for each row that is shown."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN {sql}")
            return [line for (line,) in cursor.fetchall()]
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [detail for _, parent, _, detail in cursor.fetchall() if parent == 0]


def assert_read_from_an_index(sql: str) -> None:
    """The rows come in the order they are wanted in: whatever there is besides is neither read nor sorted."""
    said = plan(sql)
    if connection.vendor == "postgresql":
        assert not any(re.search(r"Seq Scan on transcripts_record\b|^\s*(->\s+)?Sort", line) for line in said), said
        assert any(re.search(r"Index Scan.* on transcripts_record\b", line) for line in said), said
    else:
        assert any(re.match(r"SEARCH transcripts_record USING (COVERING )?INDEX", line) for line in said), said
        assert not any("TEMP B-TREE" in line for line in said), said


def test_ten_thousand_records_are_asked_for_as_two_are(alice: User, client: Client) -> None:
    seeding.many(owner_id=alice.pk, records=FEW, each=1, index=False)
    few, _ = statements(client, FEW)
    seeding.many(owner_id=alice.pk, records=MANY - FEW, each=1, index=False)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE transcripts_record")
    first, after = statements(client)
    second, _ = statements(client, after=after)
    assert (len(first), len(second)) == (len(few), len(few)), "each row costs a statement"
    for asked in (first, second, statements(client, sort="oldest")[0]):
        lists = [sql for sql in asked if "first_words" in sql]
        assert lists
        for sql in lists:
            assert re.search(r" LIMIT \d+$", sql), "all of them are read"
            assert_read_from_an_index(sql)


def endless(path: Path, hours: int) -> Path:
    """A recording of so many hours in which nothing is said, in a few megabytes: one frame of AAC over and over."""
    rate, samples = 8000, 1024
    whole = media_files.make(path, np.zeros(8 * rate, np.int16), rate=rate).read_bytes()
    frames = []
    while whole:
        size = (whole[3] & 3) << 11 | whole[4] << 3 | whole[5] >> 5
        frames.append(whole[:size])
        whole = whole[size:]
    assert len({frames[20], frames[30], frames[40]}) == 1, "silence is not always the same"
    path.write_bytes(frames[20] * (hours * 3600 * rate // samples))
    return path


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.django_db(transaction=True)
def test_a_recording_of_half_a_day_is_kept_without_being_held_in_memory(
    alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sound is 1.4 GB. The child that decodes it has limits of its own."""
    held: list[int] = []

    def looked(pcm: bytes) -> bytes:
        held.append(resident())
        return recordings.peaks_of(pcm)

    monkeypatch.setattr(preparing, "peaks_of", looked)
    record = send(alice, endless(tmp_path / "night.aac", HOURS)).record
    assert record is not None
    work(Job.Kind.PREPARE)
    recording = Recording.objects.get(record=record)
    assert (recording.samples, Record.objects.get(pk=record.pk).duration_ms) == (
        HOURS * 3600 * 16_000,
        HOURS * 3_600_000,
    )
    assert len(recording.peaks) == HOURS * 36_000, "the waveform is not as long as the sound"
    assert state(record).words == "Queued"
    assert max(held) - held[0] < 50_000_000
