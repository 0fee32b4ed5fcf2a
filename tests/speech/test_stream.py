"""A stream's callbacks: whatever order they come in, and however often, one transcript under the same keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects.identity import identity, provider_of
from memweb.speech.stream import StreamFold, Told, interim
from memweb.speech.transcript import Transcript
from tests.speech.dialects.test_provider_messages import ANYTHING, FRAMES


def turn(order: int, text: str, *, formatted: bool = True, end: bool = True) -> dict[str, Any]:
    words = [
        {"text": word, "start": order * 1000 + at * 100, "end": order * 1000 + at * 100 + 90, "word_is_final": True}
        for at, word in enumerate(text.split())
    ]
    return {
        "type": "Turn", "turn_order": order, "end_of_turn": end, "turn_is_formatted": formatted,
        "transcript": text, "words": words,
    }  # fmt: skip


def plain(text: str) -> dict[str, Any]:
    return {"message_type": "committed_transcript", "text": text}


def timed(text: str, start: float) -> dict[str, Any]:
    words = [
        {"text": word, "start": start + at / 10, "end": start + at / 10 + 0.09, "type": "word"}
        for at, word in enumerate(text.split())
    ]
    return {"message_type": "committed_transcript_with_timestamps", "text": text, "words": words}


def told(messages: list[Any], *, numbered: list[int] | None = None, named: bool = False) -> list[Told]:
    return [
        Told(number, message, json.dumps(message), numbered[number] if numbered else None, named)
        for number, message in enumerate(messages)
    ]


def stepwise(provider: str, messages: list[Told]) -> StreamFold:
    fold = StreamFold(provider)
    for at, message in enumerate(messages):
        if not fold.add(message):
            fold = StreamFold.of(provider, messages[: at + 1])
    return fold


def texts(transcript: Transcript) -> list[str]:
    return [segment.text for segment in transcript.segments]


TALK = [{"type": "Begin", "id": "x", "configuration": {"model": "u-3"}}, turn(0, "Okay."), turn(1, "Okay."),
        turn(2, "So we begin", formatted=False), turn(2, "So we begin."), turn(3, "And end.")]  # fmt: skip
SPOKEN = [{"message_type": "session_started", "session_id": "x"}, plain("Okay."), timed("Okay.", 0.5), plain("Okay."),
          timed("Okay.", 1.5), plain("So we go."), timed("So we go.", 2.5), plain("Untimed words.")]  # fmt: skip


def test_a_stream_in_order_is_its_turns() -> None:
    fold = stepwise("assemblyai", told(TALK))
    assert texts(fold.transcript) == ["Okay.", "Okay.", "So we begin.", "And end."]
    assert [segment.key for segment in fold.transcript.segments] == ["0", "1", "2", "3"]
    assert fold.model == "u-3"
    assert fold.changed == {"0", "1", "2", "3"}


def test_a_stream_of_commits_is_its_segments() -> None:
    fold = stepwise("elevenlabs", told(SPOKEN))
    assert texts(fold.transcript) == ["Okay.", "Okay.", "So we go.", "Untimed words."]
    assert [segment.start_ms for segment in fold.transcript.segments] == [500, 1500, 2500, 2790]


def test_a_repeat_changes_nothing_and_an_honest_repetition_stays() -> None:
    once = StreamFold.of("elevenlabs", told([timed("Okay.", 1), timed("Okay.", 2)]))
    again = stepwise("elevenlabs", told([timed("Okay.", 1), timed("Okay.", 2), timed("Okay.", 1), timed("Okay.", 2)]))
    assert again.transcript == once.transcript
    assert texts(once.transcript) == ["Okay.", "Okay."]


def test_equal_messages_of_two_deliveries_are_two() -> None:
    fold = StreamFold.of("elevenlabs", told([plain("Okay."), plain("Okay.")], numbered=[1, 2], named=True))
    assert texts(fold.transcript) == ["Okay.", "Okay."]


def test_a_message_with_no_identity_is_kept() -> None:
    assert texts(stepwise("elevenlabs", told([plain("Okay."), plain("Okay.")])).transcript) == ["Okay.", "Okay."]


def test_the_senders_numbering_goes_before_everything_else() -> None:
    messages = [plain("three"), plain("one"), plain("two")]
    fold = stepwise("elevenlabs", told(messages, numbered=[3, 1, 2]))
    assert texts(fold.transcript) == ["one", "two", "three"]
    assert [segment.key for segment in fold.transcript.segments] == ["s1", "s2", "s3"]


def test_a_late_one_asks_for_all() -> None:
    fold = StreamFold("elevenlabs")
    assert fold.add(told([timed("b", 2)])[0])
    assert not fold.add(Told(1, timed("a", 1), "a"))


def test_two_tellings_of_one_segment_meet_in_either_order() -> None:
    for messages in ([plain("Hi."), timed("Hi.", 3)], [timed("Hi.", 3), plain("Hi.")]):
        fold = stepwise("elevenlabs", told(messages))
        assert [(segment.text, segment.start_ms) for segment in fold.transcript.segments] == [("Hi.", 3000)]


def test_tellings_that_meet_out_of_order_are_folded_again() -> None:
    messages = told([plain("B."), timed("B.", 2), plain("A."), timed("A.", 1)])
    fold = stepwise("elevenlabs", messages)
    assert texts(fold.transcript) == ["A.", "B."]
    fold = stepwise("elevenlabs", told([plain("A."), plain("B."), timed("A.", 1), timed("B.", 2)]))
    assert texts(fold.transcript) == ["A.", "B."]


def test_revisions_and_merges_are_changes() -> None:
    revision = {"type": "SpeakerRevision", "revisions": [{"turn_order": 0, "speaker_label": "B", "words": []}]}
    fold = stepwise("assemblyai", told([turn(0, "Hi."), revision]))
    assert fold.segment("0").speaker == "B"  # type: ignore[union-attr]
    diarized = {**timed("Hi.", 1), "message_type": "committed_transcript_with_timestamps"}
    diarized["words"][0]["speaker_id"] = "speaker_1"
    merged = {"message_type": "speakers_merged", "from_speaker_id": "speaker_1", "to_speaker_id": "speaker_0"}
    fold = StreamFold("elevenlabs")
    assert all(map(fold.add, told([diarized])))
    fold.changed.clear()
    assert fold.add(Told(1, merged, "m"))
    assert fold.changed == {"t1000"}
    assert fold.segment("t1000").speaker == "speaker_0"  # type: ignore[union-attr]


def test_a_segment_that_was_taken_back_is_gone() -> None:
    fold = stepwise("assemblyai", told([turn(0, "Um", formatted=False), turn(0, "")]))
    assert fold.segment("0") is None
    assert fold.segment("nothing") is None
    assert not fold.transcript.segments


def test_two_segments_that_begin_together_have_two_keys() -> None:
    fold = stepwise("elevenlabs", told([timed("one", 1), timed("two", 1)]))
    assert {segment.key for segment in fold.transcript.segments} == {"t1000", "t1000.1"}


def test_who_speaks_shows_in_the_message() -> None:
    assert provider_of(plain("x")) == "elevenlabs"
    assert provider_of(turn(0, "x")) == provider_of(None) == "assemblyai"


def test_an_old_final_is_placed_by_its_bounds() -> None:
    old = {"message_type": "FinalTranscript", "audio_start": 700, "audio_end": 900, "text": "Old."}
    assert identity("assemblyai", old).start_ms == 700


@pytest.mark.parametrize(("provider", "talk"), [("assemblyai", TALK), ("elevenlabs", SPOKEN[:-1])])
@given(data=st.data())
def test_any_order_and_any_repeats_give_the_same_words(provider: str, talk: list[Any], data: st.DataObject) -> None:
    """Without numbering, and each with times somewhere: only the keys of commits tell which telling came first."""
    repeated = talk + data.draw(st.lists(st.sampled_from([one for one in talk if "words" in one]), max_size=4))
    messages = told(data.draw(st.permutations(repeated)))
    fold = stepwise(provider, messages)
    assert texts(fold.transcript) == texts(StreamFold.of(provider, told(talk)).transcript)
    assert fold.transcript == StreamFold.of(provider, messages).transcript


@given(data=st.data())
def test_numbered_callbacks_fold_alike_in_any_order_and_batches(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    talk = [data.draw(st.sampled_from([plain("Okay."), timed("Okay.", n), plain(f"w{n}")])) for n in range(count)]
    order = data.draw(st.permutations(range(count)))
    messages = [Told(at, talk[n], json.dumps(talk[n]), n, True) for at, n in enumerate(order)]
    straight = StreamFold.of("elevenlabs", [Told(n, talk[n], "", n, True) for n in range(count)])
    assert stepwise("elevenlabs", messages).transcript == straight.transcript


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai"])
@given(messages=st.lists(FRAMES | ANYTHING, max_size=8), numbers=st.lists(st.none() | st.integers(0, 9), min_size=8))
def test_nothing_that_is_posted_raises(provider: str, messages: list[Any], numbers: list[int | None]) -> None:
    posted = [Told(n, message, repr(message), numbers[n]) for n, message in enumerate(messages)]
    assert stepwise(provider, posted).transcript == StreamFold.of(provider, posted).transcript


@pytest.mark.parametrize(
    ("provider", "message", "words"),
    [
        ("assemblyai", turn(3, "And  so\nwe", end=False), "And so we"),
        ("assemblyai", turn(3, "And so we go."), ""),
        ("assemblyai", turn(3, "", end=False), ""),
        ("assemblyai", {"message_type": "PartialTranscript", "text": "Hello, how"}, "Hello, how"),
        ("assemblyai", {"type": "SpeechStarted", "timestamp": 5}, ""),
        ("elevenlabs", {"message_type": "partial_transcript", "text": "Hello the"}, "Hello the"),
        ("elevenlabs", plain("Hello there."), ""),
        ("elevenlabs", None, ""),
    ],
)
def test_words_being_said_are_known_from_words_that_last(provider: str, message: Any, words: str) -> None:
    assert interim(provider, message) == words


@given(st.sampled_from(["assemblyai", "elevenlabs"]), ANYTHING | FRAMES)
def test_no_message_that_is_looked_at_raises(provider: str, message: Any) -> None:
    assert isinstance(interim(provider, message), str)


def test_what_cannot_be_written_as_json_says_nothing() -> None:
    assert not StreamFold.of("assemblyai", [Told(0, [10**5000], "x")]).transcript.segments


def begin(session: str) -> dict[str, Any]:
    return {"type": "Begin", "id": session, "expires_at": 1}


TAKEN_UP = [begin("x"), turn(0, "One two."), turn(1, "Three four."), begin("x"), turn(0, "Five."), turn(1, "Six.")]


def test_a_session_that_was_taken_up_again_goes_on_after_the_words_before() -> None:
    messages = told(TAKEN_UP, numbered=[*range(6)], named=True)
    fold = stepwise("assemblyai", messages)
    assert texts(fold.transcript) == ["One two.", "Three four.", "Five.", "Six."]
    assert [segment.start_ms for segment in fold.transcript.segments] == [0, 1000, 1190, 2190]
    assert [word.start_ms for word in fold.transcript.segments[2].words] == [1190]
    assert len({segment.key for segment in fold.transcript.segments}) == 4
    shuffled = [messages[at] for at in (5, 0, 3, 1, 4, 2)]
    assert StreamFold.of("assemblyai", shuffled).transcript == fold.transcript


def test_a_session_told_of_twice_is_one_and_another_one_is_another() -> None:
    again = told([begin("x"), turn(0, "One."), begin("x"), turn(0, "One, put right.")])
    assert texts(stepwise("assemblyai", again).transcript) == ["One, put right."]
    other = told([begin("x"), turn(0, "One."), begin("y"), turn(0, "Two.")], numbered=[*range(4)])
    assert texts(stepwise("assemblyai", other).transcript) == ["One.", "Two."]


def started(session: str) -> dict[str, Any]:
    return {"message_type": "session_started", "session_id": session}


SESSIONS = {
    "assemblyai": (
        [begin("a"), turn(0, "One two."), turn(5, "Three."), turn(9, "Four.")],
        [begin("b"), turn(0, "One two."), turn(6, "Six.", formatted=False), turn(6, "Six, and on.")],
    ),
    "elevenlabs": (
        [started("a"), timed("Okay.", 0), plain("Three."), timed("Three.", 5), timed("Four.", 9)],
        [started("b"), timed("Okay.", 0), timed("Three.", 0.5), plain("Six."), timed("Six.", 6)],
    ),
}
"""Times and numbers begin anew with each session, and one thing is said at the same time of both."""


@pytest.mark.parametrize("provider", SESSIONS)
@given(data=st.data())
def test_without_numbering_a_further_session_follows_the_one_before(provider: str, data: st.DataObject) -> None:
    """In any order within each, and with repeats: the same as where each message is numbered."""
    talk = [one for session in SESSIONS[provider] for one in session]
    straight = StreamFold.of(provider, told(talk, numbered=[*range(len(talk))], named=True)).transcript
    posted: list[Any] = []
    for session in SESSIONS[provider]:
        repeats = data.draw(st.lists(st.sampled_from([one for one in session if "words" in one]), max_size=2))
        posted += [session[0], *data.draw(st.permutations(session[1:] + repeats))]
    again = data.draw(st.sampled_from([[], [posted[0]]]))  # the first beginning, told once more and much too late
    fold = stepwise(provider, told(posted + again))
    assert [(one.text, one.start_ms) for one in fold.transcript.segments] == [
        (one.text, one.start_ms) for one in straight.segments
    ]
    assert fold.transcript == StreamFold.of(provider, told(posted + again)).transcript


def test_a_segment_finds_its_twin_in_its_own_session() -> None:
    messages = [started("a"), timed("One.", 1), plain("Okay."), started("b"), timed("Okay.", 2), timed("Two.", 3)]
    assert texts(stepwise("elevenlabs", told(messages)).transcript) == ["One.", "Okay.", "Okay.", "Two."]


def test_a_revision_finds_its_own_session() -> None:
    revision = {"type": "SpeakerRevision", "revisions": [
        {"turn_order": 0, "speaker_label": "B", "words": [{"text": "Five.", "start": 0, "end": 90, "speaker": "B"}]},
    ]}  # fmt: skip
    fold = stepwise("assemblyai", told([*TAKEN_UP, revision], numbered=[*range(7)], named=True))
    assert [segment.speaker for segment in fold.transcript.segments] == [None, None, "B", None]
    assert fold.transcript.segments[2].words[0].start_ms == 1190
