"""A player may ask for any part of a recording, and gets that part and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.urls import reverse

from memweb.accounts.models import User
from memweb.ranges import range_of
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.models import Job, Record, Recording

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", None),
        ("bytes=0-", (0, 999)),
        ("bytes=0-0", (0, 0)),
        ("bytes=100-199", (100, 199)),
        ("bytes=990-5000", (990, 999)),
        ("bytes=-10", (990, 999)),
        ("bytes=-5000", (0, 999)),
        (" Bytes = 5-6", (5, 6)),
        ("bytes=6-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=--5", None),
        ("bytes=٣-٤", None),
        ("lines=0-5", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_a_range_is_what_it_says_or_passed_over(asked: str, found: tuple[int, int] | None) -> None:
    assert range_of(asked, 1000) == found


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(asked: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        range_of(asked, 1000)


@pytest.fixture
def record(alice: User) -> Record:
    made = making.dictation(alice, "hello", title='Über/Brücke \u202e"x"', finished=False)
    making.spool(made, making.sound(20))
    services.finish(record_id=made.pk)
    jobs.run(job_id=Job.objects.get(record=made).pk, work=recordings.seal)
    return made


class Ears:
    def __init__(self, client: AsyncClient, record: Record) -> None:
        self.client, self.address = client, reverse("record-audio", args=[record.pk])

    async def hear(self, query: str = "", verb: str = "get", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        response = await getattr(self.client, verb)(self.address + query, headers=headers)
        pieces = [piece async for piece in response.streaming_content] if response.streaming else [response.content]
        response.close()
        return response.status_code, b"".join(pieces), dict(response.headers)


@pytest.fixture
async def ears(alice: User, record: Record) -> AsyncIterator[Ears]:
    client = AsyncClient()
    await client.aforce_login(alice)
    yield Ears(client, record)
    await sync_to_async(connections.close_all)()  # in the thread the views ran in, which outlives the test


async def test_the_whole_file_comes_as_flac_and_says_that_parts_can_be_had(ears: Ears, record: Record) -> None:
    status, body, headers = await ears.hear()
    recording = await Recording.objects.aget(record=record)
    assert status == 200
    assert body == recordings.audio_path(recording).read_bytes()
    assert headers["Content-Type"] == "audio/flac"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Length"] == str(len(body)) == str(recording.size)


async def test_a_part_is_exactly_that_part(ears: Ears) -> None:
    _, whole, _ = await ears.hear()
    for asked, part in {
        "bytes=20000-20999": whole[20000:21000],
        "bytes=70000-": whole[70000:],
        "bytes=-7": whole[-7:],
        "bytes=65535-65536": whole[65535:65537],
    }.items():
        status, body, headers = await ears.hear(Range=asked)
        assert (status, body) == (206, part)
        first = whole.index(part)
        assert headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"
        assert headers["Content-Length"] == str(len(part))


async def test_a_part_that_is_not_there_is_a_416_with_the_size(ears: Ears) -> None:
    _, whole, _ = await ears.hear()
    status, body, headers = await ears.hear(Range=f"bytes={len(whole)}-")
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(whole)}"


async def test_head_tells_the_size_and_sends_nothing(ears: Ears) -> None:
    _, whole, _ = await ears.hear()
    status, body, headers = await ears.hear(verb="head")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(whole)))


async def test_what_the_browser_has_is_not_sent_again(ears: Ears) -> None:
    _, _, headers = await ears.hear()
    status, body, _ = await ears.hear(**{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


async def test_a_part_of_a_former_file_is_answered_with_the_whole_new_one(ears: Ears) -> None:
    _, whole, headers = await ears.hear()
    assert (await ears.hear(Range="bytes=0-9", **{"If-Range": headers["ETag"]}))[0] == 206
    status, body, _ = await ears.hear(Range="bytes=0-9", **{"If-Range": '"another"'})
    assert (status, body) == (200, whole)


async def test_no_piece_is_larger_than_a_window_so_memory_stays_flat(ears: Ears) -> None:
    response = await ears.client.get(ears.address)
    sizes = [len(piece) async for piece in response.streaming_content]
    response.close()
    assert len(sizes) > 1
    assert max(sizes) <= 64 * 1024


async def test_the_file_is_closed_when_a_listener_leaves_in_the_middle(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda *args, **kw: opened.append(real(*args, **kw)) or opened[-1])
    response = await ears.client.get(ears.address)
    assert len([piece async for piece, _ in _zip(response.streaming_content, range(1))]) == 1
    response.close()
    assert [file.closed for file in opened] == [True]


async def _zip(pieces, numbers):  # type: ignore[no-untyped-def]
    for number in numbers:
        yield await anext(aiter(pieces)), number


async def test_a_download_has_a_name_no_file_system_trips_over(ears: Ears, record: Record) -> None:
    from urllib.parse import unquote

    _, _, headers = await ears.hear("?download")
    disposition = unquote(headers["Content-Disposition"])
    assert disposition.startswith("attachment")
    assert disposition.endswith(f"{record.started_at:%Y-%m-%d} Über Brücke x.flac")


async def test_peaks_are_bytes(ears: Ears, record: Record) -> None:
    response = await ears.client.get(reverse("record-peaks", args=[record.pk]))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.content == recordings.peaks_of(making.sound(20))
    again = await ears.client.get(
        reverse("record-peaks", args=[record.pk]), headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


async def test_a_record_without_a_recording_has_nothing_to_play(alice: User, ears: Ears) -> None:
    silent = await sync_to_async(making.dictation)(alice, "hello")
    assert (await ears.client.get(reverse("record-audio", args=[silent.pk]))).status_code == 404
    assert (await ears.client.get(reverse("record-peaks", args=[silent.pk]))).status_code == 404
