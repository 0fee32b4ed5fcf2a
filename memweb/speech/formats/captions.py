"""A transcript cut into captions: what SRT and VTT share.

A cue holds at most two lines of 42 columns, ends at a sentence or a pause where it can, stays long enough to be read,
and never overlaps the next, also where two people speak at once. Cues are made as segments come: a transcript of any
length takes no more memory than its longest segment.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from memweb.speech import text
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.formats.words import Timed, shared, timed
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
    starts: tuple[tuple[tuple[int, int], ...], ...] = ()
    """For each line: where in it each word begins, and when that word does, in ms."""

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
    is_name: bool = False
    """Of the speaker's name, not of what is said."""


def cues(transcript: Transcript, options: Options, *, labelled: bool = False) -> list[Cue]:
    """All captions of a transcript: see `flow`."""
    return list(flow(transcript.segments, options, labelled=labelled, length_ms=transcript.duration_ms))


def flow(
    segments: Iterable[Segment], options: Options, *, labelled: bool = False, length_ms: int | None = None
) -> Iterator[Cue]:
    """Captions in order, each ending before the next begins. Segments come in order; those without text give none.

    `labelled` writes the name of a new speaker into the text, for formats that have no other place for it. No cue is
    longer than the recording for being read, where its length is known.
    """
    for cue in _timed(_ordered(segments, options, labelled=labelled), options.captions):
        yield _within(cue, length_ms) if length_ms else cue


def _within(cue: Cue, length_ms: int) -> Cue:
    """A cue that begins after the recording's end stays as it is: then the length is not that of what was heard."""
    if not cue.start_ms < length_ms < cue.end_ms:
        return cue
    last = max(start_ms for line in cue.starts for _, start_ms in line)  # of its words, which stay within it
    return replace(cue, end_ms=min(cue.end_ms, max(length_ms, last + 1)))


def _ordered(segments: Iterable[Segment], options: Options, *, labelled: bool) -> Iterator[Cue]:
    waiting = _Waiting(options.captions, labelled=labelled)
    for segment in segments:
        yield from waiting.until(segment.start_ms)
        waiting.add(segment, options.speaker(segment.speaker))
    yield from waiting.until(None)


class _Waiting:
    """Pieces of what is said, each to be a cue, given out in order of time.

    A segment is cut with room for its speaker's name where another spoke in the segment before. Where people speak at
    once that may prove wrong: then its cue gets the name, or is rid of it, when it is known which one comes before.
    """

    def __init__(self, rules: CaptionRules, *, labelled: bool) -> None:
        self._rules = rules
        self._labelled = labelled
        self._pieces: list[tuple[int, int, list[_Token], str]] = []
        self._count = 0  # keeps the order of pieces that begin together
        self._latest = self._shown = ""  # who spoke in the last segment, and in the last cue

    def add(self, segment: Segment, speaker: str) -> None:
        tokens = list(_tokens(segment, self._rules))
        if self._labelled and speaker != self._latest:
            tokens = self._named(tokens, speaker)
        self._latest = speaker
        self._cut(tokens, speaker)

    def until(self, moment_ms: int | None) -> Iterator[Cue]:
        """Cues of the pieces that begin by then, or of all."""
        while self._pieces and (moment_ms is None or self._pieces[0][0] <= moment_ms):
            _, _, tokens, speaker = heapq.heappop(self._pieces)
            changes = self._labelled and speaker != self._shown
            if changes and not tokens[0].is_name:
                tokens, *rest = _cut(self._named(tokens, speaker), self._rules)
                self._cut([token for piece in rest for token in piece], speaker)
            elif not changes:
                tokens = [token for token in tokens if not token.is_name]
            if tokens:
                self._shown = speaker
                yield _cue(tokens, speaker, self._rules)

    def _named(self, tokens: list[_Token], speaker: str) -> list[_Token]:
        if not speaker or not tokens:
            return tokens
        start = tokens[0].start_ms
        parts = [Timed(part, start, start) for part in f"{speaker}:".split()]
        name = [token for part in parts for token in _divided(part, self._rules.line_columns)]
        return [*(replace(token, is_name=True) for token in name), *tokens]

    def _cut(self, tokens: list[_Token], speaker: str) -> None:
        for piece in _cut(tokens, self._rules):
            self._count += 1
            heapq.heappush(self._pieces, (piece[0].start_ms, self._count, piece, speaker))


def _cut(tokens: Iterable[_Token], rules: CaptionRules) -> Iterator[list[_Token]]:
    filling = _Filling(rules)
    for token in tokens:
        if filling.tokens and token.start_ms - filling.tokens[-1].end_ms >= rules.pause_ms:
            yield filling.take(len(filling.tokens))
        while filling.tokens and not filling.fits(token):
            yield filling.take(_kept(filling.tokens))
        filling.add(token)
    if filling.tokens:
        yield filling.tokens


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
    lines = _lines(tokens, rules.line_columns)
    starts = tuple(tuple(starts) for _, starts in lines)
    return Cue(tokens[0].start_ms, end, tuple(line for line, _ in lines), speaker, starts)


_Line = tuple[str, list[tuple[int, int]]]


def _lines(tokens: list[_Token], columns: int) -> list[_Line]:
    """As few lines as will do, and of those the most even ones: two halves read faster than a long and a stub."""
    count = _height(tokens, columns)
    narrow, wide = 1, columns if count > 1 else 1
    while narrow < wide:
        middle = (narrow + wide) // 2
        if _height(tokens, middle) <= count:
            wide = middle
        else:
            narrow = middle + 1
    return _wrapped(tokens, wide if count > 1 else columns)


def _height(tokens: list[_Token], columns: int) -> int:
    place = (1, 0)
    for token in tokens:
        place = _placed(place, token, columns)
    return place[0]


def _wrapped(tokens: list[_Token], columns: int) -> list[_Line]:
    lines: list[_Line] = [("", [])]
    place = (1, 0)
    for token in tokens:
        place = _placed(place, token, columns)
        if place[0] > len(lines):
            lines.append(("", []))
        line, starts = lines[-1]
        line += " " if token.spaced and line else ""
        lines[-1] = (line + token.text, [*starts, (len(line), token.start_ms)])
    return lines


def _tokens(segment: Segment, rules: CaptionRules) -> Iterator[_Token]:
    """The segment's words."""
    latest = 0
    for word in timed(segment):
        latest = max(latest, word.start_ms)  # words never go back in time, whatever a provider says
        moved = replace(word, start_ms=latest, end_ms=max(latest, word.end_ms))
        yield from _divided(moved, rules.line_columns)


def _divided(word: Timed, columns: int) -> Iterator[_Token]:
    """A word, or its pieces where a line may break inside it."""
    if word.text.isascii() and len(word.text) <= columns:
        yield _Token(word.text, word.start_ms, word.end_ms, len(word.text), word.spaced)
        return
    parts = _fitting(word.text, columns)
    widths = [text.width(part) for part in parts]
    spans = shared(word.start_ms, word.end_ms, [width or 1 for width in widths])
    for at, (part, (start, end)) in enumerate(zip(parts, spans, strict=True)):
        yield _Token(part, start, end, widths[at], spaced=word.spaced and at == 0)


def pieces(said: str) -> list[str]:
    """What is never divided unless it is longer than a line: a line may break between characters of CJK."""
    return _PIECE.findall(said)


def _fitting(word: str, columns: int) -> list[str]:
    """Its pieces, those too long for a line divided."""
    fitting = []
    for piece in pieces(word):
        begin = column = 0
        for at, character in enumerate(piece):
            wide = text.width(character)
            if column + wide > columns and at > begin:
                fitting.append(piece[begin:at])
                begin, column = at, 0
            column += wide
        fitting.append(piece[begin:])
    return fitting


def _timed(cut: Iterable[Cue], rules: CaptionRules) -> Iterator[Cue]:
    """Ends moved: later by the pad, for reading, and to the least; never beyond the start of the next.

    Where two people speak at once the later cue waits until the other was seen for a moment.
    """
    soonest = 0
    held: Cue | None = None
    for cue in cut:
        start = max(cue.start_ms, soonest)
        soonest = start + max(1, min(rules.least_ms, cue.end_ms - cue.start_ms))
        if held is not None:
            yield replace(held, end_ms=min(_end(held, rules), start))
        held = replace(cue, start_ms=start)
    if held is not None:
        yield replace(held, end_ms=_end(held, rules))


def _end(cue: Cue, rules: CaptionRules) -> int:
    reading = sum(map(text.width, cue.lines)) * 1000 // rules.columns_per_second
    return max(cue.end_ms + rules.pad_ms, cue.start_ms + max(1, rules.least_ms, reading))
