"""What AssemblyAI cuts from a completed transcript: sentences, paragraphs, captions, and where words were said.

All take and give the provider's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from memweb.speech import text
from memweb.speech.dialects.words import plain
from memweb.speech.formats import FORMATS
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.transcript import Segment, Transcript, Word

LONGEST_PARAGRAPH = 5
"""Sentences."""
PAUSE_MS = 2_000
LONGEST_SENTENCE = 80
"""Words; a transcript without marks has none to end a sentence at."""

_Json = Mapping[str, Any]


def sentences(transcript: _Json) -> dict[str, Any]:
    return _listed("sentences", transcript, _cut(transcript["words"], _ends_sentence))


def paragraphs(transcript: _Json) -> dict[str, Any]:
    """Sentences in runs, begun anew at a long silence or another voice."""
    runs: list[list[_Json]] = []
    count = 0
    for words in _cut(transcript["words"], _ends_sentence):
        if runs and count < LONGEST_PARAGRAPH and not _parts(runs[-1][-1], words[0]):
            runs[-1].extend(words)
            count += 1
        else:
            runs.append(list(words))
            count = 1
    return _listed("paragraphs", transcript, runs)


def _listed(name: str, transcript: _Json, runs: Iterable[list[_Json]]) -> dict[str, Any]:
    return {
        name: [_part(run) for run in runs],
        "id": transcript["id"],
        "confidence": transcript["confidence"],
        "audio_duration": transcript["audio_duration"],
        "speech_model_used": transcript.get("speech_model_used"),
    }


def _part(words: list[_Json]) -> dict[str, Any]:
    part = {
        "text": text.join(word["text"] for word in words),
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "confidence": round(sum(word["confidence"] for word in words) / len(words), 4),
        "words": words,
        "speaker": words[0].get("speaker"),
    }
    return part | ({"channel": words[0]["channel"]} if "channel" in words[0] else {})


def _cut(words: list[_Json], ends: Callable[[list[_Json], _Json], bool]) -> list[list[_Json]]:
    runs: list[list[_Json]] = []
    for word in words:
        if runs and not ends(runs[-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _ends_sentence(run: list[_Json], following: _Json) -> bool:
    last = run[-1]
    return text.ends_sentence(last["text"]) or len(run) >= LONGEST_SENTENCE or _parts(last, following)


def _parts(one: _Json, other: _Json) -> bool:
    """Whether what comes after is another's, or much later."""
    return one.get("speaker") != other.get("speaker") or other["start"] - one["end"] >= PAUSE_MS


def captions(transcript: _Json, extension: str, columns: int | None) -> bytes:
    """An SRT or VTT file, with lines of so many characters."""
    segments = tuple(_segment(number, run) for number, run in enumerate(_cut(transcript["words"], _parts_run)))
    rules = CaptionRules() if columns is None else CaptionRules(line_columns=columns, lines=1)
    return FORMATS[extension].write(Transcript(segments), Options(speakers=False, captions=rules))


def _parts_run(run: list[_Json], following: _Json) -> bool:
    return _parts(run[-1], following)


def _segment(number: int, run: list[_Json]) -> Segment:
    words = tuple(Word(word["text"], word["start"], word["end"]) for word in run)
    joined = text.join(word.text for word in words)
    return Segment(str(number), words[0].start_ms, words[-1].end_ms, joined, words, run[0].get("speaker"))


def search(transcript: _Json, wanted: Iterable[str]) -> dict[str, Any]:
    """Where words, or phrases of up to five, were said."""
    heard = [plain(word["text"]) for word in transcript["words"]]
    matches = [match for phrase in dict.fromkeys(wanted) if (match := _match(phrase, heard, transcript["words"]))]
    return {
        "id": transcript["id"],
        "total_count": sum(match["count"] for match in matches),
        "matches": matches,
    }


def _match(phrase: str, heard: list[str], words: list[_Json]) -> dict[str, Any] | None:
    sought = plain(phrase).split()
    if not sought:
        return None
    length = len(sought)
    places = [at for at in range(len(heard) - length + 1) if heard[at : at + length] == sought]
    if not places:
        return None
    return {
        "text": phrase,
        "count": len(places),
        "timestamps": [[words[at]["start"], words[at + length - 1]["end"]] for at in places],
        "indexes": places,
    }
