"""One recording, read as it was ordered: decoded in its child, voices told apart, words found by the engine.

The one place where the gateway's file endpoints meet the engines. Blocking, for minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from memweb.engines import batch, speakers
from memweb.media import decode
from memweb.speech import voices
from memweb.speech.dialects.orders import Order
from memweb.speech.recognition import Measures, Reading, Recognised, Stretch
from memweb.speech.transcript import Segment, Transcript
from memweb.speech.voices import Turn

Progress = Callable[[int], None]
"""Called with whole per cents, never falling, twice a second; what it raises ends the work."""
_PIECE = 1 << 16


@dataclass(slots=True)
class _Found:
    """What has been read so far, of one channel after another."""

    pairs: list[tuple[Segment, Measures | None]] = field(default_factory=list)
    voiced_ms: int = 0
    sure: list[float] = field(default_factory=list)


class _Sound:
    """The PCM of one file, as often as it is asked for."""

    def __init__(self, path: Path, order: Order) -> None:
        self._path, self._order = path, order
        self.heard_ms = self.length_ms = 0
        self.expected_ms: int | None = None

    @contextmanager
    def pieces(self, channel: int | None = None) -> Iterator[Iterator[bytes]]:
        """What the order wants of it. Raises NotMedia."""
        order = self._order
        if order.raw:
            with self._path.open("rb") as file:
                self.length_ms = self._path.stat().st_size // 32
                yield self._counted(_bare(file.read, file.seek, order))
            return
        with decode.Media(self._path, channel=channel, start_ms=order.start_ms, end_ms=order.end_ms) as media:
            whole = media.info.duration_ms
            self.expected_ms = None if whole is None else min(whole, order.end_ms or whole) - order.start_ms
            yield self._counted(media.pieces())
            self.length_ms = media.decoded_ms if order.end_ms is None else max(media.decoded_ms, whole or 0)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        size = 0
        for piece in pieces:
            size += len(piece)
            self.heard_ms = size // 32
            yield piece


def recognise(
    path: Path, order: Order, progress: Progress | None = None, heard: Callable[[Segment], None] | None = None
) -> Recognised:
    """Read one file as ordered. Raises NotMedia for what cannot be decoded, EngineError for what cannot be read.

    `heard` is told each segment as it is read, before it has a voice.
    `orders.fulfil` is still to be done on the result: this finds, it does not judge.
    """
    sound = _Sound(path, order)
    channels = _channels(path) if order.channels and not order.raw else 1
    share = _Share(progress, order.speakers + channels)
    turns = _turns(sound, order, share.next()) if order.speakers else ()
    found = _Found()
    for number in range(channels):
        channel = number if order.channels and channels > 1 else None
        _read(sound, order, channel, found, share.next(), heard)
    found.pairs.sort(key=lambda pair: pair[0].start_ms)
    segments = voices.voiced([segment for segment, _ in found.pairs], turns)
    return Recognised(
        Transcript(segments, _language(segments, order), sound.length_ms),
        language_confidence=max(found.sure) if found.sure else None,
        voiced_ms=found.voiced_ms,
        heard_ms=sound.heard_ms,
        channels=channels,
        engine=batch.engine_name(),
        measures=tuple(measures for _, measures in found.pairs),
    )


def turns_of(
    path: Path, progress: Progress | None = None, most_speakers: int | None = None
) -> tuple[tuple[Turn, ...], int]:
    """Who speaks when in one file, and its length in ms. Raises as `recognise` does."""
    order = Order(speakers=True, most_speakers=most_speakers)
    sound = _Sound(path, order)
    return _turns(sound, order, _Share(progress, 1).next()), sound.length_ms


def _channels(path: Path) -> int:
    return max(1, decode.probe(path).channels)


def _turns(sound: _Sound, order: Order, progress: Progress) -> tuple[Turn, ...]:
    with sound.pieces() as pieces:
        expected = sound.expected_ms
        found = speakers.turns(
            pieces, lambda ms: progress(min(99, 100 * ms // expected) if expected else 0), order.most_speakers
        )
    shifted = tuple(
        replace(turn, start_ms=turn.start_ms + order.start_ms, end_ms=turn.end_ms + order.start_ms) for turn in found
    )
    return voices.loudest(shifted, order.most_speakers)


def _read(
    sound: _Sound,
    order: Order,
    channel: int | None,
    found: _Found,
    progress: Progress,
    heard: Callable[[Segment], None] | None,
) -> None:
    with sound.pieces(channel) as pieces:
        for told in batch.read(pieces, order.hints, progress, duration_ms=sound.expected_ms):
            if isinstance(told, Reading):
                found.pairs.append((_placed(told.segment, order.start_ms, channel), told.measures))
                if heard is not None:
                    heard(found.pairs[-1][0])
            elif isinstance(told, Stretch):
                found.voiced_ms += told.voiced_ms
                if told.language_confidence is not None:
                    found.sure.append(told.language_confidence)


def _placed(segment: Segment, later_ms: int, channel: int | None) -> Segment:
    """In the time of the whole recording, and with its channel."""
    words = tuple(
        replace(word, start_ms=word.start_ms + later_ms, end_ms=word.end_ms + later_ms) for word in segment.words
    )
    return replace(
        segment,
        key=segment.key if channel is None else f"{channel}-{segment.key}",
        start_ms=segment.start_ms + later_ms,
        end_ms=segment.end_ms + later_ms,
        words=words,
        channel=channel,
    )


def _language(segments: tuple[Segment, ...], order: Order) -> str | None:
    """As ordered, else what most of it is in."""
    if order.hints.language:
        return order.hints.language.split("-")[0].lower()
    told: Counter[str] = Counter()
    for segment in segments:
        if segment.language:
            told[segment.language] += max(1, segment.end_ms - segment.start_ms)
    return told.most_common(1)[0][0] if told else None


def _bare(read: Callable[[int], bytes], seek: Callable[[int], int], order: Order) -> Iterator[bytes]:
    """PCM that needs no decoding."""
    at = seek(order.start_ms * 32)
    end = None if order.end_ms is None else order.end_ms * 32
    while (end is None or at < end) and (piece := read(_PIECE if end is None else min(_PIECE, end - at))):
        at += len(piece)
        yield piece


class _Share:
    """Per cents of the whole from per cents of its parts: the words of a channel, and the voices, take as long."""

    def __init__(self, progress: Progress | None, parts: int) -> None:
        self._progress, self._parts, self._part = progress, parts, -1

    def next(self) -> Progress:
        self._part += 1
        before = self._part

        def progress(percent: int) -> None:
            if self._progress is not None:
                self._progress((100 * before + percent) // self._parts)

        return progress
