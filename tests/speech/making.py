"""Hypothesis strategies for what can be said."""

from __future__ import annotations

from hypothesis import strategies as st

from memweb.speech.events import (
    Began,
    Ended,
    Event,
    Failed,
    Final,
    Partial,
    Revised,
    SpeakersMerged,
    SpeechBegan,
    Warned,
)
from memweb.speech.transcript import Segment, Transcript, Word

labels = st.none() | st.sampled_from(["A", "B", "C", "speaker_0", "Ünïcode", "<b>"])
languages = st.none() | st.sampled_from(["en", "de", "es", "ja"])
confidences = st.none() | st.floats(0, 1)
hostile = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "a --> b",
        "&lt;&amp;",
        "=1+1",
        "\u202eevil",
        "nul\x00",
        "\ud800",
        "{\\an8}",
        "<v Bob>",
        "1\n00:00:01,000 --> 00:00:02,000",
        "  ",
        "NOTE x",
        "日本語のテキスト",
        "٣ שלום",
        "**bold** [x](javascript:y)",
        '"quoted", and; so',
    ]
)
any_text = st.text(alphabet=st.characters(codec=None), max_size=30) | hostile  # lone surrogates included
said = st.text(alphabet="abc dEf,.!?é語", min_size=0, max_size=120) | hostile


def words(texts: st.SearchStrategy[str] = any_text, least_ms: int = -1000) -> st.SearchStrategy[Word]:
    return st.builds(
        Word,
        text=texts,
        start_ms=st.integers(least_ms, 100_000),
        end_ms=st.integers(least_ms, 100_000),
        confidence=confidences,
        speaker=labels,
        kind=st.sampled_from(["word", "audio_event"]),
        estimated=st.booleans(),
    )


def segments(
    keys: st.SearchStrategy[str] = st.sampled_from(["1-1", "1-2", "1-10", "2-1", "x", ""]),  # noqa: B008 - a constant
    texts: st.SearchStrategy[str] = any_text,
    least_ms: int = -1000,
) -> st.SearchStrategy[Segment]:
    return st.builds(
        Segment,
        key=keys,
        start_ms=st.integers(least_ms, 100_000),
        end_ms=st.integers(least_ms, 100_000),
        text=texts,
        words=st.lists(words(texts, least_ms), max_size=3).map(tuple),
        speaker=labels,
        channel=st.none() | st.integers(0, 3),
        language=languages,
        opens=st.none() | st.booleans(),
    )


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Began, session_id=st.text(max_size=5)),
    st.builds(SpeechBegan, at_ms=st.integers(0, 1000)),
    st.builds(Partial, text=any_text),
    st.builds(Final, segment=segments()),
    st.builds(Final, segment=segments()),
    st.builds(
        Revised,
        key=st.sampled_from(["1-1", "1-2", "x", "never"]),
        speaker=labels,
        words=st.lists(words(), max_size=3).map(tuple),
    ),
    st.builds(SpeakersMerged, gone=st.sampled_from(["A", "B", "C", "D"]), kept=st.sampled_from(["A", "B", "C", "D"])),
    st.builds(Warned, code=st.just("odd"), message=st.text(max_size=5)),
    st.builds(Failed, code=st.just("provider"), message=st.just(""), retry=st.booleans()),
    st.builds(Ended, audio_ms=st.none() | st.integers(0, 200_000)),
)


@st.composite
def transcripts(draw: st.DrawFn, texts: st.SearchStrategy[str] = said) -> Transcript:
    """What the fold could have made: keys distinct, in order, times that can be."""
    made, at = [], 0
    for number in range(draw(st.integers(0, 6))):
        at += draw(st.integers(0, 5_000))
        length = draw(st.integers(0, 20_000))
        base = draw(segments(st.just(f"1-{number}"), texts, 0))
        made.append(
            Segment(
                base.key,
                at,
                at + length,
                base.text,
                tuple(
                    Word(w.text, at + w.start_ms, at + max(w.start_ms, w.end_ms), w.confidence, w.speaker, w.kind)
                    for w in base.words
                ),
                base.speaker,
                base.channel,
                base.language,
                base.opens,
            )
        )
    return Transcript(tuple(made), draw(languages), draw(st.none() | st.integers(0, 10**9)))
