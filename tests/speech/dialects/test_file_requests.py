"""Every documented parameter of the file APIs is honoured, or refused by name: none is passed over in silence."""

from __future__ import annotations

from typing import Any

import assemblyai
import pytest

from memweb.speech.dialects import RefusedParameter
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.openai import transcriptions
from memweb.speech.dialects.orders import Limit, Order
from memweb.speech.dialects.parameters import query_of
from memweb.speech.dialects.wording import Wording
from memweb.speech.recognition import Hints


def scribed(body: dict[str, Any]) -> scribe.ScribeRequest:
    return scribe.read_request(query_of(body))


def transcribed(body: dict[str, Any]) -> transcripts.TranscriptRequest:
    return transcripts.read_request(query_of(body), body)


def opened(body: dict[str, Any]) -> transcriptions.TranscriptionRequest:
    return transcriptions.read_request(query_of({"model": "whisper-1"} | body))


@pytest.mark.parametrize(("body", "order"), [
    ({}, Order()),
    ({"model_id": "scribe_v2", "language_code": "eng", "enable_logging": False}, Order(Hints("en"))),
    ({"source_lang": "de", "target_lang": "de"}, Order(Hints("de"))),
    ({"source_lang": "de", "target_lang": "en"}, Order(Hints("de", translate=True))),
    ({"target_lang": "eng"}, Order(Hints(translate=True))),
    ({"language_code": "en", "secondary_language_codes": ["es"]}, Order(Hints())),
    ({"diarize": True}, Order(speakers=True)),
    ({"diarize": "true", "num_speakers": 2}, Order(speakers=True, most_speakers=2)),
    ({"num_speakers": "2"}, Order(speakers=True, most_speakers=2)),
    ({"file_format": "pcm_s16le_16000"}, Order(raw=True)),
    ({"file_format": "other", "tag_audio_events": False, "no_verbatim": None}, Order()),
    ({"keyterms": ["memweb", "Whisper"], "temperature": 0.4, "seed": 5},
     Order(Hints(favoured=("memweb", "Whisper"), temperature=0.4, seed=5))),
    ({"use_multi_channel": True}, Order(channels=True)),
])  # fmt: skip
def test_elevenlabs_parameters_are_honoured(body: dict[str, Any], order: Order) -> None:
    assert scribed(body).order == order


def test_elevenlabs_shapes_of_the_answer_are_honoured() -> None:
    made = scribed({
        "timestamps_granularity": "character",
        "additional_formats": [{
            "format": "srt", "include_speakers": False, "max_characters_per_line": 30, "max_segment_chars": 60,
            "max_segment_duration_s": 4, "segment_on_silence_longer_than_s": 0.5,
        }, {"format": "txt", "include_timestamps": True}],
    })  # fmt: skip
    assert made.granularity == "character"
    captions, text = made.exports
    rules = captions.options.captions
    assert (rules.line_columns, rules.lines, rules.most_ms, rules.pause_ms) == (30, 2, 4000, 500)
    assert not captions.options.speakers
    assert text.options.times
    assert scribed({"use_multi_channel": True}).separate
    assert not scribed({"use_multi_channel": True, "multichannel_output_style": "combined"}).separate


ELEVENLABS_REFUSED: list[tuple[str, dict[str, Any]]] = [
    *((name, {name: True}) for name in scribe.LACKING),
    ("target_lang", {"target_lang": "fr"}),
    ("target_lang", {"target_lang": "not a language"}),
    ("language_code", {"language_code": 7}),
    ("num_speakers", {"diarize": False, "num_speakers": 2}),
    ("num_speakers", {"diarize": True, "num_speakers": 0}),
    ("num_speakers", {"diarize": True, "num_speakers": True}),
    ("num_speakers", {"diarize": True, "num_speakers": 2.5}),
    ("diarize", {"diarize": "perhaps"}),
    ("diarize", {"diarize": True, "use_multi_channel": True}),
    ("timestamps_granularity", {"timestamps_granularity": "letter"}),
    ("timestamps_granularity",
     {"timestamps_granularity": "none", "use_multi_channel": True, "multichannel_output_style": "combined"}),
    ("file_format", {"file_format": "flac"}),
    ("additional_formats", {"additional_formats": [{"format": "pdf"}]}),
    ("additional_formats", {"additional_formats": ["srt"]}),
    ("additional_formats", {"additional_formats": "[1"}),
    ("fonts", {"additional_formats": [{"format": "srt", "fonts": 1}]}),
    ("keyterms", {"keyterms": ["x" * 51]}),
    ("keyterms", {"keyterms": ["word"] * 101}),
    ("keyterms", {"keyterms": ["a" * 40] * 10}),
    ("temperature", {"temperature": 3}),
    ("seed", {"seed": -1}),
    ("model_id", {"model_id": "m" * 101}),
    ("diarise", {"diarise": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body"), ELEVENLABS_REFUSED, ids=lambda value: str(value)[:60])
def test_elevenlabs_parameters_that_cannot_be_honoured_are_refused_by_name(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedParameter) as refused:
        scribed(body)
    assert refused.value.name == name
    assert name in refused.value.message


def test_a_misspelt_name_is_told_its_nearest_neighbour() -> None:
    with pytest.raises(RefusedParameter, match=r"diarise is not a parameter here. Did you mean diarize\?"):
        scribed({"diarise": True})
    with pytest.raises(RefusedParameter, match=r"xyzzy is not a parameter here.$"):
        scribed({"xyzzy": True})


@pytest.mark.parametrize(("body", "order"), [
    ({}, Order(Hints("en"), wording=Wording(fillers=False))),
    ({"language_code": "en_us", "disfluencies": True}, Order(Hints("en"))),
    ({"language_code": "fr", "disfluencies": True}, Order(Hints("fr"))),
    ({"language_codes": ["fr"], "disfluencies": True}, Order(Hints("fr"))),
    ({"language_codes": ["en", "fr"], "disfluencies": True}, Order(Hints())),
    ({"language_detection": True, "language_confidence_threshold": 0.8, "disfluencies": True},
     Order(Hints(), least_certainty=Limit("language_confidence_threshold", 0.8))),
    ({"punctuate": False, "format_text": False, "filter_profanity": True},
     Order(Hints("en"), wording=Wording(False, "filter_profanity", {}, False, False))),
    ({"custom_spelling": [{"from": ["mem web", "Memweb"], "to": "memweb"}, {"from": "sequel", "to": "SQL"}],
      "disfluencies": True},
     Order(Hints("en"), wording=Wording(
         spellings={("mem", "web"): "memweb", ("memweb",): "memweb", ("sequel",): "SQL"}))),
    ({"word_boost": ["Ledger"], "boost_param": "default", "disfluencies": True}, Order(Hints("en", ("Ledger",)))),
    ({"keyterms_prompt": ["Ledger"], "prompt": "So, ", "temperature": 0.1, "disfluencies": True},
     Order(Hints("en", ("Ledger",), "So,", 0.1))),
    ({"speaker_labels": True, "speakers_expected": 3, "disfluencies": True},
     Order(Hints("en"), speakers=True, most_speakers=3)),
    ({"speaker_labels": True, "speaker_options": {"max_speakers_expected": 2, "min_speakers_expected": None},
      "disfluencies": True},
     Order(Hints("en"), speakers=True, most_speakers=2)),
    ({"dual_channel": True, "disfluencies": True}, Order(Hints("en"), channels=True)),
    ({"multichannel": True, "disfluencies": True}, Order(Hints("en"), channels=True)),
    ({"audio_start_from": 1500, "audio_end_at": 4000, "disfluencies": True},
     Order(Hints("en"), start_ms=1500, end_ms=4000)),
    ({"speech_threshold": 0.5, "disfluencies": True, "speech_models": ["universal-3-pro", "universal-2"]},
     Order(Hints("en"), least_speech=Limit("speech_threshold", 0.5))),
])  # fmt: skip
def test_assemblyai_parameters_are_honoured(body: dict[str, Any], order: Order) -> None:
    assert transcribed(body).order == order


@pytest.mark.parametrize(("name", "body"), [
    *((name, {name: True}) for name in transcripts.LACKING),
    ("language_detection", {"language_detection": True, "language_code": "en"}),
    ("language_confidence_threshold", {"language_code": "en", "language_confidence_threshold": 0.5}),
    ("language_confidence_threshold", {"language_detection": True, "language_confidence_threshold": 2}),
    ("language_code", {"language_code": "no such"}),
    ("boost_param", {"word_boost": ["x"], "boost_param": "high"}),
    ("word_boost", {"word_boost": ["a" * 45] * 9}),
    ("prompt", {"prompt": "p" * 401}),
    ("speakers_expected", {"speakers_expected": 2}),
    ("speaker_labels", {"speaker_labels": True, "multichannel": True}),
    ("min_speakers_expected", {"speaker_labels": True, "speaker_options": {"min_speakers_expected": 2}}),
    ("audio_end_at", {"audio_start_from": 2000, "audio_end_at": 2000}),
    ("audio_start_from", {"audio_start_from": -1}),
    ("custom_spelling", {"custom_spelling": [{"from": ["a"]}]}),
    ("custom_spelling", {"custom_spelling": [{"from": 5, "to": "x"}]}),
    ("custom_spelling", {"custom_spelling": [{"from": ["..."], "to": "x"}]}),
    ("custom_spelling", {"custom_spelling": [{"from": [5], "to": "x"}]}),
    ("custom_spelling", {"custom_spelling": [{"from": [str(number) for number in range(1001)], "to": "x"}]}),
    ("custom_spelling", {"custom_spelling": "spell it"}),
    ("speech_models", {"speech_models": ["m" * 101]}),
    ("speaker_label", {"speaker_label": True}),
], ids=lambda value: str(value)[:60])  # fmt: skip
def test_assemblyai_parameters_that_cannot_be_honoured_are_refused_by_name(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedParameter) as refused:
        transcribed(body)
    assert refused.value.name == name
    assert name in refused.value.message


def test_every_option_of_the_official_assemblyai_client_has_an_answer() -> None:
    known = {*transcripts.OWN, *transcripts.LABELS, *transcripts.LACKING}
    shell = {"webhook_url", "webhook_auth_header_name", "webhook_auth_header_value", "language_detection_results"}
    assert set(assemblyai.types.RawTranscriptionConfig.__fields__) <= known | shell


@pytest.mark.parametrize(("body", "order"), [
    ({}, Order()),
    ({"language": "en", "prompt": "So", "temperature": 0.2}, Order(Hints("en", (), "So", 0.2))),
    ({"language": "en", "languages[]": ["en", "es"]}, Order()),
    ({"keywords[]": ["memweb"], "chunking_strategy": "auto"}, Order(Hints(favoured=("memweb",)))),
    ({"hotwords": "memweb, Whisper"}, Order(Hints(favoured=("memweb", "Whisper")))),
    ({"response_format": "diarized_json"}, Order(speakers=True)),
])  # fmt: skip
def test_openai_fields_are_honoured(body: dict[str, Any], order: Order) -> None:
    assert opened(body).order == order


def test_openai_formats_are_honoured() -> None:
    verbose = opened({"response_format": "verbose_json"})
    assert (verbose.segments, verbose.words) == (True, False)
    timed = opened({"response_format": "verbose_json", "timestamp_granularities[]": ["word"]})
    assert (timed.segments, timed.words) == (False, True)
    both = opened({"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]})
    assert (both.segments, both.words) == (True, True)
    assert opened({"stream": "true"}).stream
    assert opened({"model": "gpt-4o-transcribe-diarize", "stream": "true"}).format == "diarized_json"
    assert opened({"model": "gpt-4o-transcribe-diarize"}).format == "json"


@pytest.mark.parametrize(("name", "body"), [
    *((name, {name: ["x"]}) for name in transcriptions.LACKING),
    ("model", {"model": ""}),
    ("model", {"model": "gpt-5"}),
    ("response_format", {"response_format": "xml"}),
    ("stream", {"stream": "true", "response_format": "srt"}),
    ("timestamp_granularities[]", {"timestamp_granularities[]": ["word"]}),
    ("timestamp_granularities[]", {"response_format": "verbose_json", "timestamp_granularities[]": ["letter"]}),
    ("chunking_strategy", {"chunking_strategy": '{"type":"server_vad"}'}),
    ("language", {"language": "klingon!"}),
    ("languages[]", {"languages[]": ["klingon!"]}),
    ("hotwords", {"hotwords": "a" * 401}),
    ("temperature", {"temperature": "warm"}),
    ("vad_filter", {"vad_filter": "true"}),
], ids=lambda value: str(value)[:60])  # fmt: skip
def test_openai_fields_that_cannot_be_honoured_are_refused_by_name(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedParameter) as refused:
        opened(body)
    assert refused.value.name == name
    assert name in refused.value.message


def test_an_unknown_model_is_told_apart() -> None:
    with pytest.raises(transcriptions.UnknownModel):
        opened({"model": "gpt-5"})
