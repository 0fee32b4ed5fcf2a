"""Every finished result, verbatim in tests/messages/batch, says exactly what stands beside it; no other one raises."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import batch
from memweb.speech.dialects.batch import KINDS, PROVIDERS, BatchResult, assemblyai, building, elevenlabs
from memweb.speech.transcript import Word
from tests.speech.dialects.told import told

CASES = sorted((Path(__file__).parents[2] / "messages" / "batch").glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_a_result_says_what_its_fixture_says(path: Path) -> None:
    case = json.loads(path.read_text())
    assert told(batch.read(path.parent.name, case["payload"])) == case["result"]


def test_every_provider_and_every_kind_of_extra_has_a_fixture() -> None:
    assert {path.parent.name for path in CASES} == set(PROVIDERS)
    results = [batch.read(path.parent.name, json.loads(path.read_text())["payload"]) for path in CASES]
    assert {extra.kind for result in results for extra in result.extras} == set(KINDS)


def test_every_name_a_reader_takes_is_in_a_fixture() -> None:
    payloads = [(path.parent.name, json.loads(path.read_text())["payload"]) for path in CASES]
    for provider, known in (("assemblyai", assemblyai._KNOWN), ("elevenlabs", elevenlabs._KNOWN)):
        assert known <= {name for named, payload in payloads if named == provider for name in payload}


def test_an_unknown_provider_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        batch.read("nobody", {})


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_everything_told_under_an_unknown_name_is_kept(path: Path) -> None:
    payload = json.loads(path.read_text())["payload"]
    if isinstance(payload, dict):
        result = batch.read(path.parent.name, {**payload, "novelty": {"said": "something new"}})
        (kept,) = [extra for extra in result.extras if extra.label == "novelty"]
        assert "something new" in kept.text


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai", "openai"])
def test_every_word_is_in_the_text_once_and_in_order(provider: str) -> None:
    word = "word" if provider == "openai" else "text"
    words = [{word: f"w{n}{'.' if n % 7 == 0 else ''}", "start": n, "end": n + 0.5} for n in range(200)]
    said = " ".join(item[word] for item in words)
    result = batch.read(provider, {"text": said, "words": words})
    assert result.transcript.text == said
    assert not result.extras
    assert [word.text for segment in result.transcript.segments for word in segment.words] == said.split()


def test_text_that_no_word_holds_is_kept_beside_it() -> None:
    for provider in ("elevenlabs", "assemblyai", "openai"):
        words = [{"text": "Hello", "start": 0, "end": 1}]
        result = batch.read(provider, {"text": "Hello, and goodbye", "words": words})
        shown = [result.transcript.text, *(extra.text for extra in result.extras)]
        assert any("goodbye" in said for said in shown), provider


def test_a_speaker_a_pause_and_a_sentence_each_begin_a_segment() -> None:
    def word(said: str, start: int, speaker: str | None = "A") -> building.Token:
        return building.Token(Word(said, start, start + 100, speaker=speaker))

    tokens = [word("Yes.", 0), word("I", 200), word("do", 300), word("So", 2000), word("so", 2100, "B")]
    made = list(building.segments(tokens, prefix="p"))
    assert [(segment.key, segment.text, segment.speaker) for segment in made] == [
        ("p0", "Yes.", "A"),
        ("p1", "I do", "A"),
        ("p2", "So", "A"),
        ("p3", "so", "B"),
    ]


def test_no_words_make_no_segment() -> None:
    assert not list(building.segments([]))


def test_a_sound_without_a_voice_goes_with_its_neighbours() -> None:
    words = [
        Word("so", 0, 100, speaker="A"),
        Word("(laughter)", 100, 300, kind="audio_event"),
        Word("then", 300, 400, speaker="A"),
    ]
    (segment,) = building.segments(building.Token(word) for word in words)
    assert segment.text == "so (laughter) then"
    assert segment.speaker == "A"


def test_a_flood_without_a_full_stop_is_cut_between_words() -> None:
    said = " ".join(["word"] * 400)
    for segment in (
        *building.sentences(said, duration_ms=None),
        *building.segments(building.Token(Word(piece, n, n + 1)) for n, piece in enumerate(said.split())),
    ):
        assert len(segment.text) <= building.LONGEST_CHARACTERS
        assert segment.text.strip("word ") == ""
    assert [len(segment.text) for segment in building.sentences("x" * 700, duration_ms=700)] == [300, 300, 100]


def test_what_is_too_large_or_too_deep_to_show_says_so() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    result = batch.read("assemblyai", {"text": "x", "deep": deep, "long": [10**5000]})
    assert [extra.text for extra in result.extras] == ["a value too large to show"] * 2


# --- whatever is sent ------------------------------------------------------------------------------------

NAMES = sorted(
    {"text", "words", "utterances", "items", "data", "rows", "segments", "transcripts", "entities", "chapters", "word"}
    | {"start", "end", "start_time", "end_time", "speaker", "speaker_id", "channel", "channel_index", "confidence"}
    | {"logprob", "type", "status", "error", "duration", "audio_duration", "audio_duration_secs", "language_code"}
    | {"language", "summary", "results", "labels", "label", "timestamp", "timestamps", "severity", "relevance", "rank"}
    | {"auto_highlights_result", "content_safety_labels", "iab_categories_result", "severity_score_summary", "count"}
    | {"sentiment_analysis_results", "sentiment", "additional_formats", "content", "start_char", "end_char", "message"}
    | {"usage_metadata", "request_id", "entity_type", "headline", "gist"}
)
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
ODD = st.sampled_from(["1.5", "-3", "nan", "inf", "1e400", "soon", "spacing", "audio_event", "error", "", 10**30, -1])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=6),
    max_leaves=20,
)


def strings_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [said for item in value.values() for said in strings_in(item)]
    return [said for item in value for said in strings_in(item)] if isinstance(value, list) else []


def assert_storable(result: BatchResult) -> None:
    for said in strings_in(told(result)):
        said.encode()  # a lone surrogate would raise
        assert "\0" not in said
    keys = [segment.key for segment in result.transcript.segments]
    assert len(set(keys)) == len(keys)
    starts = [segment.start_ms for segment in result.transcript.segments]
    assert starts == sorted(starts)
    for segment in result.transcript.segments:
        for timed in (segment, *segment.words):
            assert 0 <= timed.start_ms <= timed.end_ms <= 2_000_000_000
        assert segment.channel is None or 0 <= segment.channel < 2**15
        assert segment.end_ms <= (result.transcript.duration_ms or 2_000_000_000)
        assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in segment.words)
    for extra in result.extras:
        assert extra.score is None or 0 <= extra.score <= 1
        assert all(0 <= start <= end <= 2_000_000_000 for start, end in extra.spans)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(payload=ANYTHING | st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=10) | st.binary(max_size=40))
def test_nothing_a_provider_may_send_raises_or_cannot_be_stored(provider: str, payload: Any) -> None:
    result = batch.read(provider, payload)
    assert_storable(result)
    assert batch.read(provider, payload) == result


@given(st.data())
def test_a_real_result_with_one_value_spoiled_still_reads(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(CASES))
    payload = json.loads(path.read_text())["payload"]
    places = list(places_in(payload))
    if places:
        holder, at = data.draw(st.sampled_from(places))
        holder[at] = data.draw(ANYTHING)
    assert_storable(batch.read(path.parent.name, payload))


def places_in(value: Any) -> Any:
    for at in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, at
        yield from places_in(value[at])


@given(said=st.text("ab .!?\n。é", max_size=400), duration=st.none() | st.integers(0, 10_000))
def test_no_character_of_a_bare_text_is_lost(said: str, duration: int | None) -> None:
    made = building.sentences(said, duration_ms=duration)
    assert "".join("".join(segment.text for segment in made).split()) == "".join(said.split())
    assert all(one.end_ms <= two.start_ms for one, two in pairwise(made))
