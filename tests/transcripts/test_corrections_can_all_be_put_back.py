"""Corrections: one entry of the journal each, seen by whoever comes later, and put back to the last byte."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import transaction

from memweb.accounts.models import User
from memweb.speech import text as texts
from tests.transcripts import making
from transcripts import queries, search, services
from transcripts.editor import carrying, changes, editing
from transcripts.errors import Conflict, LibraryError, Refused
from transcripts.models import Edit, Record, Segment, Speaker, Version
from transcripts.values import segment_value

Shown = list[tuple[Any, ...]]


def paragraph(version: Version, *keys: str) -> dict[str, Any]:
    """What a page sends of the paragraph it shows."""
    rows = list(version.segments.filter(key__in=keys).order_by("start_ms", "order"))
    return {"version": version, "keys": [row.key for row in rows], "revisions": [row.revision for row in rows]}


def everything(version: Version) -> Shown:
    """All that is kept of a version but who saw it when."""
    fields = ["key", "order", "start_ms", "end_ms", "speaker__label", "channel", "language", "text", "words", "removed"]
    return list(version.segments.order_by("start_ms", "order", "key").values_list(*fields, "opens"))


def texts_of(version: Version) -> list[str]:
    return [row.text for row in version.segments.shown()]


@pytest.fixture
def version(alice: User) -> Version:
    record = making.dictation(alice)
    lines = [
        making.line("1-0", 0, "so when did you first", speaker="A"),
        making.line("1-1", 2_000, "realise that it mattered?", speaker="A"),
        making.line("1-2", 9_000, "not at the time certainly", speaker="B"),
        making.line("1-3", 20_000, "and you carried it up?", speaker="A"),
    ]
    made = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="whisper", language="en", segments=lines
    )
    services.show_version(record_id=record.pk, number=made.number)
    return made


def test_a_correction_changes_the_text_and_the_journal_keeps_what_was(version: Version, alice: User) -> None:
    edit = editing.rewrite(**paragraph(version, "1-2"), text="Not at that time, certainly.", user_id=alice.pk)
    assert edit is not None
    assert texts_of(version)[2] == "Not at that time, certainly."
    assert edit.before["segments"]["1-2"]["text"] == "not at the time certainly"
    row = version.segments.get(key="1-2")
    assert [word[4] for word in row.words] == [0, 0, 1, 0, 0]
    assert row.revision == 1


def test_a_text_that_reads_as_before_is_no_correction(version: Version, alice: User) -> None:
    shown = texts.join(texts_of(version)[:2], "en")
    assert editing.rewrite(**paragraph(version, "1-0", "1-1"), text=shown, user_id=alice.pk) is None
    assert not Edit.objects.filter(version=version).exists()


def test_a_minute_of_typing_is_one_step_to_undo(version: Version, alice: User) -> None:
    before = everything(version)
    began = editing.rewrite(**paragraph(version, "1-2"), text="not at that time", user_id=alice.pk)
    assert began is not None
    again = editing.rewrite(**paragraph(version, "1-2"), text="never", user_id=alice.pk, goes_on=began.pk)
    assert again is not None
    assert again.pk == began.pk
    editing.undo(version=version, user_id=alice.pk)
    assert everything(version) == before


def test_typing_that_was_interrupted_is_two_steps(version: Version, alice: User) -> None:
    began = editing.rewrite(**paragraph(version, "1-2"), text="not at that time", user_id=alice.pk)
    assert began is not None
    editing.rewrite(**paragraph(version, "1-3"), text="and up?", user_id=alice.pk)
    editing.rewrite(**paragraph(version, "1-2"), text="never", user_id=alice.pk, goes_on=began.pk)
    assert Edit.objects.filter(version=version).count() == 3


def test_who_saw_an_older_text_is_told_and_overwrites_nothing(version: Version, alice: User, bob: User) -> None:
    seen = paragraph(version, "1-2")
    editing.rewrite(**seen, text="mine", user_id=alice.pk)
    with pytest.raises(Conflict):
        editing.rewrite(**seen, text="theirs", user_id=bob.pk)
    with pytest.raises(Conflict):
        editing.rewrite(version=version, keys=["gone"], revisions=[0], text="x", user_id=bob.pk)
    assert texts_of(version)[2] == "mine"


def test_a_paragraph_splits_and_joins_where_the_caret_stands(version: Version, alice: User) -> None:
    editing.split(**paragraph(version, "1-2"), at=len("not at the"), user_id=alice.pk)
    assert texts_of(version)[2:4] == ["not at the", "time certainly"]
    second = version.segments.get(text="time certainly")
    assert second.opens is True
    assert second.speaker is not None
    assert second.speaker.label == "B"
    paragraphs = list(texts.paragraphs(map(segment_value, version.segments.shown())))
    assert len(paragraphs) == 4
    editing.join(**paragraph(version, second.key), user_id=alice.pk)
    assert len(list(texts.paragraphs(map(segment_value, version.segments.shown())))) == 3


def test_a_split_between_two_segments_cuts_neither(version: Version, alice: User) -> None:
    shown = texts.join(texts_of(version)[:2], "en")
    at = shown.index("realise")
    editing.split(**paragraph(version, "1-0", "1-1"), at=at, user_id=alice.pk)
    editing.split(**paragraph(version, "1-2"), at=3, user_id=alice.pk)
    assert version.segments.get(key="1-1").opens is True
    assert version.segments.count() == 5
    editing.split(**paragraph(version, "1-0", "1-1"), at=at - 1, user_id=alice.pk)
    assert version.segments.count() == 5


def test_a_paragraph_can_be_split_between_words_only_and_the_first_has_none_before_it(
    version: Version, alice: User
) -> None:
    with pytest.raises(Refused):
        editing.split(**paragraph(version, "1-2"), at=0, user_id=alice.pk)
    with pytest.raises(Refused):
        editing.join(**paragraph(version, "1-0", "1-1"), user_id=alice.pk)
    with pytest.raises(Refused):
        editing.rewrite(**paragraph(version, "1-2"), text="x" * 20_001, user_id=alice.pk)


def test_a_joined_paragraph_is_said_by_the_voice_before_it(version: Version, alice: User) -> None:
    editing.join(**paragraph(version, "1-2"), user_id=alice.pk)
    row = version.segments.select_related("speaker").get(key="1-2")
    assert row.speaker is not None
    assert row.speaker.label == "A"


def test_speakers_are_named_once_and_everywhere_assigned_and_merged(version: Version, alice: User) -> None:
    speaker = Speaker.objects.get(record=version.record, label="A")
    assert editing.rename_speaker(speaker=speaker, name=" Maya ", user_id=alice.pk) is not None
    assert editing.rename_speaker(speaker=speaker, name="Maya", user_id=alice.pk) is None
    editing.assign(**paragraph(version, "1-2"), name="maya", user_id=alice.pk)
    assert {row.speaker_id for row in version.segments.all()} == {speaker.pk}
    editing.assign(**paragraph(version, "1-3"), name="Kwame", user_id=alice.pk)
    kwame = Speaker.objects.get(record=version.record, name="Kwame")
    assert [row.key for row in kwame.segments.all()] == ["1-3"]
    editing.merge_speakers(version=version, gone=kwame, kept=speaker, user_id=alice.pk)
    assert not kwame.segments.exists()
    editing.assign(**paragraph(version, "1-3"), name="", user_id=alice.pk)
    assert version.segments.get(key="1-3").speaker is None
    assert editing.assign(**paragraph(version, "1-3"), name="", user_id=alice.pk) is None


def test_words_are_found_and_replaced_whatever_their_capitals(version: Version, alice: User) -> None:
    editing.rewrite(**paragraph(version, "1-2"), text="Übung macht, ÜBUNG und Übungen", user_id=alice.pk)
    assert editing.places_of(version, "übung", most=9) == [("1-2", 9_000)] * 3
    assert len(editing.places_of(version, "übung", most=1)) == 2
    places = editing.replace_all(version=version, find="übung", put="Arbeit", whole_words=True, user_id=alice.pk)
    assert places == (2, 1)
    assert texts_of(version)[2] == "Arbeit macht, Arbeit und Übungen"
    assert editing.replace_all(version=version, find="übung", put="", whole_words=True, user_id=alice.pk) == (0, 0)


def test_a_voice_is_found_by_the_name_that_pages_show(version: Version, alice: User) -> None:
    """Two that nobody named can be made one, and capitals are capitals in every script."""
    speaker = Speaker.objects.get(record=version.record, label="A")
    assert editing.speaker_called(version, "a") == speaker
    assert editing.speaker_called(version, "a", but=speaker.pk) is None
    editing.rename_speaker(speaker=speaker, name="Übung", user_id=alice.pk)
    assert editing.speaker_called(version, "A") is None
    assert editing.speaker_called(version, "ÜBUNG") == speaker


@pytest.mark.parametrize("onward", [True, False])
def test_who_saw_an_older_paragraph_gives_it_no_voice(version: Version, alice: User, bob: User, onward: bool) -> None:
    seen = paragraph(version, "1-0", "1-1")
    editing.assign(**seen, name="Maya", user_id=alice.pk)
    with pytest.raises(Conflict):
        editing.assign(**seen, name="Kwame", user_id=bob.pk, onward=onward)
    assert [str(row.speaker) for row in version.segments.shown()] == ["Maya", "Maya", "B", "A"]


def test_from_a_paragraph_on_a_voice_is_another(version: Version, alice: User) -> None:
    editing.assign(**paragraph(version, "1-0", "1-1"), name="Maya", user_id=alice.pk, onward=True)
    assert [str(row.speaker) for row in version.segments.shown()] == ["Maya", "Maya", "B", "Maya"]


def test_replacing_everywhere_is_one_step(version: Version, alice: User) -> None:
    before = everything(version)
    assert editing.replace_all(version=version, find="it", put="that", whole_words=True, user_id=alice.pk) == (2, 2)
    assert texts_of(version)[1] == "realise that that mattered?"
    assert "time" in texts_of(version)[2]
    editing.undo(version=version, user_id=alice.pk)
    assert everything(version) == before
    assert editing.replace_all(version=version, find="nothing", put="x", whole_words=False, user_id=alice.pk) == (0, 0)


def test_a_title_that_is_the_same_is_no_change(version: Version, alice: User) -> None:
    for title in ("Hall", " Hall\n", "Hall"):
        services.rename(record_id=version.record_id, title=title, user_id=alice.pk)
    assert Edit.objects.filter(record=version.record_id, kind=Edit.Kind.TITLE).count() == 1


def test_replacing_in_more_places_than_one_step_may_have_changes_none(
    version: Version, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "MOST_REPLACED", 1)
    before = everything(version)
    with pytest.raises(Refused, match="in more than 1 places"):
        editing.replace_all(version=version, find="it", put="that", whole_words=True, user_id=alice.pk)
    assert everything(version) == before
    assert not Edit.objects.filter(version=version).exists()
    with pytest.raises(Refused):
        editing.replace_all(version=version, find=" ", put="x", whole_words=False, user_id=alice.pk)


def test_each_person_undoes_their_own_and_a_later_change_is_in_the_way(
    version: Version, alice: User, bob: User
) -> None:
    editing.rewrite(**paragraph(version, "1-2"), text="mine", user_id=alice.pk)
    editing.rewrite(**paragraph(version, "1-2"), text="mine and yours", user_id=bob.pk)
    with pytest.raises(Conflict):
        editing.undo(version=version, user_id=alice.pk)
    editing.undo(version=version, user_id=bob.pk)
    editing.undo(version=version, user_id=alice.pk)
    assert texts_of(version)[2] == "not at the time certainly"
    assert editing.undo(version=version, user_id=alice.pk) is None


def test_what_was_undone_can_be_done_again_until_something_else_is_done(version: Version, alice: User) -> None:
    editing.rewrite(**paragraph(version, "1-2"), text="mine", user_id=alice.pk)
    editing.undo(version=version, user_id=alice.pk)
    assert editing.can(version, alice.pk) == (False, True)
    editing.redo(version=version, user_id=alice.pk)
    assert texts_of(version)[2] == "mine"
    editing.undo(version=version, user_id=alice.pk)
    editing.rewrite(**paragraph(version, "1-3"), text="other", user_id=alice.pk)
    assert editing.redo(version=version, user_id=alice.pk) is None


def test_one_entry_of_the_journal_can_be_put_back_by_itself(version: Version, alice: User) -> None:
    first = editing.rewrite(**paragraph(version, "1-2"), text="mine", user_id=alice.pk)
    editing.rewrite(**paragraph(version, "1-3"), text="other", user_id=alice.pk)
    assert first is not None
    editing.restore(edit=first, user_id=alice.pk)
    assert texts_of(version)[2:] == ["not at the time certainly", "other"]


def test_names_and_titles_are_undone_and_redone_in_their_turn(version: Version, alice: User) -> None:
    record, speaker = version.record, Speaker.objects.get(record=version.record, label="A")

    def now() -> tuple[str, str, str]:
        record.refresh_from_db()
        speaker.refresh_from_db()
        return texts_of(version)[2], speaker.name, record.title

    states = [now()]
    editing.rewrite(**paragraph(version, "1-2"), text="mine", user_id=alice.pk)
    states.append(now())
    editing.rename_speaker(speaker=speaker, name="Maya", user_id=alice.pk)
    states.append(now())
    services.rename(record_id=record.pk, title="Ferry", user_id=alice.pk)
    states.append(now())
    for state in reversed(states[:-1]):
        editing.undo(version=version, user_id=alice.pk)
        assert now() == state
    assert editing.undo(version=version, user_id=alice.pk) is None
    for state in states[1:]:
        editing.redo(version=version, user_id=alice.pk)
        assert now() == state
    assert editing.can(version, alice.pk) == (True, False)


def test_a_name_and_a_title_are_put_back_by_themselves(version: Version, alice: User, bob: User) -> None:
    record, speaker = version.record, Speaker.objects.get(record=version.record, label="A")
    named = editing.rename_speaker(speaker=speaker, name="Maya", user_id=bob.pk)
    services.rename(record_id=record.pk, title="Ferry", user_id=alice.pk)
    titled = Edit.objects.get(record=record, kind=Edit.Kind.TITLE)
    assert named is not None
    assert [entry.can_restore for entry in changes.entries([named, titled])] == [True, True]
    again = editing.rename_speaker(speaker=speaker, name="Kwame", user_id=alice.pk)
    assert again is not None
    with pytest.raises(Conflict):
        editing.restore(edit=named, user_id=alice.pk)
    editing.restore(edit=again, user_id=alice.pk)
    editing.restore(edit=named, user_id=alice.pk)
    editing.restore(edit=titled, user_id=alice.pk)
    record.refresh_from_db()
    speaker.refresh_from_db()
    assert (speaker.name, record.title) == ("", "")
    for words in ("speaker:maya so ", "title:ferry so "):
        query = search.parse(words)
        records = search.records_of(query, Record.objects.all(), owner_id=alice.pk)
        assert not search.find(query, owner_id=alice.pk, records=records).groups


def test_a_title_put_back_is_no_edit_of_what_was_said(alice: User) -> None:
    record = making.dictation(alice, "one")
    services.rename(record_id=record.pk, title="Ferry", user_id=alice.pk)
    assert editing.undo(version=Version.objects.live_of(record.pk).get(), user_id=alice.pk) is not None
    assert not queries.is_edited(record.pk)


@pytest.mark.parametrize("split", [True, False])
def test_speakers_told_meanwhile_are_in_the_way_of_no_undoing(version: Version, alice: User, split: bool) -> None:
    """A pass that tells who speaks comes after the text, which can be corrected until then."""
    version.segments.update(speaker=None)
    editing.rewrite(**paragraph(version, "1-0"), text="and when did you", user_id=alice.pk)
    if split:
        editing.split(**paragraph(version, "1-2"), at=7, user_id=alice.pk)
    else:
        editing.join(**paragraph(version, "1-2"), user_id=alice.pk)
    changed = everything(version)
    services.set_speakers(version=version, speakers={row.key: "C" for row in version.segments.all()})
    for _ in range(2):
        editing.undo(version=version, user_id=alice.pk)
    assert texts_of(version)[::2] == ["so when did you first", "not at the time certainly"]
    assert {row.speaker.label for row in version.segments.shown() if row.speaker} == {"C"}
    assert not version.segments.filter(speaker=None).exists()
    for _ in range(2):
        editing.redo(version=version, user_id=alice.pk)
    assert [row[:4] + row[5:] for row in everything(version)] == [row[:4] + row[5:] for row in changed]


def test_a_paragraph_joined_to_a_known_voice_is_not_told_otherwise_by_a_pass(version: Version, alice: User) -> None:
    """Joining says who speaks as much as assigning does."""
    version.segments.update(speaker=None)
    editing.assign(**paragraph(version, "1-0", "1-1"), name="Maya", user_id=alice.pk)
    editing.join(**paragraph(version, "1-2"), user_id=alice.pk)
    services.set_speakers(version=version, speakers={row.key: "C" for row in version.segments.all()})
    assert [str(row.speaker) for row in version.segments.shown()] == ["Maya", "Maya", "Maya", "C"]


def test_a_paragraph_joined_while_it_is_spoken_is_not_told_otherwise_by_a_later_word(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    for number, speaker in enumerate("AB"):
        services.save_final(
            record_id=record.pk, segment=making.line(f"1-{number}", number * 900, "yes", speaker=speaker)
        )
    live = Version.objects.live_of(record.pk).get()
    editing.join(**paragraph(live, "1-1"), user_id=alice.pk)
    services.revise_speaker(record_id=record.pk, key="1-1", speaker="C")
    services.revise_speaker(record_id=record.pk, key="1-0", speaker="D")
    assert [str(row.speaker) for row in live.segments.shown()] == ["D", "A"]


def test_a_voice_that_a_person_told_later_is_in_the_way(version: Version, alice: User) -> None:
    edit = editing.split(**paragraph(version, "1-2"), at=7, user_id=alice.pk)
    editing.assign(**paragraph(version, "1-2/1"), name="Maya", user_id=alice.pk)
    with pytest.raises(Conflict):
        editing.restore(edit=edit, user_id=alice.pk)


def test_a_phrase_taken_back_while_it_was_spoken_can_be_put_back_here(alice: User) -> None:
    record = making.dictation(alice, "one", "two")
    live = Version.objects.live_of(record.pk).get()
    services.take_back(record_id=record.pk, key="1-1", user_id=alice.pk)
    editing.undo(version=live, user_id=alice.pk)
    assert texts_of(live) == ["one", "two"]


def test_a_late_final_never_takes_the_place_of_a_correction(alice: User) -> None:
    record = making.dictation(alice, "won", "two", finished=False)
    live = Version.objects.live_of(record.pk).get()
    editing.rewrite(**paragraph(live, "1-0"), text="one", user_id=alice.pk)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "want", timed=False))
    assert texts_of(live)[0] == "one"


def test_what_was_corrected_is_found_by_its_new_words_at_once(version: Version, alice: User) -> None:
    def found(words: str) -> bool:
        return bool(search.find(search.parse(words), owner_id=alice.pk, after=None).groups)

    editing.rewrite(**paragraph(version, "1-2"), text="never certainly", user_id=alice.pk)
    assert found("never")
    assert not found("time")
    editing.split(**paragraph(version, "1-2"), at=5, user_id=alice.pk)
    editing.undo(version=version, user_id=alice.pk)
    editing.undo(version=version, user_id=alice.pk)
    assert found("time")
    assert not found("never")


ACTIONS = ("rewrite", "split", "join", "assign", "replace", "remove", "undo", "redo")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_done_captions_stay_in_order_and_undoing_it_all_leads_back(
    version: Version, alice: User, seed: int
) -> None:
    before, chance = everything(version), random.Random(seed)
    for _ in range(25):
        with_rows = list(texts.paragraphs(map(segment_value, version.segments.shown())))
        if not with_rows:
            break
        keys = [segment.key for segment in chance.choice(with_rows).segments]
        _act(version, alice, chance, chance.choice(ACTIONS), paragraph(version, *keys))
        _assert_sound(version, 30_000)
    while editing.undo(version=version, user_id=alice.pk):
        pass
    assert everything(version) == before


def _act(version: Version, alice: User, chance: random.Random, action: str, seen: dict[str, Any]) -> None:
    words = " ".join(chance.choices(["so", "it", "was", "time,", "Not", "carried", "été"], k=chance.randint(1, 8)))
    voice = chance.choice("ABC")
    acts = {
        "rewrite": lambda: editing.rewrite(**seen, text=words, user_id=alice.pk),
        "split": lambda: editing.split(**seen, at=chance.randint(0, 40), user_id=alice.pk),
        "join": lambda: editing.join(**seen, user_id=alice.pk),
        "assign": lambda: editing.assign(**seen, name=voice, user_id=alice.pk),
        "replace": lambda: editing.replace_all(
            version=version, find=chance.choice(["it", "so"]), put=words, whole_words=True, user_id=alice.pk
        ),
        "remove": lambda: editing.remove(**seen, user_id=alice.pk),
        "undo": lambda: editing.undo(version=version, user_id=alice.pk),
        "redo": lambda: editing.redo(version=version, user_id=alice.pk),
    }
    try:
        with transaction.atomic():
            acts[action]()
    except LibraryError:
        pass


def _assert_sound(version: Version, end_ms: int) -> None:
    former = 0
    for row in version.segments.shown():
        assert former <= row.start_ms <= row.end_ms <= end_ms
        former = row.start_ms
        starts = [word[1] for word in row.words]
        assert starts == sorted(starts)
        assert all(row.start_ms <= word[1] <= word[2] <= row.end_ms for word in row.words)


def test_an_empty_version_has_nothing_to_undo(alice: User) -> None:
    version = Version.objects.live_of(making.dictation(alice).pk).get()
    assert editing.undo(version=version, user_id=alice.pk) is None
    assert Segment.objects.filter(version=version).count() == 0


def test_corrections_go_over_to_a_new_version_and_the_original_stays(version: Version, alice: User) -> None:
    editing.rewrite(**paragraph(version, "1-2"), text="not at that time certainly", user_id=alice.pk)
    editing.rewrite(**paragraph(version, "1-3"), text="and you lifted it up?", user_id=alice.pk)
    editing.assign(**paragraph(version, "1-0", "1-1"), name="Maya", user_id=alice.pk)
    lines = [
        making.line("w-0", 300, "So when did you first realise that it mattered?"),
        making.line("w-1", 9_200, "Not at the time, certainly."),
        making.line("w-2", 20_100, "And you buried it up?"),
    ]
    again = services.add_version(
        record_id=version.record_id, kind=Version.Kind.RETRANSCRIBED, model="other", language="en", segments=lines
    )
    carried = carrying.carry_over(source=version, target=again)
    assert (carried.placed, len(carried.unplaced)) == (1, 1)
    assert texts_of(again)[1] == "Not at that time, certainly."
    assert [row.speaker.name if row.speaker else "" for row in again.segments.shown()] == ["Maya", "", ""]
    assert again.unplaced == [[20_600, 20_600, "carried", "lifted"]]
    assert [part.text for part in carrying.original_of(again)] == [line.text for line in lines]
    assert [part.text for part in carrying.original_of(version)][2:] == [
        "not at the time certainly",
        "and you carried it up?",
    ]


def heard_again(version: Version, *lines: Any) -> Version:
    return services.add_version(
        record_id=version.record_id, kind=Version.Kind.RETRANSCRIBED, model="other", language="en", segments=lines
    )


def test_splits_and_joins_go_over_to_a_new_version_where_their_words_are(version: Version, alice: User) -> None:
    editing.split(**paragraph(version, "1-2"), at=len("not at the"), user_id=alice.pk)
    editing.join(**paragraph(version, "1-3"), user_id=alice.pk)
    lines = [
        making.line("w-0", 300, "So when did you first realise that it mattered?"),
        making.line("w-1", 9_200, "Not at the time, certainly."),
        making.line("w-2", 20_100, "And you carried it up?"),
    ]
    again = heard_again(version, *lines)
    for _ in range(2):
        assert not carrying.carry_over(source=version, target=again).unplaced
        assert texts_of(again) == [lines[0].text, "Not at the", "time, certainly.", lines[2].text]
        assert [row.opens for row in again.segments.shown()] == [None, None, True, False]
        assert [str(row.speaker) for row in again.segments.shown()] == ["A", "B", "B", "B"]
        assert again.unplaced == []
    assert [part.text for part in carrying.original_of(again)] == [line.text for line in lines]
    editing.join(**paragraph(again, again.segments.get(opens=True).key), user_id=alice.pk)
    carrying.carry_over(source=version, target=again)
    assert [row.opens for row in again.segments.shown()] == [None, None, False, False]


def test_what_was_said_last_of_a_paragraphs_beginning_holds_in_both_versions(version: Version, alice: User) -> None:
    editing.split(**paragraph(version, "1-2"), at=len("not at the"), user_id=alice.pk)
    again = heard_again(version, making.line("w-0", 9_200, "Not at the time, certainly."))
    carrying.carry_over(source=version, target=again)
    here, there = (one.segments.get(opens=True).key for one in (version, again))
    editing.join(**paragraph(again, there), user_id=alice.pk)
    for source, target in ((again, version), (version, again)):
        carrying.carry_over(source=source, target=target)
        assert [version.segments.get(key=here).opens, again.segments.get(key=there).opens] == [False, False]
    editing.split(**paragraph(version, "1-2", here), at=len("not at the "), user_id=alice.pk)
    for source, target in ((again, version), (version, again)):
        carrying.carry_over(source=source, target=target)
        assert version.segments.get(key=here).opens, "it was split once more after it was joined"
    assert again.segments.get(key=there).opens


def test_a_split_whose_words_are_not_found_is_listed(version: Version, alice: User) -> None:
    editing.split(**paragraph(version, "1-2"), at=len("not at the"), user_id=alice.pk)
    again = heard_again(version, making.line("w-0", 0, "so when"), making.line("w-1", 9_200, "Nothing like it at all."))
    carrying.carry_over(source=version, target=again)
    assert again.unplaced == [[9_900, 10_480, "", "(new paragraph) time certainly…"]]
    assert len(texts_of(again)) == 2


@pytest.mark.parametrize("labels", [("0", "1"), ("B", "A"), ("A", "B"), ("C", "A")])
def test_names_go_over_to_the_same_voices_whatever_their_labels(
    version: Version, alice: User, labels: tuple[str, str]
) -> None:
    for label, name in {"A": "Maya", "B": "Kwame"}.items():
        speaker = Speaker.objects.get(record=version.record, label=label)
        editing.rename_speaker(speaker=speaker, name=name, user_id=alice.pk)
    asks, answers = labels
    again = heard_again(
        version,
        making.line("w-0", 200, "So when did you first realise that it mattered?", speaker=asks),
        making.line("w-1", 9_200, "Not at the time.", speaker=answers),
        making.line("w-2", 20_100, "And you carried it up?", speaker=asks),
    )
    for _ in range(2):
        carrying.carry_over(source=version, target=again)
        assert [str(row.speaker) for row in again.segments.shown()] == ["Maya", "Kwame", "Maya"]
        assert [str(row.speaker) for row in version.segments.shown()] == ["Maya", "Maya", "Kwame", "Maya"]
        assert again.unplaced == []
    # Naming another of this version so makes the two one here.
    assert editing.speaker_called(again, "maya") == again.segments.shown()[0].speaker


def test_a_name_whose_voice_is_not_told_is_listed(version: Version, alice: User) -> None:
    speaker = Speaker.objects.get(record=version.record, label="B")
    editing.rename_speaker(speaker=speaker, name="Kwame", user_id=alice.pk)
    again = heard_again(version, making.line("w-0", 0, "so when did you first realise", speaker="0"))
    carrying.carry_over(source=version, target=again)
    assert again.unplaced == [[9_000, 10_480, "B", "Kwame"]]
    assert [str(row.speaker) for row in again.segments.shown()] == ["0"]


def test_a_version_that_tells_no_voices_apart_is_given_those_that_are_known(version: Version, alice: User) -> None:
    again = services.add_version(
        record_id=version.record_id, kind=Version.Kind.SECOND_PASS, model="other", language="en",
        segments=[making.line("w-0", 9_000, "not at the time certainly")],
    )  # fmt: skip
    carrying.carry_over(source=version, target=again)
    assert [row.speaker.label for row in again.segments.shown() if row.speaker] == ["B"]


def test_a_paragraph_of_another_version_can_be_taken_over(version: Version, alice: User) -> None:
    live = Version.objects.create(record=version.record, number=9, kind=Version.Kind.LIVE)
    Segment.objects.create(version=live, key="l", order=0, start_ms=9_000, end_ms=11_000, text="not at that time, no")
    row = next(row for row in carrying.compared(live, version) if "l" in row.left_keys)
    taken, over = (row.left_keys, [0]), (row.right_keys, [0])
    edit = carrying.take_paragraph(source=live, target=version, taken=taken, over=over, user_id=alice.pk)
    assert edit is not None
    assert texts_of(version)[2] == "not at that time, no"


def test_a_paragraph_is_taken_over_only_as_both_were_seen(version: Version, alice: User, bob: User) -> None:
    live = Version.objects.create(record=version.record, number=9, kind=Version.Kind.LIVE)
    Segment.objects.create(version=live, key="l", order=0, start_ms=9_000, end_ms=11_000, text="not at that time, no")
    seen = {"source": live, "target": version, "taken": (["l"], [0]), "over": (["1-2"], [0]), "user_id": bob.pk}
    editing.rewrite(**paragraph(version, "1-2"), text="mine", user_id=alice.pk)
    with pytest.raises(Conflict):
        carrying.take_paragraph(**seen)
    editing.undo(version=version, user_id=alice.pk)
    editing.rewrite(**paragraph(live, "l"), text="mine too", user_id=alice.pk)
    with pytest.raises(Conflict):
        carrying.take_paragraph(**(seen | {"over": (["1-2"], [2])}))
    assert "mine too" not in texts_of(version)
