"""The gateway's own rows: as documented, and read back by the client's half."""

from __future__ import annotations

import json

from memweb.speech import envelope
from memweb.speech.dialects import batch, rows
from memweb.speech.recognition import Recognised
from memweb.speech.transcript import Segment, Transcript, Word
from memweb.speech.voices import Turn


def found(*voices: str | None) -> Recognised:
    segments = tuple(
        Segment(
            str(number),
            2980 * number,
            2980 * number + 2500,
            f"Line {number}.",
            (Word(f"Line {number}.", 2980 * number, 2980 * number + 2500, speaker=voice),),
            speaker=voice,
        )
        for number, voice in enumerate(voices)
    )
    return Recognised(Transcript(segments, "en", 6780))


def test_items_have_a_speaker_only_where_it_was_asked_for() -> None:
    assert rows.text_items(found("7", "3"), speakers=False) == [
        {"text": "Line 0.", "start_time": 0.0, "end_time": 2.5},
        {"text": "Line 1.", "start_time": 2.98, "end_time": 5.48},
    ]
    labels = [item["speaker"] for item in rows.text_items(found("7", "3", "7"), speakers=True)]
    assert labels == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]


def test_rows_of_a_callback_have_a_speaker_or_null() -> None:
    assert [row["speaker"] for row in rows.text_rows(found(None, None))] == [None, None]
    wordless = Recognised(Transcript((Segment("0", 0, 10, "x", speaker="9"),)))
    assert rows.text_rows(wordless)[0]["speaker"] == "SPEAKER_00"


def test_voices_are_numbered_as_they_are_heard() -> None:
    turns = (Turn(5000, 6000, "b"), Turn(0, 2500, "a"), Turn(2600, 4000, "b"))
    assert rows.speaker_rows(turns) == [
        {"start": 0.0, "end": 2.5, "speaker": "SPEAKER_00"},
        {"start": 2.6, "end": 4.0, "speaker": "SPEAKER_01"},
        {"start": 5.0, "end": 6.0, "speaker": "SPEAKER_01"},
    ]


def test_the_clients_half_reads_what_this_half_says() -> None:
    body = envelope.rows_callback("ec24", rows.text_rows(found("1", "2")), 6.78, rows.WHISPER)
    told = envelope.read_callback(body)
    assert isinstance(told, envelope.TaskRows)
    read = batch.read(rows.WHISPER, {"rows": list(told.rows), "usage_metadata": told.usage}).transcript
    assert [(one.start_ms, one.end_ms, one.text, one.speaker) for one in read.segments] == [
        (0, 2500, "Line 0.", "SPEAKER_00"),
        (2980, 5480, "Line 1.", "SPEAKER_01"),
    ]
    assert read.duration_ms == 6780
    assert json.loads(body)["data"]["data"]["usage_metadata"] == {"duration": 6.78, "model": "whisper-1"}
