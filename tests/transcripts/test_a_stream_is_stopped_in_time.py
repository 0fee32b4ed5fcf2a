"""A stream at a hosted gateway costs until it is stopped: at its time, when no record could be made, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from memweb.accounts.models import User
from memweb.templatetags.addresses import folding
from memweb.upstream.address import Gateway
from tests.gateway_stand_in import Fault, StandIn
from tests.transcripts import making
from transcripts import streaming, streams
from transcripts.errors import LibraryError, Refused
from transcripts.files import asked
from transcripts.models import Job, Record
from transcripts.shown import wording

pytestmark = pytest.mark.django_db(transaction=True)
LIST_IT = "Its operator can list it in MEMWEB_ALLOW_PRIVATE_URLS."
ADDRESS = "rtsp://someone:secret@camera.example/1"
FOLDED = "rtsp://<wbr>camera<wbr>.example/<wbr>1"
"""As it is shown: without what was secret in it, and with places where a line may end."""


@pytest.fixture
def hosted(settings: Any) -> Iterator[StandIn]:
    with StandIn() as stand_in:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = stand_in.url, stand_in.key
        yield stand_in


def begun(user: User, minutes: int = 0) -> Record:
    return streaming.start(user=user, address=ADDRESS, provider="assemblyai", minutes=minutes)


def test_a_stream_whose_time_is_over_is_stopped_and_no_other(hosted: StandIn, alice: User) -> None:
    short, long, endless = (begun(alice, minutes).jobs.get().task_id for minutes in (30, 60, 0))
    assert streaming.look_after() == 0
    assert streaming.look_after(now=timezone.now() + timedelta(minutes=31)) == 1
    assert set(hosted.streams) == {long, endless}
    assert short not in hosted.streams


def test_a_gateway_that_does_not_answer_is_asked_again(hosted: StandIn, alice: User) -> None:
    begun(alice, minutes=1)
    later = timezone.now() + timedelta(minutes=2)
    hosted.faults.append(Fault("/audio-stream/stop", 503, "busy"))
    assert streaming.look_after(now=later) == 0
    assert streaming.look_after(now=later) == 1
    assert not hosted.streams


@pytest.mark.parametrize("status", [0, 429, 500])
def test_nobody_is_promised_a_second_try_at_starting_or_stopping(hosted: StandIn, alice: User, status: int) -> None:
    record = begun(alice)
    hosted.faults.extend([Fault("/audio-stream/start", status), Fault("/audio-stream/stop", status)])
    for again in (lambda: begun(alice), lambda: streaming.stop(record=record)):
        with pytest.raises(LibraryError, match=r"^The gateway .*\. Try again in a moment\.$"):
            again()


@pytest.mark.parametrize(("status", "marks"), [(500, False), (400, True)])
def test_the_address_is_marked_only_where_it_is_at_fault(
    hosted: StandIn, alice: User, client: Client, status: int, marks: bool
) -> None:
    client.force_login(alice)
    hosted.faults.append(Fault("/audio-stream/start", status, "No such address."))
    page = client.post("/streams/", {"address": "rtsp://chamber.example/live", "provider": "assemblyai"})
    assert page.status_code == 422
    assert ('id="address-why"' in page.content.decode()) == marks
    assert page.content.decode().count('role="alert"') == 1


@pytest.mark.parametrize(
    ("owns", "says"), [(True, "Its operator can list it in MEMWEB_ALLOW"), (False, "Ask who runs this memweb.")]
)
def test_this_machine_says_itself_what_it_cannot_pull(
    hosted: StandIn, alice: User, monkeypatch: pytest.MonkeyPatch, owns: bool, says: str
) -> None:
    monkeypatch.setattr(asked, "gateway_of", lambda user: Gateway(hosted.url, hosted.key, built_in=True))
    alice.is_superuser = owns
    hosted.faults.append(Fault("/audio-stream/start", 400, f"audio_url: The host x is private. {LIST_IT}"))
    with pytest.raises(Refused, match=f"^The host x is private. {says}"):
        begun(alice)


def test_a_stream_that_could_not_be_written_down_is_not_left_running(
    hosted: StandIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "begin", Mock(side_effect=OperationalError("database is locked")))
    with pytest.raises(OperationalError):
        begun(alice)
    assert [path.rpartition("/")[2] for path in hosted.paths()] == ["start", "stop"]
    assert not hosted.streams
    assert not Record.objects.exists()


def test_a_stream_of_another_gateway_is_not_taken_for_ended(hosted: StandIn, alice: User, settings: Any) -> None:
    record = begun(alice)
    settings.GATEWAY_URL = settings.GATEWAY_KEY = ""
    with pytest.raises(Refused, match="Another gateway pulls this stream"):
        streaming.stop(record=record)
    assert Job.objects.get().status == Job.Status.AWAITING
    settings.GATEWAY_URL, settings.GATEWAY_KEY = hosted.url, hosted.key
    streaming.stop(record=record)
    assert not hosted.streams


def test_what_is_kept_of_its_address_has_no_password(hosted: StandIn, alice: User) -> None:
    assert begun(alice, minutes=5).jobs.get().options["address"] == "rtsp://camera.example/1"


def test_an_address_folds_where_its_parts_meet() -> None:
    assert folding("rtsp://camera.example:8554/a/<b>?c=1&d") == (
        "rtsp://<wbr>camera<wbr>.example:8554/<wbr>a/&lt;b&gt;?c=<wbr>1&amp;<wbr>d"
    )
    for whole in ("about $1.20, $0.15 an hour", "127.0.0.1", "1 Dec, 14:05"):
        assert folding(whole) == whole


def test_a_stream_that_has_ended_is_listed_and_can_be_started_again_as_it_was(
    hosted: StandIn, alice: User, bob: User, client: Client
) -> None:
    record = streaming.start(
        user=alice, address=ADDRESS, provider="elevenlabs", language="pt", title="Harbour", minutes=30
    )
    again = f"/streams/{record.pk}/again/"
    client.force_login(alice)
    assert again not in client.get("/streams/air/").content.decode()
    streams.end(job=record.jobs.get(), sentence=streams.QUIET_END.format(hours=12))
    page = client.get("/streams/air/").content.decode()
    for told in ("Ended</h2>", ">Harbour</a>", FOLDED, "Did not start", "for 12 hours", again):
        assert told in page
    making.assert_focus_stays(page)
    for path in (f"/transcripts/{record.pk}/", "/transcripts/"):
        assert f'href="{again}"' in client.get(path).content.decode()
    form = client.get(again).content.decode()
    for field in (
        'value="rtsp://camera.example/1"', 'value="Harbour"', '<option value="pt" selected>',
        '<option value="elevenlabs" selected>', 'name="minutes" inputmode="numeric" value="30"',
        "the password or key in it was not kept",
    ):  # fmt: skip
        assert field in form
    assert "secret" not in form
    client.force_login(bob)
    assert client.get(again).status_code == 404
    assert "Harbour" not in client.get("/streams/air/").content.decode()


def test_the_price_of_an_hour_is_told_before_a_stream_is_started(
    hosted: StandIn, alice: User, client: Client, settings: Any
) -> None:
    client.force_login(alice)
    assert "AssemblyAI at $0.15 an hour</span>, " in client.get("/streams/").content.decode()
    settings.GATEWAY_URL = settings.GATEWAY_KEY = ""
    assert "an hour" not in client.get("/streams/").content.decode()
    settings.ELEVENLABS_API_KEY = "operators"
    assert ">ElevenLabs at $0.39 an hour<" in client.get("/streams/").content.decode()


def test_streams_that_have_ended_are_the_last_few(alice: User, client: Client) -> None:
    for number in range(12):
        record = streams.begin(owner_id=alice.pk, title=f"S{number}.", provider="assemblyai", task_id=str(number))
        streams.end(job=record.jobs.get(), sentence="", well=True)
    client.force_login(alice)
    page = client.get("/streams/air/").content.decode()
    assert [number for number in range(11, -1, -1) if f">S{number}.</a>" in page] == list(range(11, 1, -1))
    assert page.index(">S11.") < page.index(">S2.")
    assert page.count(">Stopped</span>") == 10


def test_a_record_says_where_its_stream_came_from_who_listened_and_what_it_cost(
    hosted: StandIn, alice: User, client: Client
) -> None:
    record = begun(alice)
    Record.objects.update(duration_ms=3_600_000)
    client.force_login(alice)
    for cost in ("about $0.15 so far, $0.15 an hour", "about $0.15, $0.15 an hour"):
        page = client.get(f"/transcripts/{record.pk}/").content.decode()
        for name, value in (("Address", FOLDED), ("Who listens", "AssemblyAI"), ("Cost", cost)):
            assert f'<li><span>{name}</span><span class="n">{value}</span></li>' in page
        assert "secret" not in page
        streams.end(job=record.jobs.get(), sentence="", well=True)


def test_a_stream_that_was_asked_to_stop_is_not_asked_again_and_ends_though_nobody_says_so(
    hosted: StandIn, alice: User
) -> None:
    """The gateway stopped it, and its last callback was lost on the way."""
    record = begun(alice, minutes=1)
    now = timezone.now()
    assert streaming.look_after(now=now + timedelta(minutes=2)) == 1
    asked = len(hosted.asked)
    assert streaming.look_after(now=now + timedelta(minutes=1, seconds=59)) == 0
    assert len(hosted.asked) == asked
    record.refresh_from_db()
    assert record.status == Record.Status.LIVE
    assert streaming.look_after(now=now + timedelta(minutes=3)) == 1
    record.refresh_from_db()
    assert (record.status, record.status_reason) == (Record.Status.READY, streams.UNTOLD_END)
    assert Job.objects.get().status == Job.Status.DONE


def test_words_that_follow_a_stop_are_waited_for(hosted: StandIn, alice: User) -> None:
    record = begun(alice)
    streaming.stop(record=record)
    later = timezone.now() + timedelta(minutes=3)
    Record.objects.update(last_heard_at=later - timedelta(minutes=1))
    assert streaming.look_after(now=later) == 0
    record.refresh_from_db()
    assert record.status == Record.Status.LIVE


def test_a_refusal_of_a_second_stop_is_a_stop(hosted: StandIn, alice: User) -> None:
    record = begun(alice)
    streaming.stop(record=record)
    streaming.stop(record=record)
    record.refresh_from_db()
    assert (record.status, record.status_reason) == (Record.Status.READY, "")
    assert Job.objects.get().status == Job.Status.DONE
    other = begun(alice)
    hosted.streams.clear()
    streaming.stop(record=other)
    other.refresh_from_db()
    assert other.status_reason == streams.UNKNOWN_END


@pytest.mark.parametrize("is_there", [True, False])
def test_a_stream_nobody_tells_anything_of_ends_in_words(hosted: StandIn, alice: User, is_there: bool) -> None:
    record = begun(alice)
    if not is_there:
        hosted.faults.append(Fault("/audio-stream/stop", 0))
    assert streaming.look_after(now=timezone.now() + timedelta(hours=11)) == 0
    assert streaming.look_after(now=timezone.now() + timedelta(hours=13)) == 1
    record.refresh_from_db()
    assert record.status == Record.Status.READY
    assert record.status_reason.startswith("The gateway has told nothing of this stream for 12 hours")
    assert bool(hosted.streams) is not is_there


def test_the_page_says_when_a_stream_stops_and_that_it_was_asked_to(
    hosted: StandIn, alice: User, client: Client
) -> None:
    record = begun(alice, minutes=30)
    client.force_login(alice)
    until = parse_datetime(record.jobs.get().options["until"])
    assert until is not None
    page = client.get("/streams/air/").content.decode()
    assert f'stops <span class="num">{wording.moment(until)}</span>' in page
    assert 'aria-label="Stop camera.example/1"' in page
    assert 'aria-label="open in the library: camera.example/1"' in page
    streaming.stop(record=record)
    page = client.get("/streams/air/").content.decode()
    assert "Stopping, the last words follow" in page
    assert "Live" not in page
    assert f"/streams/{record.pk}/stop/" not in page


def test_a_stream_is_stopped_on_its_own_page_too_and_once(hosted: StandIn, alice: User, client: Client) -> None:
    """Who starts one is led there."""
    record = begun(alice, minutes=30)
    until = parse_datetime(record.jobs.get().options["until"])
    assert until is not None
    client.force_login(alice)
    page = f"/transcripts/{record.pk}/"
    way = f'action="/streams/{record.pk}/stop/"'
    assert way in client.get(page).content.decode()
    Job.objects.update(begun_at=timezone.now())
    shown = client.get(f"{page}state/").content.decode()
    assert f"Live, stops {wording.moment(until)}<" in shown
    assert way in shown
    answer = client.post(f"/streams/{record.pk}/stop/", {"from": "record"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert not hosted.streams
    shown = client.get(page).content.decode()
    assert "Stopping, the last words follow" in shown
    assert way not in shown
