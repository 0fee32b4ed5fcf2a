"""A relay counts audio by what it can see of a frame."""

from __future__ import annotations

import base64
import json

import pytest

from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.counting import AudioCount, audio_count

SOUND = bytes(range(256)) * 25  # 200 ms at 16 kHz
BASE64 = base64.b64encode(SOUND).decode()


def count(provider: str, **query: str) -> AudioCount:
    counted = audio_count(provider, {name: [value] for name, value in query.items()})
    assert counted is not None
    return counted


@pytest.mark.parametrize(
    ("query", "ms"),
    [
        ({}, 200),
        ({"sample_rate": "8000"}, 400),
        ({"sample_rate": "48000"}, 66),
        ({"sample_rate": "8000", "encoding": "pcm_mulaw"}, 800),
        ({"sample_rate": "fast"}, 200),
        ({"sample_rate": "1"}, 200),
        ({"sample_rate": "٣"}, 200),
    ],
)
def test_binary_frames_are_counted_by_their_length(query: dict[str, str], ms: int) -> None:
    counted = count("assemblyai", **query)
    assert not counted.reads_text
    assert counted.binary(6400) == ms
    assert counted.text(b'{"type":"Terminate"}') == ms
    assert counted.binary(6400) in (2 * ms, 2 * ms + 1)


@pytest.mark.parametrize(
    ("provider", "name", "values"),
    [
        ("assemblyai", "sample_rate", ["48000", "8000"]),
        ("assemblyai", "encoding", ["opus", "pcm_s16le"]),
        ("elevenlabs", "audio_format", ["pcm_48000", "ulaw_8000"]),
    ],
)
def test_what_decides_the_count_is_told_once(provider: str, name: str, values: list[str]) -> None:
    with pytest.raises(RefusedParameter, match=f"{name} is given more than once"):
        audio_count(provider, {name: values})


@pytest.mark.parametrize("encoding", ["opus", "ogg_opus", "aac"])
def test_the_length_of_packed_sound_says_nothing(encoding: str) -> None:
    assert audio_count("assemblyai", {"encoding": [encoding]}) is None


@pytest.mark.parametrize(
    ("query", "ms"), [({}, 200), ({"audio_format": "pcm_48000"}, 66), ({"audio_format": "ulaw_8000"}, 800)]
)
def test_chunks_are_counted_by_the_length_of_their_base64(query: dict[str, str], ms: int) -> None:
    counted = count("elevenlabs", **query)
    assert counted.reads_text
    frame = {"message_type": "input_audio_chunk", "audio_base_64": BASE64, "commit": False, "previous_text": None}
    assert counted.text(json.dumps(frame).encode()) == ms
    assert counted.text(b'{"message_type":"input_audio_chunk","audio_base_64":"","commit":true}') == ms


@pytest.mark.parametrize(
    "frame",
    [
        f'{{"audio_base_64":"{BASE64}"}}',
        f'{{ "audio_base_64" :\n "{BASE64}" }}',
        '{"audio_base_64":"' + BASE64.replace("/", "\\/") + '"}',
        '{"audio\\u005fbase_64":"' + BASE64 + '"}',
        '{"previous_text":"\\"audio_base_64\\":\\"AAAA\\"","audio_base_64":"' + BASE64 + '"}',
    ],
)
def test_however_a_chunk_is_spelt_its_audio_counts(frame: str) -> None:
    assert count("elevenlabs").text(frame.encode()) == 200


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        b'"audio_base_64"',
        b'"audio_base_64":"AAAA',
        b"x" * 5000,
        b"[" * 5000,
        b'{"a":"' + b"y" * 500 + b'"}',
        b'{"audio_base_64":%d}' % 10**300,
    ],
)
def test_what_holds_no_audio_costs_nothing(frame: bytes) -> None:
    assert count("elevenlabs").text(frame) == 0


@pytest.mark.parametrize("size", range(1, 9))
def test_the_padding_of_base64_is_no_audio(size: int) -> None:
    counted = count("elevenlabs", audio_format="ulaw_8000")
    chunk = json.dumps({"audio_base_64": base64.b64encode(bytes(size * 8)).decode()})
    assert counted.text(chunk.encode()) == size
