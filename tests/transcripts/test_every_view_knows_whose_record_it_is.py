"""Alice owns, Bob is a stranger, the anonymous visitor is sent to sign in: for every view and verb of the library."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import services, urls
from transcripts.models import Record, Recording

pytestmark = pytest.mark.django_db

# name -> (verb, arguments after the id, query or form)
VIEWS: dict[str, tuple[str, list[str], dict[str, str]]] = {
    "record": ("get", [], {}),
    "record-segments": ("get", [], {}),
    "record-state": ("get", [], {}),
    "record-title": ("post", [], {"title": "New"}),
    "record-version": ("post", [], {"number": "1"}),
    "record-retry": ("post", [], {}),
    "record-stop": ("post", [], {}),
    "record-bin": ("post", [], {}),
    "record-restoration": ("post", [], {}),
    "record-audio": ("head", [], {}),  # as get, without opening a stream here
    "record-peaks": ("get", [], {}),
    "record-export": ("get", ["txt"], {}),
    "record-payloads": ("head", [], {}),  # likewise
    "record-moments": ("get", [], {"q": "private"}),
    "record-paragraph": ("post", [], {"do": "split", "at": "2", "segment": "1-0:0"}),
    "record-speaker": ("post", [], {"name": "Ann", "segment": "1-0:0"}),
    "record-replacement": ("post", [], {"find": "private", "put": "public"}),
    "record-undoing": ("post", [], {}),
    "record-journal": ("get", [], {}),
    "record-find": ("get", [], {"q": "private"}),
    "record-voices": ("get", [], {}),
    "record-panels": ("get", [], {}),
    "record-import": ("post", [], {}),
    "stream-again": ("get", [], {}),
}
# What takes two verbs, or something of the record's besides: held by the guard of every route (tests/house/guarded.py).
GUARDED = {
    "record-text",
    "record-export-form",
    "record-again",
    "record-shares",
    "record-marks",
    "record-mark",
    "record-mark-removal",
    "record-share-stopping",
    "record-comparison",
    "record-speaker-name",
    "record-edit-restoration",
    "record-result",
    "stream-stop",
}


@pytest.fixture
def record(alice: User) -> Record:
    made = making.dictation(alice, "A private word.", title="Mine")
    Recording.objects.create(record=made, path="x.flac", samples=5, size=5, pcm_sha256="0" * 64, peaks=b"12345")
    services.keep_result(record_id=made.pk, dialect="whisper-1", raw=b"{}")
    settings.AUDIO_DIR.mkdir()
    (settings.AUDIO_DIR / "x.flac").write_bytes(b"fLaC0")
    return made


def test_every_address_of_the_library_is_in_this_table() -> None:
    about_a_record = {pattern.name for pattern in urls.urlpatterns if "record_id" in str(pattern.pattern)}
    assert about_a_record == {*VIEWS, *GUARDED}


def ask(user: User | None, name: str, record: Record) -> int:
    client = Client()
    if user:
        client.force_login(user)
    verb, rest, data = VIEWS[name]
    response = getattr(client, verb)(reverse(name, args=[record.pk, *rest]), data)
    return int(response.status_code)


@pytest.mark.parametrize("name", VIEWS)
def test_the_owner_is_served(name: str, alice: User, record: Record) -> None:
    if name == "record-restoration":
        Record.objects.filter(pk=record.pk).update(deleted_at=record.created_at)
    expected = 302 if VIEWS[name][0] == "post" else 200
    assert ask(alice, name, record) == expected


@pytest.mark.parametrize("name", VIEWS)
def test_a_stranger_finds_nothing_and_changes_nothing(name: str, bob: User, record: Record) -> None:
    if name == "record-restoration":
        Record.objects.filter(pk=record.pk).update(deleted_at=record.created_at)
    before = Record.objects.values().get(pk=record.pk)
    assert ask(bob, name, record) == 404
    assert Record.objects.values().get(pk=record.pk) == before


@pytest.mark.parametrize("name", VIEWS)
def test_a_visitor_is_sent_to_sign_in(name: str, record: Record) -> None:
    assert ask(None, name, record) == 302
    assert Record.objects.get(pk=record.pk).title == "Mine"
    assert Record.objects.get(pk=record.pk).deleted_at is None


@pytest.mark.parametrize("name", VIEWS)
def test_nobody_is_told_which_ids_exist(name: str, alice: User, record: Record) -> None:
    missing = Record(pk=uuid.uuid4())
    assert ask(alice, name, missing) == 404


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "record-restoration"])
def test_what_is_in_the_bin_is_gone_for_its_owner_too(name: str, alice: User, record: Record) -> None:
    Record.objects.filter(pk=record.pk).update(deleted_at=record.created_at)
    assert ask(alice, name, record) == 404


@pytest.mark.parametrize("name", VIEWS)
def test_other_verbs_are_refused(name: str, alice: User, record: Record) -> None:
    client = Client()
    client.force_login(alice)
    verb, rest, _ = VIEWS[name]
    other: Callable[..., object] = client.get if verb == "post" else client.post
    assert other(reverse(name, args=[record.pk, *rest])).status_code == 405  # type: ignore[attr-defined]


def test_the_library_lists_its_owners_records_only(alice: User, bob: User, record: Record) -> None:
    making.dictation(bob, "Bob speaks of ferries.", title="Bob’s")
    client = Client()
    assert client.get(reverse("library")).status_code == 302
    client.force_login(alice)
    page = client.get(reverse("library")).content.decode()
    assert "Mine" in page
    assert "Bob’s" not in page
    assert "Bob’s" not in client.get(reverse("library"), {"q": "ferries"}).content.decode()


def test_the_broken_twin_without_the_lookup_a_stranger_would_read_along(
    bob: User, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transcripts.queries import RecordQuerySet

    client = Client()
    client.force_login(bob)
    address = reverse("record", args=[record.pk])
    monkeypatch.setattr(RecordQuerySet, "visible_to", lambda self, user: self.filter(deleted_at=None))
    assert client.get(address).status_code == 200
    monkeypatch.undo()
    assert client.get(address).status_code == 404
