"""SRT and WebVTT: what is written is read back; what others write is read too."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.formats import Options, Unreadable, srt, txt, vtt
from memweb.speech.formats.captions import cues
from memweb.speech.formats.reading import decode
from memweb.speech.transcript import Segment, Transcript
from tests.speech.formats.samples import HOSTILE, TALK
from tests.speech.making import transcripts


def rows(transcript: Transcript) -> list[tuple[int, int, str]]:
    return [(segment.start_ms, segment.end_ms, segment.text) for segment in transcript.segments]


@given(transcripts())
def test_srt_reads_back_every_cue_it_wrote(transcript):
    options = Options(names={"A": "Anna --> <b>"})
    written = [(cue.start_ms, cue.end_ms, cue.text) for cue in cues(transcript, options, labelled=True)]
    assert rows(srt.read(srt.write(transcript, options))) == written


@given(transcripts())
def test_vtt_reads_back_every_cue_and_its_speaker(transcript):
    options = Options(names={"A": "Anna --> <b> & &amp;\n\nNOTE"})
    written = [(cue.start_ms, cue.end_ms, cue.text, cue.speaker or None) for cue in cues(transcript, options)]
    back = vtt.read(vtt.write(transcript, options)).segments
    assert [(segment.start_ms, segment.end_ms, segment.text, segment.speaker) for segment in back] == written


@pytest.mark.parametrize("transcript", [TALK, HOSTILE])
def test_nothing_said_can_add_a_cue_a_tag_or_a_note(transcript):
    for form, count in (
        (srt, len(cues(transcript, Options(), labelled=True))),
        (vtt, len(cues(transcript, Options()))),
    ):
        written = form.write(transcript).decode()
        assert written.count("-->") == count
        assert not any(tag in written for tag in ("<script", "<b>", "</"))
        assert form is vtt or "{\\" not in written


def test_without_the_escape_a_spoken_timing_would_be_one():
    bare = srt.write(HOSTILE).decode().replace("\u2060", "").encode()
    assert "00:00:01,000 --> 00:00:02,000" in [said for _, _, said in rows(srt.read(srt.write(HOSTILE)))]
    assert "00:00:01,000 --> 00:00:02,000" not in [said for _, _, said in rows(srt.read(bare))]


def test_keys_are_counted_and_nothing_written_is_nothing_read():
    assert [segment.key for segment in srt.read(srt.write(TALK)).segments][:3] == ["1", "2", "3"]
    assert srt.read(srt.write(Transcript())) == Transcript() == vtt.read(vtt.write(Transcript()))
    assert vtt.write(Transcript()) == b"WEBVTT\n"


LOOSE_SRT = """\ufeff1
00:00:01.5 --> 00:00:02,500 X1:10 X2:20
<i>Hello</i> <font color="#fff">there</font>
{\\an8}friend

0:03 --> 0:02
backwards
3
00:00:04,000 --> 00:00:05,000

blank lines

inside
12

00:00:06,000 --> 00:00:07,000


8
00:00:00,000 --> 00:00:00,900
first
"""


def test_srt_of_others_is_read_with_its_faults():
    for data in (
        LOOSE_SRT.encode(),
        LOOSE_SRT.replace("\n", "\r\n").encode(),
        LOOSE_SRT.encode("utf-16"),
    ):
        assert rows(srt.read(data)) == [
            (0, 900, "first"),
            (1500, 2500, "Hello there friend"),
            (3000, 3000, "backwards"),
            (4000, 5000, "blank lines inside 12"),
        ]


def test_an_old_windows_file_keeps_its_accents():
    assert rows(srt.read("1\n00:00:01,000 --> 00:00:02,000\nÄrger – “Ça va”".encode("cp1252")))[0][2] == (
        "Ärger – “Ça va”"
    )
    assert decode("é".encode("utf-16-be").join([b"\xfe\xff", b""])) == "é"


LOOSE_VTT = """WEBVTT - a title
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0

STYLE
::cue { color: red }

NOTE
a comment

intro
00:01.000 --> 00:02.000 align:start position:0%
<v.loud Anna &amp; Co>Hello, <c.yellow>world</c> &lt;3 <00:01.500>now
<v Bo>Hi.

00:03.000 --> 00:04.000
<v>No name</v> and <unclosed

99:99 --> nonsense
never
\t
00:05.000 --> 00:06.000
"""


def test_vtt_of_others_is_read_without_its_styles():
    back = vtt.read(LOOSE_VTT.encode())
    assert [(segment.start_ms, segment.text, segment.speaker) for segment in back.segments] == [
        (1000, "Hello, world <3 now", "Anna & Co"),
        (1000, "Hi.", "Bo"),
        (3000, "No name and", None),
    ]


def test_other_files_are_refused_in_words():
    with pytest.raises(Unreadable, match="not an SRT file"):
        srt.read(b"Dear Sir,\n\nplease find")
    with pytest.raises(Unreadable, match="not a WebVTT file"):
        vtt.read(b"WEBVTTX")
    with pytest.raises(Unreadable, match="not a text file"):
        txt.read(b"PK\0\1")
    assert srt.read(b" \n") == Transcript()


@given(st.binary(max_size=300), st.randoms(use_true_random=False))
def test_no_file_breaks_a_reader(junk, chance: random.Random):
    for form in (srt, vtt):
        written = bytearray(form.write(HOSTILE))
        for _ in range(5):
            at = chance.randrange(len(written))
            written[at : at + chance.randrange(3)] = junk[:40]
        for data in (junk, bytes(written), b"WEBVTT\n\n" + junk):
            try:
                back = form.read(data)
            except Unreadable:
                continue
            assert all(0 <= s.start_ms <= s.end_ms and s.text and "\0" not in s.text for s in back.segments)


def test_a_cue_without_speaker_wish_has_no_voice():
    assert b"<v" not in vtt.write(TALK, Options(speakers=False))
    assert b"<v A>" in vtt.write(Transcript((Segment("1", 0, 9, "Hi.", speaker="A"),)))
