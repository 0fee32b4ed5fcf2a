"""The client half of AssemblyAI streaming: binary audio up, numbered turns down; times in milliseconds.

Reads v3, the retired v2 names, and the forms in the gateway's published example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memweb.speech.dialects import failures, warning, wire
from memweb.speech.dialects.contract import LiveOptions
from memweb.speech.dialects.languages import base_language
from memweb.speech.dialects.segments import SegmentBook
from memweb.speech.dialects.wire import LONGEST_MS
from memweb.speech.dialects.words import listed_words, main_speaker
from memweb.speech.events import Began, Ended, Event, Partial, Revised, SpeechBegan, Warned
from memweb.speech.transcript import Segment, Word

Frame = dict[str, Any]

REFUSED_END = 3006
"""After an end was asked for, the refusal of a message can only mean the second form of asking: it is the end."""


class AssemblyAIClient:
    """One connection. A turn is one segment, told again and again under the same order; the last telling counts."""

    name = "assemblyai"
    says_ended = True

    def __init__(self) -> None:
        self._options = LiveOptions()
        self._book = SegmentBook()
        self._ended_turn = -1
        self._formatted: set[int] = set()
        self._ending = False

    def query(self, options: LiveOptions) -> list[tuple[str, str]]:
        self._options = options
        english = options.language == "en"
        own = {
            "sample_rate": str(options.sample_rate),
            "encoding": "pcm_s16le",
            "speech_model": "universal-streaming-english" if english else "universal-streaming-multilingual",
            "format_turns": "true",
        }
        own |= {"language_code": options.language} if options.language else {"language_detection": "true"}
        if not options.partials:
            own |= {"disable_partial_transcripts": "true", "include_partial_turns": "false"}
        named = {name for name, _ in options.extra}
        return [pair for pair in own.items() if pair[0] not in named] + list(options.extra)

    def audio(self, pcm: bytes) -> bytes:
        return pcm

    def commit(self) -> str:
        return '{"type":"ForceEndpoint"}'

    def ends(self) -> tuple[str | bytes, ...]:
        """The provider's own message, then the one the gateway's documentation names."""
        self._ending = True
        return '{"type":"Terminate"}', '{"type":"session_termination"}'

    def closed(self, code: int, reason: str) -> Event:
        if self._ending and code == REFUSED_END:
            return Ended()
        return failures.closed(code, reason, asked=self._ending)

    def read(self, message: str | bytes) -> tuple[Event, ...]:
        frame = wire.read_object(message)
        if frame is None:
            return (Warned("unreadable", "A message that is not a JSON object."),)
        kind = wire.kind(frame)
        reader = _READERS.get(kind)
        return reader(self, frame) if reader is not None else failures.unlisted(frame, kind)

    def _began(self, frame: Frame) -> tuple[Event, ...]:
        configuration = frame.get("configuration")
        model = wire.text(configuration.get("model")) if isinstance(configuration, dict) else ""
        return (Began(wire.text(frame.get("id")) or wire.text(frame.get("session_id")), model or None),)

    def _speech_began(self, frame: Frame) -> tuple[Event, ...]:
        return (SpeechBegan(wire.milliseconds(frame.get("timestamp"), 1) or 0),)

    def _turn(self, frame: Frame) -> tuple[Event, ...]:
        order = wire.ordinal(frame.get("turn_order"))
        if frame.get("end_of_turn") is not True:
            return self._interim(frame) if order is None or order > self._ended_turn else ()
        words = read_words(frame)
        text, _ = so_far(frame)
        formatted = frame.get("turn_is_formatted") is True
        if order is not None:
            if order in self._formatted and not formatted:
                return ()
            self._ended_turn = max(self._ended_turn, order)
            if formatted:
                self._formatted.add(order)
        return self._told("turn", text, words, frame, order)

    def _interim(self, frame: Frame) -> tuple[Event, ...]:
        if not self._options.partials:
            return ()
        text, found = so_far(frame)
        start_ms, end_ms = found or (None, None)
        return (Partial(text, start_ms, end_ms),)

    def _told(
        self, kind: str, text: str, words: tuple[Word, ...], frame: Frame, order: int | None = None
    ) -> tuple[Event, ...]:
        if not text and not self._book.knows(order):
            return (Partial(""),)
        start_ms, end_ms = placed(frame)
        segment = Segment(
            key="",
            start_ms=start_ms,
            end_ms=end_ms,
            text=text,
            words=words,
            speaker=speaker_label(frame.get("speaker_label")) or main_speaker(words),
            language=base_language(frame.get("language_code")),
        )
        final = self._book.tell(kind=kind, segment=segment, timed=bool(end_ms), index=order)
        return (final,) if final is not None else ()

    def _old_partial(self, frame: Frame) -> tuple[Event, ...]:
        if not self._options.partials:
            return ()
        start_ms, end_ms = placed(frame)
        text = wire.text(frame.get("text")).strip()
        return (Partial(text, start_ms, end_ms) if end_ms else Partial(text),)

    def _old_final(self, frame: Frame) -> tuple[Event, ...]:
        return self._told(wire.kind(frame), wire.text(frame.get("text")).strip(), read_words(frame), frame)

    def _revised(self, frame: Frame) -> tuple[Event, ...]:
        revisions: list[Event] = []
        for item in wire.objects(frame.get("revisions")):
            order = wire.ordinal(item.get("turn_order"))
            if order is None:
                continue
            words = read_words(item)
            speaker = speaker_label(item.get("speaker_label")) or main_speaker(words)
            self._book.assign(order, speaker, words)
            revisions.append(Revised(str(order), speaker, words))
        return tuple(revisions)

    def _warned(self, frame: Frame) -> tuple[Event, ...]:
        return (warning.read(frame),)

    def _failed(self, frame: Frame) -> tuple[Event, ...]:
        if self._ending and frame.get("error_code") == REFUSED_END:
            return (Ended(),)
        return failures.unlisted({"error": "", **frame}, "error")

    def _ended(self, frame: Frame) -> tuple[Event, ...]:
        self._ending = True
        return (Ended(wire.milliseconds(frame.get("audio_duration_seconds"), 1000)),)

    def _nothing(self, frame: Frame) -> tuple[Event, ...]:
        return ()


_READERS: dict[str, Callable[[AssemblyAIClient, Frame], tuple[Event, ...]]] = {
    "begin": AssemblyAIClient._began,
    "sessionbegins": AssemblyAIClient._began,
    "speechstarted": AssemblyAIClient._speech_began,
    "turn": AssemblyAIClient._turn,
    "partialtranscript": AssemblyAIClient._old_partial,
    "finaltranscript": AssemblyAIClient._old_final,
    "speakerrevision": AssemblyAIClient._revised,
    "heartbeat": AssemblyAIClient._nothing,
    "silence": AssemblyAIClient._nothing,
    "llmgatewayresponse": AssemblyAIClient._nothing,
    "sessioninformation": AssemblyAIClient._nothing,
    "warning": AssemblyAIClient._warned,
    "error": AssemblyAIClient._failed,
    "termination": AssemblyAIClient._ended,
    "sessionterminated": AssemblyAIClient._ended,
}


def so_far(frame: Frame) -> tuple[str, tuple[int, int] | None]:
    """All the words of a turn so far, and their bounds in ms; no bounds where there are no words.

    Its words are its transcript, and the tail that older models leave out of it: some put only settled words into
    `transcript`, others all of them; which one shows in its length. In one pass: ten times a second, over each word.
    """
    transcript = wire.text(frame.get("transcript")).strip() or wire.text(frame.get("utterance")).strip()
    whole, tail = 0, []
    first, last, end_before = LONGEST_MS, 0, 0
    for item in wire.objects(frame.get("words")):
        word = wire.text(item.get("text")).strip()
        if not word:
            continue
        whole += len(word)
        if item.get("word_is_final") is False:
            tail.append(word)
        if item.get("type") == "spacing":
            continue
        start, end = wire.milliseconds(item.get("start"), 1), wire.milliseconds(item.get("end"), 1)
        begin = end_before if start is None else start
        end_before = begin if end is None or end < begin else end
        if begin < first:
            first = begin
        if end_before > last:
            last = end_before
    found = (first, last) if first <= last else None
    if not tail:
        return transcript, found
    length, tail_length = len("".join(transcript.split())), sum(map(len, tail))
    if abs(length - whole) > abs(length - (whole - tail_length)):
        return " ".join([transcript, *tail]).strip(), found
    return transcript, found


def placed(frame: Frame) -> tuple[int, int]:
    """Start and end in ms, from the words or from a v2 message's own bounds; 0 and 0 where it has none."""
    _, found = so_far(frame)
    if found is not None:
        return found
    start = wire.milliseconds(frame.get("audio_start"), 1) or 0
    return start, max(start, wire.milliseconds(frame.get("audio_end"), 1) or 0)


def speaker_label(value: object) -> str | None:
    """A voice's label; None for the provider's word for none."""
    if value is None:
        return None
    label = wire.text(value).strip()
    return label if label and label != "UNKNOWN" else None


def read_words(frame: Frame) -> tuple[Word, ...]:
    """The words of a frame."""
    return listed_words(
        frame,
        unit_ms=1,
        detail=lambda item: (wire.share(item.get("confidence")), speaker_label(item.get("speaker"))),
    )
