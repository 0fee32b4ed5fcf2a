"""What was found in a recording, in each provider's shape: its official client and our own reader can read it."""

from __future__ import annotations

import json
from typing import Any

import assemblyai
import pytest
from elevenlabs import SpeechToTextChunkResponseModel
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

from memweb.speech.dialects import RefusedParameter, batch
from memweb.speech.dialects.assemblyai import parts, transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.openai import transcriptions
from memweb.speech.dialects.parameters import query_of
from memweb.speech.recognition import Recognised
from tests.speech.dialects.recordings import (
    JAPANESE,
    MEASURED,
    NOTHING,
    PLAIN,
    TWO_CHANNELS,
    TWO_VOICES,
    WORDLESS,
    recording,
    segment,
)

ALL = {
    "plain": PLAIN,
    "two voices": TWO_VOICES,
    "two channels": TWO_CHANNELS,
    "wordless": WORDLESS,
    "japanese": JAPANESE,
    "nothing": NOTHING,
    "measured": MEASURED,
}
any_recording = pytest.mark.parametrize("found", ALL.values(), ids=ALL)


def scribed(found: Recognised, **body: Any) -> dict[str, Any]:
    return scribe.result(scribe.read_request(query_of(body)), found, "t1")


def transcribed(found: Recognised, **body: Any) -> dict[str, Any]:
    asked = transcripts.read_request(query_of(body), body)
    return transcripts.completed(asked, found, id="t1", audio_url="https://example.org/a.mp3")


def opened(found: Recognised, **body: Any) -> transcriptions.Body:
    return transcriptions.result(transcriptions.read_request(query_of({"model": "whisper-1"} | body)), found)


# ElevenLabs


def test_elevenlabs_words_and_spaces_make_the_text() -> None:
    said = scribed(PLAIN)
    assert said["text"] == "Hello, um, how are you today? Very well, thank you."
    assert "".join(item["text"] for item in said["words"]) == said["text"]
    assert said["words"][:3] == [
        {"text": "Hello,", "start": 0.0, "end": 0.4, "type": "word", "logprob": pytest.approx(-0.105, abs=1e-3)},
        {"text": " ", "start": 0.4, "end": 0.5, "type": "spacing", "logprob": 0.0},
        {"text": "um,", "start": 0.5, "end": 0.9, "type": "word", "logprob": pytest.approx(-0.105, abs=1e-3)},
    ]
    assert (said["language_code"], said["language_probability"]) == ("en", 0.97)
    assert (said["transcription_id"], said["audio_duration_secs"]) == ("t1", 10.4)


def test_elevenlabs_scripts_without_spaces_get_none() -> None:
    assert scribed(JAPANESE)["text"] == "今日は晴れです。"


def test_elevenlabs_numbers_voices_in_the_order_they_are_heard() -> None:
    said = scribed(TWO_VOICES, diarize=True)
    speakers = [item["speaker_id"] for item in said["words"] if item["type"] == "word"]
    assert speakers == ["speaker_0"] * 3 + ["speaker_1"] * 3 + ["speaker_0"] * 2
    assert all("speaker_id" not in item for item in said["words"] if item["type"] == "spacing")


def test_elevenlabs_granularities() -> None:
    bare = scribed(PLAIN, timestamps_granularity="none")
    assert all("start" not in item and "end" not in item for item in bare["words"])
    lines = scribed(TWO_VOICES, timestamps_granularity="segment", diarize=True)
    assert lines["segments"] == [
        {"text": "Who is there?", "start": 0.0, "end": 1.4, "speaker_id": "speaker_0"},
        {"text": "It is me.", "start": 2.0, "end": 3.4, "speaker_id": "speaker_1"},
        {"text": "Come in.", "start": 6.0, "end": 6.9, "speaker_id": "speaker_0"},
    ]
    letters = scribed(PLAIN, timestamps_granularity="character")["words"][4]
    assert letters["text"] == "how"
    assert [one["text"] for one in letters["characters"]] == ["h", "o", "w"]
    assert letters["characters"][0]["start"] == letters["start"]
    assert letters["characters"][-1]["end"] == letters["end"]


def test_elevenlabs_channels_apart_and_together() -> None:
    apart = scribed(TWO_CHANNELS, use_multi_channel=True)
    assert [one["text"] for one in apart["transcripts"]] == ["Good morning to you.", "And to you."]
    assert [one["channel_index"] for one in apart["transcripts"]] == [0, 1]
    assert apart["audio_duration_secs"] == 10.4
    alone = scribed(PLAIN, use_multi_channel=True)
    assert [one["text"] for one in alone["transcripts"]] == ["Hello, um, how are you today? Very well, thank you."]
    together = scribed(TWO_CHANNELS, use_multi_channel=True, multichannel_output_style="combined")
    assert together["text"] == "Good morning And to to you. you."
    assert [item["channel_index"] for item in together["words"] if item["type"] == "word"] == [0, 0, 1, 0, 1, 0, 1]


def test_elevenlabs_exports_come_beside_the_words() -> None:
    said = scribed(TWO_VOICES, diarize=True, additional_formats=[{"format": "srt"}, {"format": "txt"}])
    captions, text = said["additional_formats"]
    assert captions["requested_format"] == captions["file_extension"] == "srt"
    assert captions["content_type"] == "application/x-subrip"
    assert "speaker_1: It is me." in captions["content"]
    assert "00:00:02,000 -->" in captions["content"]
    assert "Come in." in text["content"]
    assert not text["is_base64_encoded"]


def test_elevenlabs_times_that_are_guessed_say_so() -> None:
    said = scribed(WORDLESS)
    assert said["timing"] == "estimated"
    assert said["language_probability"] == 1.0
    assert "timing" not in scribed(PLAIN)


@any_recording
def test_the_official_elevenlabs_client_reads_it(found: Recognised) -> None:
    said = scribed(found, timestamps_granularity="character")
    read = SpeechToTextChunkResponseModel.model_validate(json.loads(json.dumps(said)))
    assert read.text == said["text"]


# AssemblyAI


def test_assemblyai_times_are_whole_milliseconds_and_what_is_off_is_null() -> None:
    said = transcribed(PLAIN)
    assert said["text"] == "Hello, how are you today? Very well, thank you."
    assert said["words"][0] == {"text": "Hello,", "start": 0, "end": 400, "confidence": 0.9, "speaker": None}
    assert (said["confidence"], said["audio_duration"]) == (0.9, 10)
    assert (said["status"], said["language_code"], said["speech_model_used"]) == ("completed", "en_us", "whisper-base")
    for name in ("utterances", "chapters", "summary", "entities", "auto_highlights_result", "error", "speech_model"):
        assert said[name] is None
    for name in ("auto_highlights", "sentiment_analysis", "redact_pii", "speaker_labels", "disfluencies"):
        assert said[name] is False
    assert said["punctuate"] is True


def test_assemblyai_repeats_what_was_asked() -> None:
    asked = {"word_boost": ["Ledger"], "speech_model": "best", "punctuate": False, "disfluencies": True}
    assert transcribed(PLAIN, **asked).items() >= asked.items()
    assert transcribed(PLAIN, **asked)["text"] == "Hello um how are you today Very well thank you"


def test_assemblyai_gives_each_turn_of_a_voice_an_utterance() -> None:
    said = transcribed(TWO_VOICES, speaker_labels=True)
    assert [(one["speaker"], one["text"], one["start"], one["end"]) for one in said["utterances"]] == [
        ("A", "Who is there?", 0, 1400),
        ("B", "It is me.", 2000, 3400),
        ("A", "Come in.", 6000, 6900),
    ]
    assert [word["speaker"] for word in said["words"]] == ["A"] * 3 + ["B"] * 3 + ["A"] * 2
    assert said["utterances"][0]["words"] == said["words"][:3]


def test_assemblyai_names_channels_by_number() -> None:
    said = transcribed(TWO_CHANNELS, multichannel=True)
    assert said["audio_channels"] == 2
    assert [(one["channel"], one["speaker"]) for one in said["utterances"]][:2] == [("1", "1"), ("2", "2")]
    assert {word["channel"] for word in said["words"]} == {"1", "2"}


def test_assemblyai_tells_the_language_that_was_found() -> None:
    said = transcribed(JAPANESE, language_detection=True)
    assert (said["language_code"], said["language_confidence"]) == ("ja", 0.97)


@pytest.mark.parametrize(("body", "message"), [
    ({"language_detection": True, "language_confidence_threshold": 0.99}, "confidence of 0.97, below"),
    ({"speech_threshold": 0.9}, "holds 0.80 of speech, below"),
    ({"filter_profanity": True, "language_detection": True}, "knows English words only"),
])  # fmt: skip
def test_a_limit_that_is_missed_is_told(body: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedParameter, match=message):
        transcribed(JAPANESE, **body)


@pytest.mark.parametrize("body", [
    {"language_detection": True, "language_confidence_threshold": 0.97},
    {"speech_threshold": 0.8},
])  # fmt: skip
def test_a_limit_that_is_reached_is_not(body: dict[str, Any]) -> None:
    assert transcribed(JAPANESE, **body)["status"] == "completed"


def test_silence_reaches_no_limit_of_speech() -> None:
    with pytest.raises(RefusedParameter, match=r"holds 0.00 of speech"):
        transcribed(NOTHING, speech_threshold=0.1)
    assert transcribed(NOTHING)["words"] == []


@any_recording
def test_the_official_assemblyai_client_reads_it(found: Recognised) -> None:
    said = transcribed(found, speaker_labels=found is TWO_VOICES, multichannel=found is TWO_CHANNELS)
    read = assemblyai.types.TranscriptResponse.parse_obj(json.loads(json.dumps(said)))
    assert read.text == said["text"]


def test_assemblyai_waits_and_fails_in_the_same_shape() -> None:
    asked = transcripts.read_request({}, {})
    waiting = transcripts.waiting(asked, id="t1", status="queued", audio_url="https://example.org/a")
    failed = transcripts.failed(asked, id="t1", audio_url="https://example.org/a", error="It is not audio.")
    assert set(waiting) == set(failed)
    assert set(waiting) <= set(transcribed(PLAIN))
    assert (waiting["status"], failed["status"], failed["error"]) == ("queued", "error", "It is not audio.")
    assert assemblyai.types.TranscriptResponse.parse_obj(waiting).status == "queued"


def test_many_voices_have_letters_like_columns() -> None:
    assert [transcripts.letters(number) for number in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


# What is cut from a transcript


def test_sentences_end_at_marks_pauses_and_voices() -> None:
    said = parts.sentences(transcribed(TWO_VOICES, speaker_labels=True))
    assert [one["text"] for one in said["sentences"]] == ["Who is there?", "It is me.", "Come in."]
    assert [one["speaker"] for one in said["sentences"]] == ["A", "B", "A"]
    assert assemblyai.types.SentencesResponse.parse_obj(said).audio_duration == 10
    endless = transcribed(recording(segment("word " * 100)), punctuate=False)
    assert [len(one["words"]) for one in parts.sentences(endless)["sentences"]] == [80, 20]
    channels = parts.sentences(transcribed(TWO_CHANNELS, multichannel=True))
    assert {one["channel"] for one in channels["sentences"]} == {"1", "2"}


def test_paragraphs_are_runs_of_sentences() -> None:
    said = parts.paragraphs(transcribed(recording(segment("One. Two. Three. Four. Five. Six. Seven."))))
    assert [one["text"] for one in said["paragraphs"]] == ["One. Two. Three. Four. Five.", "Six. Seven."]
    assert assemblyai.types.ParagraphsResponse.parse_obj(said).paragraphs
    assert len(parts.paragraphs(transcribed(PLAIN))["paragraphs"]) == 2, "a long silence begins another"


def test_captions_keep_to_the_asked_width() -> None:
    transcript = transcribed(PLAIN)
    assert parts.captions(transcript, "vtt", None).startswith(b"WEBVTT\n\n00:00:00.000 -->")
    narrow = parts.captions(transcript, "srt", 15).decode()
    assert narrow.startswith("1\n00:00:00,000 --> ")
    lines = [line for line in narrow.splitlines() if line and "-->" not in line and not line.isdigit()]
    assert max(map(len, lines)) <= 15
    assert " ".join(lines) == transcript["text"]


def test_words_and_phrases_are_found_where_they_were_said() -> None:
    found = parts.search(transcribed(PLAIN), ["you", "THANK you", "absent", "..."])
    assert found["total_count"] == 3
    assert found["matches"] == [
        {"text": "you", "count": 2, "timestamps": [[2000, 2400], [6500, 6900]], "indexes": [3, 8]},
        {"text": "THANK you", "count": 1, "timestamps": [[6000, 6900]], "indexes": [7]},
    ]
    assert assemblyai.types.WordSearchMatchResponse.parse_obj(found).total_count == 3


# OpenAI


def test_openai_says_each_format() -> None:
    said = "Hello, um, how are you today? Very well, thank you."
    plain = json.loads(opened(PLAIN).content)
    assert plain == {"text": said, "usage": {"type": "duration", "seconds": 11}}
    assert opened(PLAIN, response_format="text") == transcriptions.Body("text/plain; charset=utf-8", said + "\n")
    assert opened(PLAIN, response_format="srt").content.startswith("1\n00:00:00,000 --> ")
    assert opened(PLAIN, response_format="vtt").media_type == "text/vtt; charset=utf-8"


def test_openai_tells_the_decoders_own_figures() -> None:
    said = json.loads(opened(MEASURED, response_format="verbose_json").content)
    assert "words" not in said
    assert (said["task"], said["language"], said["duration"]) == ("transcribe", "en", 10.4)
    assert said["segments"][1] == {
        "id": 1, "seek": 300, "start": 5.0, "end": 6.9, "text": "Very well, thank you.", "tokens": [52],
        "temperature": 0.2, "avg_logprob": -0.4, "compression_ratio": 1.2, "no_speech_prob": 0.03,
    }  # fmt: skip
    timed = {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
    words = json.loads(opened(MEASURED, **timed).content)
    assert "segments" not in words
    assert words["words"][0] == {"word": "Hello,", "start": 0.0, "end": 0.4}
    assert TranscriptionVerbose.model_validate(said).segments
    assert json.loads(opened(PLAIN, response_format="verbose_json").content)["segments"][0]["tokens"] == []


def test_openai_tells_speakers_apart() -> None:
    said = json.loads(opened(TWO_VOICES, response_format="diarized_json").content)
    assert [(one["speaker"], one["text"]) for one in said["segments"]] == [
        ("A", "Who is there?"),
        ("B", "It is me."),
        ("A", "Come in."),
    ]
    assert TranscriptionDiarized.model_validate(said).segments[0].id == "seg_0"
    alone = json.loads(opened(PLAIN, response_format="diarized_json").content)
    assert alone["segments"][0]["speaker"] == ""


def test_openai_events_are_lines_of_a_stream() -> None:
    assert transcriptions.delta("Hi") == 'data: {"type":"transcript.text.delta","delta":"Hi"}\n\n'
    assert json.loads(transcriptions.done("Hi", {"type": "duration", "seconds": 1}).removeprefix("data: ")) == {
        "type": "transcript.text.done", "text": "Hi", "usage": {"type": "duration", "seconds": 1},
    }  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), [
    (400, "invalid_request_error"), (402, "insufficient_quota"), (429, "rate_limit_error"), (500, "server_error"),
])  # fmt: skip
def test_openai_errors_have_its_shape(status: int, kind: str) -> None:
    assert transcriptions.failure("No.", status=status, param="file") == {
        "error": {"message": "No.", "type": kind, "param": "file", "code": None}
    }


def test_openai_models_are_listed() -> None:
    listed = transcriptions.models()
    assert {one["id"] for one in listed["data"]} == set(transcriptions.MODELS)


# There and back


@any_recording
def test_our_own_reader_reads_each_of_them(found: Recognised) -> None:
    words = " ".join(word.text for one in found.transcript.segments for word in one.words)
    for provider, payload in [
        ("elevenlabs", scribed(found)),
        ("assemblyai", transcribed(found, disfluencies=True)),
        ("openai", json.loads(opened(found, response_format="verbose_json").content)),
    ]:
        read = batch.read(provider, payload).transcript
        if found not in (TWO_CHANNELS, JAPANESE, WORDLESS):
            assert read.text == words, provider
        assert bool(read.text) == (found is not NOTHING), provider
