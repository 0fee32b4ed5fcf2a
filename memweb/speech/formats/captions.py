"""A transcript cut into captions: what SRT and VTT share.

A cue holds at most two lines of 42 columns, ends at a sentence or a pause where it can, stays long enough to be read,
and never overlaps the next, also where two people speak at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from memweb.speech import text
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.transcript import Segment, Transcript

# A run of letters, or one character of CJK with the punctuation that must not leave it.
_PIECE = re.compile(
    rf"[「『（【〔]*[{text.CJK}][、。，．！？」』）】〕ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ]*|[^{text.CJK}]+"
)
_CLAUSE_END = re.compile(r"[,;:–—、，；：][\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption of as many lines as the rules allow, or fewer."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str = ""
    """The name to show; empty where there is none."""

    @property
    def text(self) -> str:
        return text.join(self.lines)


@dataclass(frozen=True, slots=True)
class _Token:
    """What is never divided between cues or lines."""

    text: str
    start_ms: int
    end_ms: int
    columns: int
    spaced: bool = True
    """True where a space stands before it."""


def cues(transcript: Transcript, options: Options, *, labelled: bool = False) -> list[Cue]:
    """All captions, in order, each ending before the next begins. Segments without text give none.

    `labelled` writes the name of a new speaker into the text, for formats that have no other place for it.
    """
    cut: list[Cue] = []
    before = ""
    for segment in transcript.segments:
        speaker = options.speaker(segment.speaker)
        label = f"{speaker}:" if labelled and speaker and speaker != before else ""
        cut += _cut(_tokens(segment, label, options.captions), speaker, options.captions)
        before = speaker
    return list(_timed(sorted(cut, key=lambda cue: cue.start_ms), options.captions))


def _cut(tokens: Iterator[_Token], speaker: str, rules: CaptionRules) -> Iterator[Cue]:
    filling = _Filling(rules)
    for token in tokens:
        if filling.tokens and token.start_ms - filling.tokens[-1].end_ms >= rules.pause_ms:
            yield _cue(filling.take(len(filling.tokens)), speaker, rules)
        while filling.tokens and not filling.fits(token):
            yield _cue(filling.take(_kept(filling.tokens)), speaker, rules)
        filling.add(token)
    if filling.tokens:
        yield _cue(filling.tokens, speaker, rules)


class _Filling:
    """The cue being filled, with the place where its last line stands: no line is measured twice."""

    def __init__(self, rules: CaptionRules) -> None:
        self._rules = rules
        self.tokens: list[_Token] = []
        self._place = (1, 0)

    def fits(self, token: _Token) -> bool:
        lines, _ = _placed(self._place, token, self._rules.line_columns)
        return lines <= self._rules.lines and token.end_ms - self.tokens[0].start_ms <= self._rules.most_ms

    def add(self, token: _Token) -> None:
        self.tokens.append(token)
        self._place = _placed(self._place, token, self._rules.line_columns)

    def take(self, count: int) -> list[_Token]:
        taken, rest = self.tokens[:count], self.tokens[count:]
        self.tokens, self._place = [], (1, 0)
        for token in rest:
            self.add(token)
        return taken


def _placed(place: tuple[int, int], token: _Token, columns: int) -> tuple[int, int]:
    """(line, column) after a token set at `place`."""
    line, column = place
    longer = column + token.columns + (1 if token.spaced and column else 0)
    return (line, longer) if longer <= columns or not column else (line + 1, token.columns)


def _kept(tokens: list[_Token]) -> int:
    """How many tokens stay: up to the last sentence's end in the later half, else the last clause's, else all."""
    for ends in (text.ends_sentence, _ends_clause):
        for at in range(len(tokens), len(tokens) // 2, -1):
            if ends(tokens[at - 1].text):
                return at
    return len(tokens)


def _ends_clause(word: str) -> bool:
    return bool(_CLAUSE_END.search(word))


def _cue(tokens: list[_Token], speaker: str, rules: CaptionRules) -> Cue:
    end = max(token.end_ms for token in tokens)
    return Cue(tokens[0].start_ms, end, _lines(tokens, rules.line_columns), speaker)


def _lines(tokens: list[_Token], columns: int) -> tuple[str, ...]:
    """As few lines as will do, and of those the most even ones: two halves read faster than a long and a stub."""
    count = _height(tokens, columns)
    narrow, wide = 1, columns if count > 1 else 1
    while narrow < wide:
        middle = (narrow + wide) // 2
        if _height(tokens, middle) <= count:
            wide = middle
        else:
            narrow = middle + 1
    return tuple(_wrapped(tokens, wide if count > 1 else columns))


def _height(tokens: list[_Token], columns: int) -> int:
    place = (1, 0)
    for token in tokens:
        place = _placed(place, token, columns)
    return place[0]


def _wrapped(tokens: list[_Token], columns: int) -> list[str]:
    lines = [""]
    place = (1, 0)
    for token in tokens:
        place = _placed(place, token, columns)
        if place[0] > len(lines):
            lines.append(token.text)
        else:
            lines[-1] += (" " if token.spaced and lines[-1] else "") + token.text
    return lines


def _tokens(segment: Segment, label: str, rules: CaptionRules) -> Iterator[_Token]:
    """The label, then words as the text has them, with the times of the segment's words where they are as many.

    After an edit they may not be; then the segment's time is shared out by length.
    """
    written = text.plain(segment.text).split()
    if not written:
        return
    if len(written) == len(segment.words):
        spans = [(word.start_ms, word.end_ms) for word in segment.words]
    else:
        spans = _shared(segment.start_ms, segment.end_ms, [text.width(word) or 1 for word in written])
    latest = spans[0][0]
    for word in label.split():
        yield from _divided(word, latest, latest, rules.line_columns)
    for word, (start, end) in zip(written, spans, strict=True):
        latest = max(latest, start)  # words never go back in time, whatever a provider says
        yield from _divided(word, latest, max(latest, end), rules.line_columns)


def _divided(word: str, start_ms: int, end_ms: int, columns: int) -> Iterator[_Token]:
    """A word, or its pieces where a line may break inside it."""
    if word.isascii() and len(word) <= columns:
        yield _Token(word, start_ms, end_ms, len(word))
        return
    pieces = _pieces(word, columns)
    widths = [text.width(piece) for piece in pieces]
    spans = _shared(start_ms, end_ms, [width or 1 for width in widths])
    for at, (piece, (start, end)) in enumerate(zip(pieces, spans, strict=True)):
        yield _Token(piece, start, end, widths[at], spaced=at == 0)


def _pieces(word: str, columns: int) -> list[str]:
    """Divided between characters of CJK, and where it is longer than a line."""
    pieces = []
    for piece in _PIECE.findall(word):
        rest = piece
        while text.width(rest) > columns and len(rest) > 1:
            cut = next((at for at in range(len(rest) - 1, 1, -1) if text.width(rest[:at]) <= columns), 1)
            pieces.append(rest[:cut])
            rest = rest[cut:]
        pieces.append(rest)
    return pieces


def _shared(start_ms: int, end_ms: int, weights: list[int]) -> list[tuple[int, int]]:
    """A stretch of time cut in proportion to weights, without gaps."""
    total, length = sum(weights), end_ms - start_ms
    passed, spans = 0, []
    for weight in weights:
        begin = start_ms + length * passed // total
        passed += weight
        spans.append((begin, start_ms + length * passed // total))
    return spans


def _timed(cut: list[Cue], rules: CaptionRules) -> Iterator[Cue]:
    """Ends moved: later by the pad, for reading, and to the least; never beyond the start of the next.

    Where two people speak at once the later cue waits until the other was seen for a moment.
    """
    moved: list[Cue] = []
    soonest = 0
    for cue in cut:
        start = max(cue.start_ms, soonest)
        moved.append(replace(cue, start_ms=start))
        soonest = start + max(1, min(rules.least_ms, cue.end_ms - cue.start_ms))
    for at, cue in enumerate(moved):
        reading = sum(map(text.width, cue.lines)) * 1000 // rules.columns_per_second
        end = max(cue.end_ms + rules.pad_ms, cue.start_ms + max(1, rules.least_ms, reading))
        yield replace(cue, end_ms=min(end, moved[at + 1].start_ms) if at + 1 < len(moved) else end)
