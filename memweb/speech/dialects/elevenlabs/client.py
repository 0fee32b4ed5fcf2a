"""The client half of ElevenLabs realtime: base64 audio in JSON up, transcripts by commit down; times in seconds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from memweb.speech.dialects import failures, warning, wire
from memweb.speech.dialects.contract import LiveOptions
from memweb.speech.dialects.languages import base_language
from memweb.speech.dialects.segments import SegmentBook
from memweb.speech.dialects.words import bounds, listed_words, main_speaker
from memweb.speech.events import Began, Event, Partial, Revised, SpeakersMerged, Warned
from memweb.speech.transcript import Segment, Word

Frame = dict[str, Any]

FAILING = {
    "error": "provider",
    "autherror": "auth",
    "quotaexceeded": "funds",
    "unacceptedterms": "auth",
    "unacceptedtermserror": "auth",
    "ratelimited": "rate",
    "queueoverflow": "capacity",
    "resourceexhausted": "capacity",
    "sessiontimelimitexceeded": "session_limit",
    "inputerror": "input",
    "invalidrequest": "input",
    "chunksizeexceeded": "input",
    "insufficientaudioactivity": "idle",
    "transcribererror": "provider",
}
"""Error messages to codes of ours. `commit_throttled` is not among them: it ends nothing."""


class ElevenLabsClient:
    """One connection. A segment is one commit; its timed telling replaces the plain one of the same text."""

    name = "elevenlabs"
    says_ended = False

    def __init__(self) -> None:
        self._options = LiveOptions()
        self._book = SegmentBook()
        self._ending = False
        self._shape_frames()

    def _shape_frames(self) -> None:
        self._prefix = '{"message_type":"input_audio_chunk","audio_base_64":"'
        self._suffix = f'","commit":false,"sample_rate":{self._options.sample_rate}}}'
        self._commit = f'{self._prefix}","commit":true,"sample_rate":{self._options.sample_rate}}}'

    def query(self, options: LiveOptions) -> list[tuple[str, str]]:
        self._options = options
        self._shape_frames()
        own = {
            "model_id": "scribe_v2_realtime",
            "audio_format": f"pcm_{options.sample_rate}",
            "commit_strategy": "vad",
            "include_timestamps": "true" if options.timestamps else "false",
        }
        own |= {"language_code": options.language} if options.language else {"include_language_detection": "true"}
        named = {name for name, _ in options.extra}
        return [pair for pair in own.items() if pair[0] not in named] + list(options.extra)

    def audio(self, pcm: bytes) -> str:
        return self._prefix + b64encode(pcm).decode("ascii") + self._suffix

    def commit(self) -> str:
        return self._commit

    def ends(self) -> tuple[str | bytes, ...]:
        """A last commit: there is no message for the end, so wait until nothing more comes, then close 1000."""
        self._ending = True
        return (self._commit,)

    def closed(self, code: int, reason: str) -> Event:
        return failures.closed(code, reason, asked=self._ending)

    def read(self, message: str | bytes) -> tuple[Event, ...]:
        frame = wire.read_object(message)
        if frame is None:
            return (Warned("unreadable", "A message that is not a JSON object."),)
        kind = wire.kind(frame)
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(self, frame)
        if kind in FAILING:
            return (failures.failed(FAILING[kind], wire.text(frame.get("error"))),)
        return failures.unlisted(frame, kind)

    def _began(self, frame: Frame) -> tuple[Event, ...]:
        config = frame.get("config")
        named = config if isinstance(config, dict) else {}
        model = wire.text(named.get("engine")) or wire.text(named.get("model_id"))
        return (Began(wire.text(frame.get("session_id")), model or None),)

    def _partial(self, frame: Frame) -> tuple[Event, ...]:
        return (Partial(wire.text(frame.get("text")).strip()),) if self._options.partials else ()

    def _final(self, frame: Frame, late: bool = False) -> tuple[Event, ...]:
        words = read_words(frame)
        text = wire.text(frame.get("text")).strip() or " ".join(word.text for word in words)
        if not text:
            return (Partial(""),)
        final = self._book.tell(
            kind=wire.kind(frame),
            segment=segment_of(text, words, frame),
            timed=bool(words),
            index=wire.ordinal(frame.get("segment_index")),
            late=late,
        )
        return () if final is None else (final,)

    def _late_final(self, frame: Frame) -> tuple[Event, ...]:
        return self._final(frame, late=True)

    def _throttled(self, frame: Frame) -> tuple[Event, ...]:
        return (Warned("commit_throttled", wire.shortened(frame.get("error"))),)

    def _reworded(self, frame: Frame) -> tuple[Event, ...]:
        other = frame.get("redacted_text", frame.get("edited_text"))
        final = self._book.reword(wire.text(frame.get("text")), wire.text(other).strip()) if other else None
        return (final,) if final else (Warned("unmatched", "A rewording of a segment that is not known."),)

    def _diarized(self, frame: Frame) -> tuple[Event, ...]:
        index = wire.ordinal(frame.get("segment_index"))
        words = read_words(frame)
        if index is None or not words:
            return (Warned("unmatched", "Speakers that fit no segment."),)
        text = wire.text(frame.get("text")).strip() or " ".join(word.text for word in words)
        index = self._book.numbered(index, segment_of(text, words, frame))
        speaker = main_speaker(words)
        if self._book.assign(index, speaker, words):
            return (Revised(str(index), speaker, words),)
        return self._final(frame, late=True)

    def _merged(self, frame: Frame) -> tuple[Event, ...]:
        gone, kept = wire.text(frame.get("from_speaker_id")), wire.text(frame.get("to_speaker_id"))
        return (SpeakersMerged(gone, kept),) if gone and kept else ()

    def _warned(self, frame: Frame) -> tuple[Event, ...]:
        return (warning.read(frame),)

    def _nothing(self, frame: Frame) -> tuple[Event, ...]:
        return ()


_READERS: dict[str, Callable[[ElevenLabsClient, Frame], tuple[Event, ...]]] = {
    "sessionstarted": ElevenLabsClient._began,
    "partialtranscript": ElevenLabsClient._partial,
    "committedtranscript": ElevenLabsClient._final,
    "committedtranscriptwithtimestamps": ElevenLabsClient._final,
    "finaltranscript": ElevenLabsClient._late_final,
    "finaltranscriptwithtimestamps": ElevenLabsClient._late_final,
    "transcript": ElevenLabsClient._final,  # the form in the gateway's published example
    "committedtranscriptentities": ElevenLabsClient._nothing,
    "redactedtranscript": ElevenLabsClient._reworded,
    "editedtranscript": ElevenLabsClient._reworded,
    "diarizedtranscript": ElevenLabsClient._diarized,
    "speakersmerged": ElevenLabsClient._merged,
    "warning": ElevenLabsClient._warned,
    "committhrottled": ElevenLabsClient._throttled,
}


def segment_of(text: str, words: tuple[Word, ...], frame: Frame) -> Segment:
    """A frame's segment, still without a key."""
    start_ms, end_ms = bounds(words) or (0, 0)
    return Segment(
        key="",
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        words=words,
        speaker=main_speaker(words),
        language=base_language(frame.get("language_code")),
    )


def read_words(frame: Frame) -> tuple[Word, ...]:
    """The words and sounds of a frame."""
    return listed_words(
        frame,
        unit_ms=1000,
        detail=lambda item: (wire.likelihood(item.get("logprob")), wire.text(item.get("speaker_id")) or None),
    )
