"""Segments where a provider gives none: from words, by speaker, pause and sentence; from bare text, by sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from memweb.speech import text
from memweb.speech.dialects.words import bounds, main_speaker, spread
from memweb.speech.transcript import Segment, Transcript, Word

PAUSE_MS = 1_000
LONGEST_CHARACTERS = 300
_SENTENCE = re.compile(r".*?(?:[.!?…。！？؟।][\"'”’»)\]]*(?=\s|$)|[。！？]|\n|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it stands in the text: `before` is what stands between it and the word before."""

    word: Word
    before: str | None = None
    """None where the provider does not say."""


def segments(
    tokens: Iterable[Token], *, prefix: str = "", channel: int | None = None, language: str | None = None
) -> Iterator[Segment]:
    """Tokens, in the provider's order, as segments. Keys are `prefix` and a number from 0."""
    for number, run in enumerate(_runs(tokens)):
        words = tuple(token.word for token in run)
        start_ms, end_ms = bounds(words) or (0, 0)
        yield Segment(
            f"{prefix}{number}",
            start_ms,
            end_ms,
            text=_text(run),
            words=words,
            speaker=main_speaker(words),
            channel=channel,
            language=language,
        )


def _runs(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    run: list[Token] = []
    speaker: str | None = None
    length = 0
    for token in tokens:
        if run and _parted(run[-1].word, token.word, speaker, length):
            yield run
            run, speaker, length = [], None, 0
        run.append(token)
        speaker = token.word.speaker or speaker
        length += len(token.word.text) + 1
    if run:
        yield run


def _parted(before: Word, after: Word, speaker: str | None, length: int) -> bool:
    """Whether a new segment begins. What has no voice of its own goes with its neighbours."""
    if speaker and after.speaker and after.speaker != speaker:
        return True
    if after.start_ms - before.end_ms >= PAUSE_MS or length + len(after.text) > LONGEST_CHARACTERS:
        return True
    return text.ends_sentence(before.text) and not after.text[:1].islower()


def _text(run: Sequence[Token]) -> str:
    first, *rest = run
    if all(token.before is None for token in rest):
        return text.join(token.word.text for token in run)
    return text.line(first.word.text + "".join(f"{token.before or ''}{token.word.text}" for token in rest))


def sentences(said: str, *, duration_ms: int | None, language: str | None = None, prefix: str = "") -> list[Segment]:
    """A text without any times, a segment for each sentence, spread over the recording where its length is known."""
    pieces = [piece for found in _SENTENCE.findall(said) for piece in _short(text.line(found))]
    total, passed, made = sum(map(len, pieces)), 0, []
    for number, piece in enumerate(pieces):
        start, end = ((duration_ms or 0) * at // total for at in (passed, passed + len(piece)))
        passed += len(piece)
        words = spread(piece, start, end) if duration_ms else ()
        made.append(Segment(f"{prefix}{number}", start, end, text=piece, words=words, language=language))
    return made


def _short(sentence: str) -> Iterator[str]:
    """A sentence as it is, or cut between words where it goes on and on."""
    while len(sentence) > LONGEST_CHARACTERS:
        at = sentence.rfind(" ", 0, LONGEST_CHARACTERS + 1)
        at = at if at > 0 else LONGEST_CHARACTERS
        yield sentence[:at]
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence


def transcript(made: Iterable[Segment], *, language: str | None, duration_ms: int | None) -> Transcript:
    """Segments in order of start, in a transcript that is never shorter than they are."""
    ordered = tuple(sorted(made, key=lambda segment: segment.start_ms))
    if duration_ms is not None:
        duration_ms = max([duration_ms, *(segment.end_ms for segment in ordered)])
    return Transcript(ordered, language, duration_ms)


def same_words(one: str, other: str) -> bool:
    """Whether two texts hold the same words, in whatever order: channels interleave."""
    return one.split() == other.split() or Counter(one.split()) == Counter(other.split())


def with_speaker(words: Iterable[Word], speaker: str | None) -> tuple[Word, ...]:
    """Words of a turn, in the turn's voice where they name none."""
    return tuple(word if word.speaker or not speaker else replace(word, speaker=speaker) for word in words)
