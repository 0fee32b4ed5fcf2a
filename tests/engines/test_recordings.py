"""Whole recordings: words with times and confidence, in their language, at a low priority, in a child that may die."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from pytest_django import Settings

from memweb.engines import batch, load, reader, registry, talk
from memweb.engines.errors import EngineFailed, EngineMissing, HintsRefused, UnreadableAudio
from memweb.speech.recognition import Hints, Reading, Stretch
from memweb.speech.transcript import Segment
from tests.engines.conftest import SECOND, Clip
from tests.wer import pooled, wer


def _text(segments: list[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def _child() -> psutil.Process:
    found = psutil.process_iter(["ppid", "cmdline"])  # nothing is said of the command of what has ended
    [child] = [
        each
        for each in found
        if each.info["ppid"] == os.getpid() and "memweb.engines.reader" in (each.info["cmdline"] or ())
    ]
    return child


def test_words_have_times_and_confidence_and_progress_rises_to_the_end(two_cities: bytes) -> None:
    shown: list[int] = []
    length = len(two_cities) // 32
    segments = list(batch.transcribe([two_cities], "en", shown.append, duration_ms=length))
    assert "it was the worst of times" in _text(segments).lower()
    assert [segment.key for segment in segments] == [str(number) for number in range(len(segments))]
    words = [word for segment in segments for word in segment.words]
    assert len(words) > 80
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 and not word.estimated for word in words)
    times = [word.start_ms for word in words]
    assert times == sorted(times)
    assert all(word.start_ms <= word.end_ms <= length + 500 for word in words)
    assert shown == sorted(shown)
    assert shown[-1] == 100
    assert len(shown) > 3


@pytest.mark.speech
@pytest.mark.timeout(900)  # five minutes of speech, read at low priority
def test_the_second_pass_stays_within_six_per_cent_of_words(speech_clips: Path, clip: Clip) -> None:
    manifest = json.loads((speech_clips / "manifest.json").read_text())
    clips = [each for each in manifest if each["language"] == "en" and each["reference"]]
    pairs = [(each["reference"], _text(list(batch.transcribe([clip(each["file"])], None)))) for each in clips]
    assert len(pairs) >= 8
    assert pooled(pairs) <= 0.06


@pytest.mark.parametrize("language", ["es", "de"])
def test_the_language_is_found(clip: Clip, speech_clips: Path, language: str) -> None:
    manifest = json.loads((speech_clips / "manifest.json").read_text())
    reference = next(each["reference"] for each in manifest if each["file"] == f"{language}.flac")
    segments = list(batch.transcribe([clip(f"{language}.flac")], None))
    assert {segment.language for segment in segments} == {language}
    assert wer(reference, _text(segments), language) <= 0.35


@pytest.mark.speech
def test_a_sentence_that_whisper_passes_over_is_heard_all_the_same(clip: Clip) -> None:
    """Another voice begins as the first one ends. Of this block Whisper alone reads all but the last 12 seconds."""
    page, other = clip("printing.flac"), clip("jfk.flac")
    pcm = ((page + bytes(SECOND)) * 4 + other)[-int(98.34 * SECOND) :]
    said = _text(list(batch.transcribe([pcm], "en"))).lower()
    assert "ask what you can do for your country" in said
    assert said.count("the true printed book") == 3


class _Passing:
    """A model that finds one word a call, where it is told to, and counts how it was asked."""

    def __init__(self, *voiced_s: float) -> None:
        self.voiced_s, self.asked = list(voiced_s), []

    def transcribe(self, samples: reader.Samples, **asked: object) -> tuple[list[SimpleNamespace], SimpleNamespace]:
        self.asked.append((len(samples) / reader.RATE, asked))
        return [_a_word(0.5)], SimpleNamespace(duration_after_vad=self.voiced_s.pop(0))


def _a_word(start: float) -> SimpleNamespace:
    return SimpleNamespace(words=[SimpleNamespace(start=start, end=start + 1)])


def test_only_long_gaps_with_a_voice_in_them_are_read_again_and_in_order() -> None:
    found = [_a_word(5.0), _a_word(8.0), _a_word(20.0), SimpleNamespace(words=[])]
    model = _Passing(reader.VOICED_S, 0.3, 6.0)
    samples = np.zeros(40 * reader.RATE, np.float32)
    heard = [
        segment.words[0].start + since / reader.RATE
        for segment, since in reader._whole(model, samples, found, {"language": "en"})
    ]
    assert heard == [0.5, 5.0, 8.0, 20.0, 21.5]
    assert model.asked == [(5.0, {"language": "en"}), (11.0, {"language": "en"}), (19.0, {"language": "en"})]


def test_a_file_and_its_pcm_in_odd_pieces_give_the_same(two_cities: bytes, wav: Callable[[bytes], Path]) -> None:
    pcm = two_cities[: 12 * SECOND]
    shown: list[int] = []
    from_file = list(batch.transcribe(wav(pcm), "en", shown.append))
    pieces = [pcm[at : at + 7_777] for at in range(0, len(pcm), 7_777)]
    assert from_file == list(batch.transcribe(pieces, "en"))
    assert from_file
    assert shown[-1] == 100


def test_it_stands_back_while_live_work_is_late(two_cities: bytes) -> None:
    asked: list[bool] = []

    def late() -> bool:
        asked.append(len(asked) < 3)
        return asked[-1]

    shown: list[int] = []
    segments = list(
        batch.transcribe([two_cities[: 12 * SECOND]], "en", shown.append, yield_to_live=late, duration_ms=12_000)
    )
    assert segments
    assert asked[:4] == [True, True, True, False]
    assert len(shown) > len(set(shown))  # the caller is told while it waits, so that a lease can be renewed


def test_live_lag_of_any_process_is_seen_and_forgotten(settings: Settings, tmp_path: Path) -> None:
    assert not load.live_is_late()
    load.publish(load.Load(2, 8, 1500))
    assert load.read() == [load.Load(2, 8, 1500)]
    assert load.live_is_late()
    load.publish(load.Load(2, 8, 200))
    assert not load.live_is_late()
    load.publish(load.Load(2, 8, 1500))
    [path] = (tmp_path / "live-load").glob("*.json")
    os.utime(path, (0, 0))  # a process that was killed
    assert not load.live_is_late()
    load.withdraw()
    assert not path.exists()


def test_a_crash_of_the_engine_fails_the_job_and_not_the_worker(two_cities: bytes) -> None:
    found = batch.transcribe([two_cities], "en")
    next(found)
    _child().send_signal(signal.SIGKILL)
    with pytest.raises(EngineFailed, match=r"stopped while it read \(code -9\)"):
        list(found)


def test_the_child_is_nice_and_ends_with_a_reader_that_stops_early(two_cities: bytes) -> None:
    found = batch.transcribe([two_cities], "en")
    next(found)
    child = _child()
    assert child.nice() == min(19, psutil.Process().nice() + reader.NICENESS)
    found.close()  # type: ignore[attr-defined]
    assert not child.is_running()


@pytest.mark.parametrize("content", [b"", b"not audio at all", b"fLaC" + bytes(100), b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_file_that_is_no_recording_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording.flac"
    path.write_bytes(content)
    with pytest.raises(UnreadableAudio, match="damaged, or neither WAV nor FLAC"):
        list(batch.transcribe(path))


@pytest.mark.parametrize("pieces", [[], [b""], [b"\x01"], [bytes(320)]])
def test_next_to_no_audio_gives_no_words(pieces: list[bytes]) -> None:
    assert list(batch.transcribe(pieces, None)) == []


def test_long_audio_is_cut_at_quiet_moments_and_kept_whole() -> None:
    random = np.random.default_rng(1)
    loud = random.integers(-8000, 8000, 5 * reader.BLOCK // 2, dtype=np.int16)
    pauses = range(10 * 16_000, len(loud), 10 * 16_000)
    for at in pauses:
        loud[at : at + 8000] //= 1000
    data = loud.tobytes()
    made = list(reader.blocks(data[at : at + 99_999] for at in range(0, len(data), 99_999)))
    assert sum(len(samples) for _, samples in made) == len(loud)
    assert np.array_equal(np.concatenate([samples for _, samples in made]) * 32768, loud)
    assert all(len(samples) <= reader.BLOCK for _, samples in made)
    for first, _ in made[1:]:
        assert any(at <= first <= at + 8000 for at in pauses)


def test_every_role_is_described_and_none_is_missing_here() -> None:
    roles = {status.role: status for status in batch.describe()}
    assert set(roles) == {"live, English", "live, other languages", "recordings"}
    assert all(status.available for status in roles.values())
    assert roles["live, English"].name == "moonshine-tiny-en"


def test_without_moonshine_whisper_takes_its_place_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "has_moonshine", lambda: False)
    assert registry.live("en").kind == "whisper"
    assert "Whisper takes its place" in batch.describe()[0].sentence


def test_without_whisper_recordings_are_english_only_and_other_languages_are_refused(
    monkeypatch: pytest.MonkeyPatch, two_cities: bytes
) -> None:
    monkeypatch.setattr(registry, "has_whisper", lambda: False)
    assert "times" in _text(list(batch.transcribe([two_cities[: 12 * SECOND]], None)))
    assert "English only" in batch.describe()[2].sentence
    with pytest.raises(EngineMissing, match="or choose English"):
        registry.live("de")
    monkeypatch.setattr(registry, "has_moonshine", lambda: False)
    with pytest.raises(EngineMissing, match="No speech engine"):
        registry.live("en")
    with pytest.raises(EngineMissing, match="No speech engine"):
        batch.engine_name()


def test_the_caller_hears_that_work_goes_on_while_the_engine_thinks(
    two_cities: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a lease can be renewed on a machine too busy for a line in its time."""
    monkeypatch.setattr(talk, "SIGN_OF_LIFE_S", 0.05)
    before_words: list[int] = []
    found = batch.transcribe([two_cities[: 12 * SECOND]], "en", before_words.append)
    next(found)
    assert before_words.count(0) >= 3
    found.close()  # type: ignore[attr-defined]


def test_an_engine_that_hangs_fails_the_job(two_cities: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    found = batch.transcribe([two_cities], "en")
    next(found)
    _child().send_signal(signal.SIGSTOP)
    monkeypatch.setattr(talk, "SILENT_S", 0.2)
    monkeypatch.setattr(talk, "SIGN_OF_LIFE_S", 0.1)
    with pytest.raises(EngineFailed, match="stopped answering"):
        list(found)


def test_hints_reach_the_engine_and_its_measures_come_back(two_cities: bytes) -> None:
    pcm = two_cities[: 6 * SECOND]
    found = list(batch.read([pcm], Hints(favoured=("Wisdome",), prompt="it was the best,", temperature=0.2, seed=7)))
    readings = [each for each in found if isinstance(each, Reading)]
    [stretch] = [each for each in found if isinstance(each, Stretch)]
    assert found[-1] is stretch
    assert (stretch.end_ms, stretch.language) == (6000, "en")
    assert stretch.language_confidence is not None
    assert stretch.language_confidence > 0.8
    assert 3000 < stretch.voiced_ms <= 6000
    assert readings
    for reading in readings:
        measures = reading.measures
        assert measures is not None
        assert measures.tokens
        assert measures.temperature == pytest.approx(0.2)
        assert -2 < measures.avg_logprob < 0
        assert 0 <= measures.no_speech_prob < 0.6


def test_speech_in_another_language_is_told_in_english(clip: Clip) -> None:
    # Whisper is unsure of this one and draws lots: with a seed it draws the same each time.
    found = list(batch.read([clip("es.flac")], Hints(translate=True, seed=1)))
    readings = [each for each in found if isinstance(each, Reading)]
    text = " ".join(each.segment.text for each in readings).lower()
    assert {each.segment.language for each in readings} == {"es"}
    assert len(re.findall(r"\b(the|and|of|to|in)\b", text)) >= 3, text


def test_moonshine_refuses_hints_it_cannot_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "engine_name", lambda: registry.MOONSHINE)
    with pytest.raises(HintsRefused, match="Only Whisper can be given hints"):
        next(batch.read([b""], Hints(favoured=("memweb",))))
