"""Silence, noise, machines and music give no words; short words of people are kept."""

from __future__ import annotations

import pytest

from memweb.engines import batch, live
from memweb.engines.moonshine import MoonshineEar, NativeLine
from memweb.engines.protocol import Line
from memweb.engines.stray import is_stray
from tests.engines.conftest import SECOND, Clip, Heard, listen, speak, transcribed
from tests.engines.sounds import all_sounds

pytestmark = [pytest.mark.speech, pytest.mark.usefixtures("engines")]


async def test_the_standing_set_gives_no_words_in_english() -> None:
    """Every sound is committed by itself, so that a word could be told from which sound it came."""
    stream = await live.open_stream("en")
    wrong: dict[str, str] = {}
    for name, sound in all_sounds().items():
        heard = Heard()
        await speak(stream, sound + bytes(SECOND), piece=6400)
        await stream.commit()
        await listen(stream, heard, until=lambda so_far: so_far.committed)
        if heard.finals or heard.partials:
            wrong[name] = heard.text or heard.partials[0].text
    await stream.close()
    assert wrong == {}


async def test_the_standing_set_gives_no_words_in_other_languages() -> None:
    stream = await live.open_stream(None)
    wrong: dict[str, str] = {}
    sounds = all_sounds()
    chosen = [name for name in sounds if "-30" in name or name.endswith(" 11")]
    assert len(chosen) >= 20
    for name in chosen:
        heard = Heard()
        await speak(stream, sounds[name] + bytes(SECOND), piece=6400)
        await stream.commit()
        await listen(stream, heard, until=lambda so_far: so_far.committed)
        if heard.finals or heard.partials:
            wrong[name] = heard.text or heard.partials[0].text
    await stream.close()
    assert wrong == {}


def test_the_second_pass_gives_no_words_for_the_standing_set() -> None:
    sounds = all_sounds()
    joined = b"".join(
        sound + bytes(SECOND)
        for name, sound in sounds.items()
        if "-20" in name or "-18" in name or name.endswith(" 12")
    )
    assert [segment.text for segment in batch.transcribe([joined], None)] == []


async def test_the_silent_clip_gives_no_words(clip: Clip) -> None:
    heard = await transcribed(clip("silence.flac"))
    assert (heard.text, heard.partials, heard.began) == ("", [], [])
    assert list(batch.transcribe([clip("silence.flac")], None)) == []


async def test_a_short_word_between_silences_is_kept(clip: Clip) -> None:
    """One word, said alone: "Anon." in a reading, 0.6 s."""
    reading = clip("long-two-readers.flac")
    word = reading[int(13.4 * SECOND) : int(14.9 * SECOND)]
    heard = await transcribed(bytes(SECOND) + word + bytes(2 * SECOND))
    assert len(heard.finals) == 1
    assert heard.finals[0].text


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "-"])
def test_a_line_without_a_letter_is_no_line(text: str) -> None:
    assert is_stray(Line(text, 0, 500, True))


@pytest.mark.parametrize("text", ["Yes.", "No.", "Okay.", "I", "You", "Uh", "7", "好"])
def test_a_line_with_a_word_is_never_taken_away(text: str) -> None:
    assert not is_stray(Line(text, 0, 300, True))


def _line(first_ms: int, last_ms: int, *, after_ms: int) -> Line:
    """The line a native one becomes when the line before it ended at `after_ms`."""
    ear = MoonshineEar.__new__(MoonshineEar)
    ear._base, ear._ended = 0, after_ms * 16
    return ear._placed(NativeLine(first_ms * 16, last_ms * 16, complete=True, text="Yes."))


def test_the_echo_of_a_forced_cut_is_no_line() -> None:
    """As it came: a line cut at 22.368 s, then "Yes." from 21.888 to 22.496 s, where nobody had said it."""
    assert is_stray(_line(21_888, 22_496, after_ms=22_368))


def test_a_line_that_reaches_back_keeps_its_words_and_begins_where_the_last_one_ended() -> None:
    line = _line(21_888, 23_100, after_ms=22_368)
    assert (line.text, line.start_ms, line.end_ms) == ("Yes.", 22_368, 23_100)
    assert line.words[0].start_ms == 22_368


def test_a_short_line_after_a_pause_keeps_its_words() -> None:
    assert _line(23_000, 23_300, after_ms=22_368).text == "Yes."
