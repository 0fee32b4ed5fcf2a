"""English speech becomes partials and finals while it goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from memweb.engines import live
from memweb.speech.events import Committed, Ended, Final, Partial, SpeechBegan
from tests.engines.conftest import SECOND, Clip, Heard, listen, speak, transcribed
from tests.wer import pooled, wer

pytestmark = [pytest.mark.speech, pytest.mark.usefixtures("engines")]


async def test_the_words_of_the_engines_own_recording_are_heard(two_cities: bytes) -> None:
    heard = await transcribed(two_cities)
    said = heard.text.lower()
    for phrase in ("best of times", "worst of times", "age of wisdom", "age of foolishness", "epoch of"):
        assert phrase in said
    assert isinstance(heard.events[-1], Ended)
    assert heard.events[-1].audio_ms == len(two_cities) // 32


async def test_partials_come_before_their_final_and_while_speech_goes_on(clip: Clip) -> None:
    stream = await live.open_stream("en")
    assert stream.engine == "moonshine-tiny-en"
    heard = Heard()
    hearing = asyncio.create_task(listen(stream, heard))
    await speak(stream, bytes(SECOND) + clip("printing.flac"), pace=1.0)
    during = list(heard.events)
    await stream.finish()
    await hearing
    assert sum(isinstance(event, Partial) for event in during) >= 2
    assert sum(isinstance(event, Final) for event in during) >= 1
    kinds = [type(event) for event in heard.events]
    assert kinds.index(SpeechBegan) < kinds.index(Partial) < kinds.index(Final)


async def test_times_and_keys_are_in_order_and_inside_the_audio(two_cities: bytes) -> None:
    heard = await transcribed(two_cities, pace=8.0)
    assert [segment.key for segment in heard.finals] == [str(number) for number in range(len(heard.finals))]
    end = 0
    for segment in heard.finals:
        assert end <= segment.start_ms < segment.end_ms <= len(two_cities) // 32 + 100
        end = segment.end_ms
        assert " ".join(word.text for word in segment.words) == segment.text
        assert all(word.estimated and word.confidence is None for word in segment.words)
        times = [time for word in segment.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (segment.start_ms, segment.end_ms)


@pytest.mark.parametrize("piece", [1, 333, 3200, 320_000])
async def test_pieces_of_any_length_give_the_same_words(clip: Clip, piece: int) -> None:
    pcm = bytes(SECOND // 2) + clip("quilter.flac") + bytes(SECOND)
    heard = await transcribed(pcm[: 2 * SECOND] if piece == 1 else pcm, piece=piece)
    assert "Quil" in heard.text
    if piece > 1:
        assert wer("Mr Quilter is the apostle of the middle classes and we are glad to welcome", heard.text) <= 0.25


async def test_commit_makes_final_what_is_in_hand_and_the_stream_goes_on(clip: Clip) -> None:
    pcm = clip("printing.flac")
    stream = await live.open_stream("en")
    heard = Heard()
    await speak(stream, pcm[: 3 * SECOND])
    await stream.commit()
    await listen(stream, heard, until=lambda so_far: bool(so_far.finals))
    assert heard.finals[0].end_ms <= 3100
    await listen(stream, heard, until=lambda so_far: isinstance(so_far.events[-1], Committed))
    count = len(heard.finals)
    await speak(stream, pcm[3 * SECOND : 8 * SECOND])
    await stream.finish()
    await listen(stream, heard)
    assert len(heard.finals) > count
    assert heard.finals[count].start_ms >= 2900
    assert [segment.key for segment in heard.finals] == [str(number) for number in range(len(heard.finals))]


async def test_a_commit_with_nothing_in_hand_is_answered_without_words() -> None:
    stream = await live.open_stream("en")
    heard = Heard()
    await stream.commit()
    await speak(stream, bytes(SECOND))
    await stream.commit()
    await stream.commit()
    await stream.finish()
    await listen(stream, heard)
    assert heard.events == [Committed(), Committed(), Committed(), Ended(1000)]


async def test_speech_that_stops_arriving_is_still_shown(clip: Clip) -> None:
    """The page may be paused mid-sentence: the words so far must not wait for more audio."""
    stream = await live.open_stream("en")
    heard = Heard()
    pcm = bytes(SECOND // 2) + clip("quilter.flac")
    await speak(stream, pcm[: 4 * SECOND], pace=4.0)
    await listen(stream, heard, until=lambda so_far: bool(so_far.partials) and "middle" in so_far.partials[-1].text)
    await stream.close()


async def test_english_clips_stay_within_twelve_per_cent_of_words(speech_clips: Path, clip: Clip) -> None:
    manifest = json.loads((speech_clips / "manifest.json").read_text())
    clips = [each for each in manifest if each["language"] == "en" and each["reference"]]
    assert len(clips) >= 8
    pairs = []
    for each in clips:
        heard = await transcribed(clip(each["file"]) + bytes(SECOND))
        pairs.append((each["reference"], heard.text))
    assert pooled(pairs) <= 0.12


async def test_closing_ends_the_iterator_and_later_calls_do_nothing() -> None:
    stream = await live.open_stream("en")
    await stream.feed(bytes(SECOND))
    await stream.close()
    await stream.close()
    await stream.feed(bytes(SECOND))
    await stream.commit()
    await stream.finish()
    assert [type(event) async for event in stream] == [Ended]
    assert live.capacity().used == 0
