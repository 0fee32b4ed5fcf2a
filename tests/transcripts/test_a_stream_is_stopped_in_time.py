"""A stream at a hosted gateway costs until it is stopped: at its time, when no record could be made, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from memweb.accounts.models import User
from tests.gateway_stand_in import Fault, StandIn
from transcripts import streaming, streams
from transcripts.errors import Refused
from transcripts.models import Job, Record

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "rtsp://someone:secret@camera.example/1"


@pytest.fixture
def hosted(settings: Any) -> Iterator[StandIn]:
    with StandIn() as stand_in:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = stand_in.url, stand_in.key
        yield stand_in


def begun(user: User, minutes: int = 0) -> Record:
    return streaming.start(user=user, address=ADDRESS, provider="assemblyai", minutes=minutes)


def test_a_stream_whose_time_is_over_is_stopped_and_no_other(hosted: StandIn, alice: User) -> None:
    short, long, endless = (begun(alice, minutes).jobs.get().task_id for minutes in (30, 60, 0))
    assert streaming.stop_due() == 0
    assert streaming.stop_due(now=timezone.now() + timedelta(minutes=31)) == 1
    assert set(hosted.streams) == {long, endless}
    assert short not in hosted.streams


def test_a_gateway_that_does_not_answer_is_asked_again(hosted: StandIn, alice: User) -> None:
    begun(alice, minutes=1)
    later = timezone.now() + timedelta(minutes=2)
    hosted.faults.append(Fault("/audio-stream/stop", 503, "busy"))
    assert streaming.stop_due(now=later) == 0
    assert streaming.stop_due(now=later) == 1
    assert not hosted.streams


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
