"""A link shows one record's text as it stands, to anybody, until it ends; of everything else it shows nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.guesses import ALLOWED, Guesses
from tests.house.test_hostile_text_is_shown_as_text import PAYLOADS, is_clean
from tests.transcripts import making
from transcripts import services
from transcripts.editor import editing
from transcripts.errors import Refused
from transcripts.models import Record, Recording, Share, Speaker, Version
from transcripts.taken_away import sharing

pytestmark = pytest.mark.django_db
GONE = "This link does not work any more."
PRIVATE = (
    "another version", "secret-model", "And another one", "a private note", "alice", "/transcripts/", "/settings/",
    "sign-in", "sign-out", "csrf", "data-edit", "/changes/",
)  # fmt: skip
SOUND = b"fLaC" + bytes(range(200))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Guesses:
    """Nobody has guessed yet."""
    monkeypatch.setattr(sharing, "guesses", Guesses())
    return sharing.guesses


@pytest.fixture
def record(alice: User) -> Record:
    made = making.dictation(alice, "A word for everybody.", "And another one.", title="Town <b>hall</b>")
    Recording.objects.create(record=made, path="x.flac", samples=5, size=204, pcm_sha256="0" * 64, peaks=b"12345")
    settings.AUDIO_DIR.mkdir()
    (settings.AUDIO_DIR / "x.flac").write_bytes(SOUND)
    services.add_mark(record_id=made.pk, at_ms=1000, note="a private note")
    return made


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def path(share: Share) -> str:
    return f"/shared/{sharing.token_of(share)}/"


def get(address: str, **headers: str) -> Any:
    """As a visitor whom nothing here knows."""
    verb = "head" if address.endswith("/audio/") else "get"  # as get, without opening a stream here
    return getattr(Client(), verb)(address, headers=headers)


def test_anybody_reads_it_without_signing_in(record: Record) -> None:
    response = get(path(sharing.make(record_id=record.pk)))
    html = response.content.decode()
    assert response.status_code == 200
    for words in ("Town &lt;b&gt;hall&lt;/b&gt;", "A word for everybody.", "0:05", "And another one."):
        assert words in html
    assert response.cookies == {}


def test_of_everything_else_it_shows_nothing(alice: User, record: Record) -> None:
    services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="secret-model", language="en",
        segments=[making.line("9", 0, "Words of another version.")],
    )  # fmt: skip
    version = record.current_version
    assert version is not None
    editing.rewrite(version=version, keys=["1-1"], revisions=[0], text="And a corrected one.", user_id=alice.pk)
    client = Client()
    client.force_login(alice)  # also where its owner looks: the page is the same
    html = client.get(path(sharing.make(record_id=record.pk, with_audio=True))).content.decode()
    assert "And a corrected one." in html, "it follows corrections"
    for private in (*PRIVATE, str(record.pk)):
        assert private not in html, private


def test_speakers_are_shown_as_they_are_called(record: Record) -> None:
    version = record.current_version
    assert version is not None
    voice = Speaker.objects.create(record=record, label="A", name="Dr <i>Osei</i>")
    version.segments.update(speaker=voice)
    assert "Dr &lt;i&gt;Osei&lt;/i&gt;" in get(path(sharing.make(record_id=record.pk))).content.decode()


def test_it_asks_not_to_be_listed_nor_told_on(record: Record) -> None:
    address = path(sharing.make(record_id=record.pk, with_audio=True))
    for one in (address, f"{address}peaks/", f"{address}audio/", "/shared/unknown/"):
        headers = get(one).headers
        assert "noindex" in headers["X-Robots-Tag"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert "private" in headers["Cache-Control"]
    html = get(address).content.decode()
    assert '<meta name="robots" content="noindex' in html
    assert '<meta name="referrer" content="no-referrer">' in html


def test_the_recording_is_there_only_where_the_link_says_so(record: Record) -> None:
    without, with_it = (path(sharing.make(record_id=record.pk, with_audio=sound)) for sound in (False, True))
    assert "<mem-player" not in get(without).content.decode()
    assert "data-seek" not in get(without).content.decode()
    for part in ("audio/", "peaks/", "voices/"):
        answer = get(without + part)
        assert answer.status_code == 404
    html = get(with_it).content.decode()
    assert f'data-peaks="{with_it}peaks/"' in html
    assert f'src="{with_it}audio/"' in html
    assert get(f"{with_it}peaks/").content == b"12345"
    assert get(f"{with_it}voices/").json()["runs"][0][0] == 0
    assert get(f"{with_it}audio/")["Content-Type"] == "audio/flac"


def test_the_sound_comes_in_ranges(record: Record) -> None:
    address = path(sharing.make(record_id=record.pk, with_audio=True)) + "audio/"
    assert get(address)["Accept-Ranges"] == "bytes"
    answer = get(address, Range="bytes=4-9")
    assert (answer.status_code, answer["Content-Range"]) == (206, "bytes 4-9/204")


def _stopped(share: Share) -> None:
    sharing.stop(record_id=share.record_id, pk=share.pk)


def _ran_out(share: Share) -> None:
    Share.objects.filter(pk=share.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def _binned(share: Share) -> None:
    services.bin_record(record_id=share.record_id)


def _owner_shut_out(share: Share) -> None:
    User.objects.update(is_active=False)


def _other_kind(share: Share) -> None:
    Share.objects.filter(pk=share.pk).update(kind=Share.Kind.CAPTIONS)


def _deleted(share: Share) -> None:
    Record.objects.all().delete()


@pytest.mark.parametrize("end", [_stopped, _ran_out, _binned, _owner_shut_out, _other_kind, _deleted])
def test_a_link_that_ended_says_so_as_an_unknown_one_does(end: Any, record: Record) -> None:
    share = sharing.make(record_id=record.pk, with_audio=True, days=7)
    address = path(share)
    assert get(address).status_code == 200
    end(share)
    unknown = get("/shared/x" * 3 + "/")
    for part in ("", "audio/", "peaks/", "voices/"):
        answer = Client().get(address + part)
        assert answer.status_code == 404
        assert answer.content == get("/shared/nobody-ever-made-this/").content
        assert GONE in answer.content.decode()
        assert "Town" not in answer.content.decode()
    assert unknown.status_code == 404


def test_out_of_the_bin_again_its_links_work_again(record: Record) -> None:
    address = path(sharing.make(record_id=record.pk))
    services.bin_record(record_id=record.pk)
    assert get(address).status_code == 404
    services.restore_record(record_id=record.pk)
    assert get(address).status_code == 200


def test_who_tries_many_links_waits_and_a_right_one_is_still_answered(record: Record) -> None:
    address = path(sharing.make(record_id=record.pk))
    answers = [get(f"/shared/guess-number-{i}/") for i in range(ALLOWED + 1)]
    assert [answer.status_code for answer in answers] == [404] * ALLOWED + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert get(address).status_code == 200
    assert get(f"{address}audio/").status_code == 404, "no guess: this link shows no recording"


def test_only_reading_is_possible(record: Record) -> None:
    address = path(sharing.make(record_id=record.pk))
    for verb in ("post", "put", "patch", "delete"):
        assert getattr(Client(), verb)(address).status_code == 405


def test_a_copy_of_the_database_opens_nothing(record: Record) -> None:
    share = sharing.make(record_id=record.pk)
    token = sharing.token_of(share)
    row = Share.objects.filter(pk=share.pk).values().get()
    assert token not in str(row)
    assert token.encode() not in bytes(row["sealed"])
    assert len(token) == 32
    assert get(f"/shared/{row['digest']}/").status_code == 404


def test_long_texts_come_in_parts(alice: User) -> None:
    record = making.dictation(alice, *[f"Sentence number {i}." for i in range(130)])
    address = path(sharing.make(record_id=record.pk))
    html = get(address).content.decode()
    assert "Sentence number 99." in html
    assert "Sentence number 100." not in html
    (onward,) = re.findall(r'href="([^"]*after=[^"]*)"', html)
    assert onward.startswith(address)
    rest = get(onward, **{"HX-Request": "true"}).content.decode()
    assert ("Sentence number 129." in rest, "<html" in rest) == (True, False)
    assert "<html" in get(onward).content.decode()
    assert get(f"{address}?after=x").status_code == 404


def test_what_is_being_spoken_goes_on_growing_until_it_is_over(alice: User) -> None:
    record = making.dictation(alice, "So far.", finished=False)
    address = path(sharing.make(record_id=record.pk))
    (onward,) = re.findall(r'hx-get="([^"]+)" hx-trigger="every 5s"', get(address).content.decode())
    services.save_final(record_id=record.pk, segment=making.line("1-9", 9000, "And on."))
    more = get(onward, **{"HX-Request": "true"}).content.decode()
    assert ("And on." in more, "So far." in more, "every 5s" in more) == (True, False, True)
    Record.objects.filter(pk=record.pk).update(status=Record.Status.READY)
    assert "every 5s" not in get(address).content.decode()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_is_shown_as_text(payload: str, alice: User) -> None:
    record = making.dictation(alice, payload, title=payload)
    html = get(path(sharing.make(record_id=record.pk, with_audio=True))).content.decode()
    is_clean(html)
    assert "mw-evil" in html


def test_hostile_tokens_find_nothing(db: None) -> None:
    for token in ("%00", "%ff%fe", "..%2f..", "a" * 5000, "%ED%A0%80", "<mw-evil>"):
        answer = get(f"/shared/{token}/")
        assert answer.status_code == 404
        is_clean(answer.content.decode())


# --- the owner's side ----------------------------------------------------------------------------------


def test_its_owner_makes_copies_and_stops_links(as_alice: Client, record: Record) -> None:
    at = f"/transcripts/{record.pk}/shares/"
    assert as_alice.post(at, {"days": "7", "with_audio": "on"}).status_code == 302
    share = Share.objects.get()
    assert share.with_audio
    assert share.expires_at is not None
    assert timedelta(days=6.9) < share.expires_at - timezone.now() <= timedelta(days=7)
    html = as_alice.get(at).content.decode()
    assert f"http://testserver{path(share)}" in html
    assert "text and recording" in html
    part = as_alice.post(f"{at}{share.pk}/stopping/", headers={"HX-Request": "true"}).content.decode()
    assert "That link does not work any more." in part
    assert path(share) not in part
    assert get(path(share)).status_code == 404
    assert as_alice.post(f"{at}{share.pk}/stopping/").status_code == 404


def test_one_that_ran_out_is_told_of_and_can_be_taken_off(as_alice: Client, record: Record) -> None:
    share = sharing.make(record_id=record.pk, days=1)
    _ran_out(share)
    html = as_alice.get(f"/transcripts/{record.pk}/shares/").content.decode()
    assert "ran out on" in html
    as_alice.post(f"/transcripts/{record.pk}/shares/{share.pk}/stopping/")
    assert "ran out on" not in as_alice.get(f"/transcripts/{record.pk}/shares/").content.decode()


@pytest.mark.parametrize("days", ["", "-1", "2", "x", "9" * 30])
def test_an_odd_period_is_until_it_is_stopped(days: str, as_alice: Client, record: Record) -> None:
    as_alice.post(f"/transcripts/{record.pk}/shares/", {"days": days})
    share = Share.objects.get()
    assert (share.expires_at, share.with_audio) == (None, False)


def test_what_is_being_spoken_is_shared_as_captions_or_as_text(alice: User, as_alice: Client) -> None:
    live = making.dictation(alice, "So far.", finished=False)
    at = f"/transcripts/{live.pk}/shares/"
    assert '<option value="captions">' in as_alice.get(at).content.decode()
    for kind in (Share.Kind.CAPTIONS, Share.Kind.TEXT):
        as_alice.post(at, {"kind": kind})
    captions, text = Share.objects.order_by("pk")
    html = as_alice.get(at).content.decode()
    assert f"http://testserver/captions/{sharing.token_of(captions)}/" in html
    assert f"http://testserver{path(text)}" in html
    assert "live captions" in html
    assert get(f"/captions/{sharing.token_of(captions)}/").status_code == 200
    assert get(path(captions)).status_code == 404, "each kind has its own address"
    assert get(f"/captions/{sharing.token_of(text)}/").status_code == 404


def test_nobody_else_makes_sees_or_stops_one(bob: User, record: Record) -> None:
    share = sharing.make(record_id=record.pk)
    at = f"/transcripts/{record.pk}/shares/"
    client = Client()
    for address in (at, f"{at}{share.pk}/stopping/"):
        assert client.post(address).status_code == 302
    client.force_login(bob)
    assert client.get(at).status_code == 404
    for address in (at, f"{at}{share.pk}/stopping/"):
        assert client.post(address).status_code == 404
    theirs = making.dictation(bob, "Mine.")
    assert client.post(f"/transcripts/{theirs.pk}/shares/{share.pk}/stopping/").status_code == 404
    assert Share.objects.get().revoked_at is None


def test_there_can_be_too_many_and_that_is_said(
    as_alice: Client, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "MOST", 1)
    sharing.make(record_id=record.pk)
    answer = as_alice.post(f"/transcripts/{record.pk}/shares/")
    assert (answer.status_code, sharing.TOO_MANY in answer.content.decode()) == (422, True)
    with pytest.raises(Refused):
        sharing.make(record_id=record.pk)


def test_a_link_sealed_with_a_lost_key_still_works_and_is_not_made_up(as_alice: Client, record: Record) -> None:
    share = sharing.make(record_id=record.pk, with_audio=True)
    address = path(share)
    Share.objects.update(sealed=b"sealed elsewhere")
    assert "it still works" in as_alice.get(f"/transcripts/{record.pk}/shares/").content.decode()
    html = get(address).content.decode()
    assert (f"{address}audio/" in html, str(record.pk) in html) == (True, False)
