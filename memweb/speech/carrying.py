"""A person's corrections of one reading, carried over to another reading of the same sound.

What was corrected is found again by its words and its time. What cannot be found is told, never guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from memweb.speech import editing
from memweb.speech.transcript import Segment

NEAR_MS = 2_000
"""How far from its old place a correction is looked for: engines differ by a second at most."""
_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Correction:
    """Words in the place of others. An empty `before` was put in, an empty `after` was taken out."""

    start_ms: int
    end_ms: int
    before: tuple[str, ...]
    after: str
    lead: tuple[str, ...]
    """The words before it, as compared: where there is nothing to replace, they say where it belongs."""
    trail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of the corrections."""

    segments: tuple[Segment, ...]
    """All segments of the new reading, corrected where corrections found their place."""
    placed: int
    agreed: int
    """Those the new reading heard by itself."""
    unplaced: tuple[Correction, ...]


@dataclass(frozen=True, slots=True)
class _Spot:
    """One token of a reading: whose it is, where it stands, and about when it is said."""

    segment: int
    begin: int
    end: int
    norm: str
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Opening:
    """Where in another reading a paragraph begins, or goes on, because a person said so."""

    key: str
    """Of the segment."""
    at: int
    """Which character of its text; 0 where it is the segment's first word."""
    opens: bool


def corrections(original: Sequence[Segment], current: Sequence[Segment]) -> list[Correction]:
    """What a person changed between two states of one reading. Segments both have alike are not looked into."""
    found: list[Correction] = []
    for before, after in _differing(original, current):
        found += _between(_spots(before), _spots(after), before, after)
    return found


def carry(changes: Iterable[Correction], reading: Sequence[Segment]) -> Carried:
    """Make these corrections in another reading, latest first, so that earlier places stay where they are."""
    segments = list(reading)
    spots = _spots(segments)
    times = [spot.at_ms for spot in spots]
    placed = agreed = 0
    unplaced: list[Correction] = []
    taken: dict[int, list[tuple[int, int, str]]] = {}
    for change in changes:
        low, high = bisect_left(times, change.start_ms - NEAR_MS), bisect_left(times, change.end_ms + NEAR_MS)
        window = spots[low:high]
        place = None if _stands(change, window) else _place(change, window)
        if place is not None and _is_free(place, window, taken):
            _take(change, place, window, taken)
            placed += 1
        elif place is None and _is_heard(change, window):
            agreed += 1
        else:
            unplaced.append(change)
    for number, cuts in taken.items():
        text = segments[number].text
        for begin, end, put in sorted(cuts, reverse=True):
            text = f"{text[:begin]}{put}{text[end:]}"
        segments[number] = editing.retext(segments[number], " ".join(text.split()))
    return Carried(tuple(segments), placed, agreed, tuple(unplaced))


def openings(
    current: Sequence[Segment],
    reading: Sequence[Segment],
    *,
    is_newer: Callable[[str, str], bool] = lambda ours, theirs: False,
) -> tuple[list[Opening], list[Segment]]:
    """Where another reading's paragraphs begin and go on as a person said in this one; and whose place was not found.

    What a person said of the other reading's own paragraphs stays, unless what was said here is newer:
    `is_newer` is asked with the key of this one's segment and of the other's.
    """
    ours, theirs = _spots(current), _spots(reading)
    times, norms = [spot.at_ms for spot in theirs], [spot.norm for spot in ours]
    found: list[Opening] = []
    unplaced: list[Segment] = []
    for place, spot in enumerate(ours):
        segment = current[spot.segment]
        if segment.opens is None or not place or ours[place - 1].segment == spot.segment:
            continue
        low, high = bisect_left(times, spot.at_ms - NEAR_MS), bisect_left(times, spot.at_ms + NEAR_MS)
        around = tuple(norms[max(place - _CONTEXT, 0) : place]), tuple(norms[place : place + _CONTEXT])
        at = _opening(theirs, low, high, around, spot.at_ms)
        if at is None:
            unplaced.append(segment)
        elif at:
            there = theirs[at]
            is_first = theirs[at - 1].segment != there.segment
            if not is_first and segment.opens:  # within a segment it goes on by itself
                found.append(Opening(reading[there.segment].key, there.begin, True))
            elif is_first and _gives_way(reading[there.segment], segment, is_newer):
                found.append(Opening(reading[there.segment].key, 0, segment.opens))
    return found, unplaced


def _gives_way(theirs: Segment, ours: Segment, is_newer: Callable[[str, str], bool]) -> bool:
    return theirs.opens is None or (theirs.opens != ours.opens and is_newer(ours.key, theirs.key))


def _opening(
    theirs: Sequence[_Spot], low: int, high: int, around: tuple[tuple[str, ...], tuple[str, ...]], at_ms: int
) -> int | None:
    """The word between the same neighbours, two of them at least; of several, the nearest in time."""
    lead, trail = around

    def alike(at: int) -> int:
        before, after = (
            tuple(spot.norm for spot in theirs[a:b]) for a, b in ((max(at - _CONTEXT, 0), at), (at, at + _CONTEXT))
        )
        pairs = [*zip(reversed(lead), reversed(before), strict=False), *zip(trail, after, strict=False)]
        return sum(one == other for one, other in pairs)

    best = max(range(low, high), key=lambda at: (alike(at), -abs(theirs[at].at_ms - at_ms)), default=None)
    return best if best is not None and alike(best) >= min(2, len(lead) + len(trail)) else None


def not_made(changes: Iterable[Correction], made: Iterable[Correction]) -> list[Correction]:
    """Those that were not made already, about there: the same one twice would find the next word that is alike."""
    left = list(made)
    fresh = []
    for change in changes:
        twin = next((one for one in left if _is_same(change, one)), None)
        if twin is None:
            fresh.append(change)
        else:
            left.remove(twin)
    return fresh


def _is_same(one: Correction, other: Correction) -> bool:
    is_near = abs(one.start_ms - other.start_ms) <= NEAR_MS
    return is_near and (one.before, one.after) == (other.before, other.after)


def _differing(
    original: Sequence[Segment], current: Sequence[Segment]
) -> Iterator[tuple[list[Segment], list[Segment]]]:
    """Runs of segments that are not alike in both, with one alike on either side for context."""
    matcher = SequenceMatcher(None, [_face(one) for one in original], [_face(one) for one in current], autojunk=False)
    for kind, first, last, low, high in matcher.get_opcodes():
        if kind != "equal":
            yield list(original[first:last]), list(current[low:high])


def _face(segment: Segment) -> tuple[str, str]:
    return segment.key, segment.text


def _spots(segments: Sequence[Segment]) -> list[_Spot]:
    found = []
    for number, segment in enumerate(segments):
        tokens = list(editing.places(segment.text))
        for place, (begin, end) in enumerate(tokens):
            at = _when(segment, place, len(tokens))
            said = segment.text[begin:end]
            found.append(_Spot(number, begin, end, editing.norm(said), said, at))
    return found


def _when(segment: Segment, place: int, count: int) -> int:
    """About when a token is said: its word's time where there is a word for each, else its share of the segment's."""
    if len(segment.words) == count:
        return segment.words[place].start_ms
    return segment.start_ms + (segment.end_ms - segment.start_ms) * place // count


def _between(
    before: list[_Spot], after: list[_Spot], old: Sequence[Segment], new: Sequence[Segment]
) -> Iterator[Correction]:
    norms, fresh = [spot.norm for spot in before], [spot.norm for spot in after]
    for kind, first, last, low, high in SequenceMatcher(None, norms, fresh, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        start, end = _time(before, first, last, [*old, *new])
        yield Correction(
            start,
            end,
            tuple(norms[first:last]),
            " ".join(spot.text for spot in after[low:high]),
            tuple(norms[max(first - _CONTEXT, 0) : first]),
            tuple(norms[last : last + _CONTEXT]),
        )


def _time(before: list[_Spot], first: int, last: int, segments: Sequence[Segment]) -> tuple[int, int]:
    if not before:
        return segments[0].start_ms, segments[0].end_ms
    return before[min(first, len(before) - 1)].at_ms, before[min(max(last - 1, first), len(before) - 1)].at_ms


def _place(change: Correction, window: list[_Spot]) -> tuple[int, int] | None:
    """The run of spots it replaces, nearest in time; an empty run between two where it puts words in."""
    norms = tuple(spot.norm for spot in window)
    size = len(change.before)
    if size:
        places = [at for at in range(len(norms) - size + 1) if norms[at : at + size] == change.before]
        places = [at for at in places if window[at].segment == window[at + size - 1].segment]
    else:
        places = [at for at in range(1, len(norms) + 1) if _context(change, norms, at, at) > 0]

    def fitness(at: int) -> tuple[int, int]:
        beside = window[at if size else at - 1]
        return _context(change, norms, at, at + size), -abs(beside.at_ms - change.start_ms)

    best = max(places, key=fitness, default=None)
    return None if best is None else (best, best + size)


def _context(change: Correction, norms: tuple[str, ...], first: int, last: int) -> int:
    """How many of the words around it are the same."""
    lead = sum(1 for a, b in zip(reversed(change.lead), reversed(norms[:first]), strict=False) if a == b)
    trail = sum(1 for a, b in zip(change.trail, norms[last:], strict=False) if a == b)
    return lead + trail


def _is_free(place: tuple[int, int], window: list[_Spot], taken: dict[int, list[tuple[int, int, str]]]) -> bool:
    first, last = place
    spot = window[first] if first < last else window[first - 1]
    begin, end = (spot.begin, window[last - 1].end) if first < last else (spot.end, spot.end)
    return all(end < other[0] or begin > other[1] for other in taken.get(spot.segment, []))


def _take(
    change: Correction, place: tuple[int, int], window: list[_Spot], taken: dict[int, list[tuple[int, int, str]]]
) -> None:
    first, last = place
    if first < last:
        cut = (window[first].begin, window[last - 1].end, change.after)
        taken.setdefault(window[first].segment, []).append(cut)
    else:
        spot = window[first - 1]
        taken.setdefault(spot.segment, []).append((spot.end, spot.end, f" {change.after}"))


def _stands(change: Correction, window: list[_Spot]) -> bool:
    """Whether words that were put in are there already, between the same neighbours."""
    if change.before:
        return False
    put = tuple(editing.norm(token) for token in editing.tokens(change.after))
    wanted = (*change.lead[-1:], *put, *change.trail[:1])
    norms = tuple(spot.norm for spot in window)
    return any(norms[at : at + len(wanted)] == wanted for at in range(len(norms) - len(wanted) + 1))


def _is_heard(change: Correction, window: list[_Spot]) -> bool:
    """Whether the new reading says already what the person wrote."""
    wanted = tuple(editing.norm(token) for token in editing.tokens(change.after))
    norms = tuple(spot.norm for spot in window)
    if not wanted:  # taken out: it is not there any more
        return True
    return any(norms[at : at + len(wanted)] == wanted for at in range(len(norms) - len(wanted) + 1))


def with_speakers(reading: Sequence[Segment], assigned: Sequence[Segment]) -> tuple[Segment, ...]:
    """The reading with the speakers a person assigned, where most of a segment lies in an assigned one."""
    return tuple(_spoken(segment, assigned) for segment in reading)


def _spoken(segment: Segment, assigned: Sequence[Segment]) -> Segment:
    shares: dict[str | None, int] = {}
    for one in assigned:
        share = min(segment.end_ms, one.end_ms) - max(segment.start_ms, one.start_ms)
        shares[one.speaker] = shares.get(one.speaker, 0) + max(share, 0)
    speaker = max(shares, key=shares.__getitem__, default=segment.speaker)
    enough = shares.get(speaker, 0) * 2 > segment.end_ms - segment.start_ms
    return replace(segment, speaker=speaker) if enough else segment


def same_voices(reading: Sequence[Segment], known: Sequence[Segment]) -> dict[str, str]:
    """By label in a reading: the label in a known one of the same sound that has more than half of its time.

    Only time in which the known one tells who speaks counts. `known` is in order of time.
    """
    told = [segment for segment in known if segment.speaker]
    starts = [segment.start_ms for segment in told]
    longest = max((segment.end_ms - segment.start_ms for segment in told), default=0)
    shares: dict[str, dict[str, int]] = {}
    for segment in reading:
        for one in told[bisect_left(starts, segment.start_ms - longest) : bisect_left(starts, segment.end_ms)]:
            share = min(segment.end_ms, one.end_ms) - max(segment.start_ms, one.start_ms)
            if segment.speaker and one.speaker and share > 0:
                voices = shares.setdefault(segment.speaker, {})
                voices[one.speaker] = voices.get(one.speaker, 0) + share
    best = {label: max(voices, key=voices.__getitem__) for label, voices in shares.items()}
    return {label: other for label, other in best.items() if shares[label][other] * 2 > sum(shares[label].values())}
