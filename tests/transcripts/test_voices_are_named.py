"""Naming voices and titles from the record's page: once, everywhere, and taken back in its turn."""

from __future__ import annotations

import html

import pytest
from django.test import Client

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import services
from transcripts.models import Record, Speaker, Version

pytestmark = pytest.mark.django_db
PAGES = {"headers": {"Accept": "text/x-paragraphs"}}


@pytest.fixture
def record(alice: User) -> Record:
    """Three voices that nobody named, who say a line each."""
    made = making.dictation(alice)
    lines = [making.line(label, place * 5_000, "so it was", speaker=label) for place, label in enumerate("ABC")]
    version = services.add_version(
        record_id=made.pk, kind=Version.Kind.SECOND_PASS, model="other", language="en", segments=lines
    )
    services.show_version(record_id=made.pk, number=version.number)
    return made


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def name(client: Client, record: Record, label: str, given: str) -> None:
    speaker = Speaker.objects.get(record=record, label=label)
    assert client.post(f"/transcripts/{record.pk}/speakers/{speaker.pk}/", {"name": given}).status_code == 302


def voices(record: Record) -> list[str]:
    record.refresh_from_db()
    assert record.current_version is not None
    return [str(row.speaker) for row in record.current_version.segments.shown()]


def test_two_voices_that_nobody_named_are_made_one_by_what_the_page_shows(as_alice: Client, record: Record) -> None:
    name(as_alice, record, "B", "a")
    assert voices(record) == ["A", "A", "C"]
    name(as_alice, record, "A", "Übung")
    name(as_alice, record, "C", "ÜBUNG")
    assert voices(record) == ["Übung", "Übung", "Übung"]


def test_the_page_is_loaded_anew_after_a_name_is_taken_back(as_alice: Client, record: Record) -> None:
    name(as_alice, record, "B", "Maya")
    undone = as_alice.post(f"/transcripts/{record.pk}/undoing/", **PAGES).content.decode()
    assert voices(record) == ["A", "B", "C"]
    assert " data-anew>" in undone
    as_alice.post(f"/transcripts/{record.pk}/text/", {"segment": "A:0", "text": "it is"}, **PAGES)
    undone = as_alice.post(f"/transcripts/{record.pk}/undoing/", **PAGES).content.decode()
    assert "so it was" in undone
    assert "data-anew" not in undone


def test_a_title_can_be_undone_though_nothing_else_was_changed(as_alice: Client, record: Record) -> None:
    undo = '<button class="btn quiet" type="button" data-edit="undo" aria-keyshortcuts="Control+Z"'
    assert f"{undo} disabled>" in as_alice.get(f"/transcripts/{record.pk}/").content.decode()
    as_alice.post(f"/transcripts/{record.pk}/title/", {"title": "Ferry"})
    assert f"{undo}>" in as_alice.get(f"/transcripts/{record.pk}/").content.decode()


def test_words_that_are_not_there_are_replaced_nowhere_and_that_is_said(as_alice: Client, record: Record) -> None:
    for words, told in {"zeppelin": "These words are not here.", "it": "Replaced in 3 places."}.items():
        said = as_alice.post(
            f"/transcripts/{record.pk}/replacement/", {"find": words, "put": "x", "whole": "on"}, follow=True
        )
        assert told in html.unescape(said.content.decode())
