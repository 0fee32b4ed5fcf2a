"""The providers' unmodified Python clients transcribe real speech from files; only their base URL is changed."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from contextlib import contextmanager

import assemblyai
import httpx
import openai
import pytest
from elevenlabs import ElevenLabs
from elevenlabs.core.api_error import ApiError
from openai import OpenAI

from tests.gateway.conftest import PHRASES, heard
from tests.running import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(900)]

SECONDS = 8
"""Of the recording that is sent: four phrases."""
SAID = list(PHRASES[:4])
WRONG = "sk-mem-wrong"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("files"), worker=True) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    return server.key()


def wav_of(pcm: bytes, channels: int = 1) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(pcm)
    return made.getvalue()


@pytest.fixture(scope="module")
def recording(two_cities: bytes) -> bytes:
    return wav_of(two_cities[: SECONDS * 32000])


# ElevenLabs


@pytest.fixture
def eleven(server: RunningServer, key: str) -> Iterator[ElevenLabs]:
    with httpx.Client(timeout=120) as http:
        yield ElevenLabs(api_key=key, base_url=server.url, httpx_client=http)


def test_elevenlabs_converts_a_file(eleven: ElevenLabs, recording: bytes) -> None:
    made = eleven.speech_to_text.convert(
        model_id="scribe_v2", file=("talk.wav", recording), additional_formats=[{"format": "srt"}]
    )
    assert heard([made.text]) == SAID
    assert (made.language_code, made.audio_duration_secs) == ("en", SECONDS)
    assert made.language_probability > 0.8
    assert "".join(word.text for word in made.words) == made.text
    words = [word for word in made.words if word.type == "word"]
    assert all(0 <= word.start <= word.end <= SECONDS + 0.5 and word.logprob <= 0 for word in words)
    assert made.additional_formats[0].content.startswith("1\n00:00:0")


def test_elevenlabs_sees_a_wrong_key_and_a_refused_parameter(
    server: RunningServer, eleven: ElevenLabs, recording: bytes
) -> None:
    with httpx.Client() as http, pytest.raises(ApiError) as wrong:
        ElevenLabs(api_key=WRONG, base_url=server.url, httpx_client=http).speech_to_text.convert(
            model_id="scribe_v2", file=recording
        )
    assert wrong.value.status_code == 401
    assert wrong.value.body["detail"]["status"] == "invalid_api_key"
    with pytest.raises(ApiError) as refused:
        eleven.speech_to_text.convert(model_id="scribe_v2", file=recording, tag_audio_events=True)
    assert refused.value.status_code == 400
    assert "tag_audio_events" in refused.value.body["detail"]["message"]


def test_elevenlabs_sees_what_is_no_sound(eleven: ElevenLabs) -> None:
    with pytest.raises(ApiError) as refused:
        eleven.speech_to_text.convert(model_id="scribe_v2", file=b"not a recording at all" * 100)
    assert refused.value.status_code == 400


# AssemblyAI


@contextmanager
def assembly(server: RunningServer, key: str) -> Iterator[assemblyai.Transcriber]:
    client = assemblyai.Client(
        settings=assemblyai.Settings(api_key=key, base_url=server.url, polling_interval=0.2, http_timeout=120)
    )
    with client.http_client:
        yield assemblyai.Transcriber(client=client)


@pytest.fixture(scope="module")
def transcriber(server: RunningServer, key: str) -> Iterator[assemblyai.Transcriber]:
    with assembly(server, key) as made:
        yield made


@pytest.fixture(scope="module")
def transcript(transcriber: assemblyai.Transcriber, recording: bytes) -> assemblyai.Transcript:
    config = assemblyai.TranscriptionConfig(
        speech_models=["best"], speaker_labels=True, custom_spelling=None, word_boost=["foolishness"]
    )
    made = transcriber.transcribe(recording, config)
    assert made.error is None
    return made


def test_assemblyai_uploads_transcribes_and_polls(transcript: assemblyai.Transcript) -> None:
    assert transcript.status == assemblyai.TranscriptStatus.completed
    assert heard([transcript.text or ""]) == SAID
    assert transcript.audio_duration == SECONDS
    assert transcript.json_response["language_code"] == "en_us"
    words = transcript.words or []
    assert all(0 <= word.start <= word.end <= SECONDS * 1000 + 500 for word in words)
    assert 0.5 < (transcript.confidence or 0) <= 1
    utterances = transcript.utterances or []
    assert utterances
    assert [word.text for one in utterances for word in one.words] == [word.text for word in words]
    assert utterances[0].speaker == "A"


def test_assemblyai_cuts_captions_sentences_and_words(transcript: assemblyai.Transcript) -> None:
    assert transcript.export_subtitles_srt().startswith("1\n00:00:0")
    assert transcript.export_subtitles_vtt(chars_per_caption=32).startswith("WEBVTT\n")
    assert heard(one.text for one in transcript.get_sentences()) == SAID
    assert heard(one.text for one in transcript.get_paragraphs()) == SAID
    [match] = transcript.word_search(["times"])
    assert match.count == 2
    assert [(transcript.words or [])[at].text.strip(",.") for at in match.indexes] == ["times", "times"]


def test_assemblyai_lists_and_deletes(
    server: RunningServer, key: str, transcriber: assemblyai.Transcriber, transcript: assemblyai.Transcript
) -> None:
    second = transcriber.submit("https://example.invalid/a.mp3")
    listed = transcriber.list_transcripts()
    assert [row.id for row in listed.transcripts] == [second.id, transcript.id]
    one = transcriber.list_transcripts(assemblyai.ListTranscriptParameters(limit=1))
    assert one.page_details.before_id_of_prev_url == second.id
    older = transcriber.list_transcripts(assemblyai.ListTranscriptParameters(limit=1, before_id=second.id))
    assert [row.id for row in older.transcripts] == [transcript.id]
    ended = second.wait_for_completion(poll_timeout=240)
    assert ended.status == assemblyai.TranscriptStatus.error
    assert "no address" in (ended.error or "")
    gone = httpx.delete(f"{server.url}/v2/transcript/{second.id}", headers={"Authorization": key})
    assert gone.json()["audio_url"] == gone.json()["text"] == "Deleted by user."


def test_assemblyai_sees_a_wrong_key_and_a_refused_parameter(
    server: RunningServer, transcriber: assemblyai.Transcriber, recording: bytes
) -> None:
    with assembly(server, WRONG) as stranger, pytest.raises(assemblyai.types.TranscriptError) as wrong:
        stranger.transcribe(recording)
    assert wrong.value.status_code == 401
    with pytest.raises(assemblyai.types.TranscriptError, match="summarization is not available here") as refused:
        transcriber.submit(
            "https://example.org/a.mp3",
            assemblyai.TranscriptionConfig(summarization=True, summary_model="informative", summary_type="bullets"),
        )
    assert refused.value.status_code == 400


def test_assemblyai_tells_what_is_no_sound(transcriber: assemblyai.Transcriber) -> None:
    made = transcriber.transcribe(b"not a recording at all" * 100, poll_timeout=240)
    assert made.status == assemblyai.TranscriptStatus.error
    assert made.error


# OpenAI


@pytest.fixture(scope="module")
def client(server: RunningServer, key: str) -> Iterator[OpenAI]:
    with OpenAI(api_key=key, base_url=f"{server.url}/v1", max_retries=0) as made:
        yield made


def test_openai_transcribes_with_words_and_segments(client: OpenAI, recording: bytes) -> None:
    made = client.audio.transcriptions.create(
        model="whisper-1",
        file=("talk.wav", recording),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
    )
    assert heard([made.text]) == SAID
    assert made.duration == SECONDS
    assert made.words
    assert made.segments
    assert heard(segment.text for segment in made.segments) == SAID
    assert all(segment.tokens and segment.avg_logprob < 0 for segment in made.segments)


def test_openai_streams_while_it_reads(client: OpenAI, recording: bytes) -> None:
    events = list(
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("talk.wav", recording), stream=True)
    )
    *deltas, done = events
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text
    assert heard([done.text]) == SAID


def test_openai_tells_speakers_and_captions(client: OpenAI, recording: bytes) -> None:
    made = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize", file=("talk.wav", recording), response_format="diarized_json"
    )
    assert heard(segment.text for segment in made.segments) == SAID
    assert {segment.speaker for segment in made.segments} == {"A"}
    captions = client.audio.transcriptions.create(
        model="whisper-1", file=("talk.wav", recording), response_format="vtt"
    )
    assert str(captions).startswith("WEBVTT")


def test_openai_lists_its_models(client: OpenAI) -> None:
    assert "whisper-1" in {model.id for model in client.models.list()}
    assert client.models.retrieve("whisper-1").owned_by == "memweb"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5")


def test_openai_sees_each_refusal_as_its_own_error(server: RunningServer, client: OpenAI, recording: bytes) -> None:
    stranger = OpenAI(api_key=WRONG, base_url=f"{server.url}/v1", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as refused:
        stranger.audio.transcriptions.create(model="whisper-1", file=("a.wav", recording))
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.audio.transcriptions.create(model="gpt-5", file=("a.wav", recording))
    assert (unknown.value.param, unknown.value.code) == ("model", "model_not_found")
    with pytest.raises(openai.BadRequestError, match="needs response_format verbose_json") as words:
        client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", recording), timestamp_granularities=["word"]
        )
    assert words.value.param == "timestamp_granularities[]"
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"no sound" * 500), stream=True)


# The bill


CHARGED = """
import json
from memweb.gateway.models import LedgerEntry
rows = LedgerEntry.objects.filter(kind="file").order_by("pk").values_list("provider", "units", "amount")
print(json.dumps([[provider, units, str(amount)] for provider, units, amount in rows]))
"""


def charged(server: RunningServer) -> list[tuple[str, int, str]]:
    return [tuple(row) for row in json.loads(server.ask(CHARGED))]


def test_every_file_was_charged_by_the_second(server: RunningServer, key: str, recording: bytes) -> None:
    before = len(charged(server))
    with httpx.Client(timeout=120) as http:
        eleven = ElevenLabs(api_key=key, base_url=server.url, httpx_client=http)
        eleven.speech_to_text.convert(model_id="scribe_v2", file=("talk.wav", recording))
    with assembly(server, key) as transcriber:
        assert transcriber.transcribe(recording).error is None
    with OpenAI(api_key=key, base_url=f"{server.url}/v1", max_retries=0) as client:
        client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", recording))
        client.audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize", file=("talk.wav", recording), response_format="diarized_json"
        )
    rows = charged(server)[before:]
    assert [(provider, units) for provider, units, _ in rows] == [
        (provider, SECONDS) for provider in ("elevenlabs", "assemblyai", "whisper-1", "whisper-1")
    ]
    assert [amount for *_, amount in rows[2:]] == ["0.008000", "0.016000"], "telling speakers apart doubles it"
