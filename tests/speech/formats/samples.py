"""Two transcripts the golden files are made of: an ordinary talk, and one that attacks whatever shows it."""

from __future__ import annotations

from memweb.speech.transcript import Segment, Transcript, Word


def spoken(key: str, start: int, said: str, speaker: str | None = None, *, pace: int = 300, **more) -> Segment:
    """A segment whose words follow each other at an even pace."""
    words = tuple(
        Word(word, start + at * pace, start + (at + 1) * pace - 40, round(0.9 - at / 1000, 3), speaker)
        for at, word in enumerate(said.split())
    )
    return Segment(key, start, words[-1].end_ms, said, words, speaker, **more)


TALK = Transcript(
    (
        spoken("1-1", 480, "Good morning, everyone, and thank you for coming on such a rainy day.", "A", language="en"),
        spoken("1-2", 5_200, "We have one thing to decide.", "A", language="en"),
        spoken("1-3", 9_000, "Is it the budget?", "B", language="en"),
        spoken(
            "1-4",
            10_500,
            "It is, because the printers, the old ones in the cellar, have cost us more this year than the whole of "
            "the reading room, and nobody here could tell me why that should be so. So I asked.",
            "A",
            language="en",
        ),
        Segment("1-5", 24_000, 26_500, "An edited line with other words than were heard.", (), "B", language="en"),
        Segment("1-6", 26_000, 27_000, "Right.", (), "A", 1, "en"),
        Segment(
            "1-7",
            3_605_000,
            3_609_000,
            "これは日本語のとても長い文章で、空白がないので、どこかで改行しなければなりません。",
            language="ja",
        ),
    ),
    "en",
    3_610_000,
)

HOSTILE = Transcript(
    tuple(
        Segment(f"1-{at}", at * 3000, at * 3000 + 2000, said, speaker=speaker)
        for at, (speaker, said) in enumerate(
            [
                ("A", "<script>alert(1)</script> <b>bold</b> {\\an8}up"),
                ("A", "00:00:01,000 --> 00:00:02,000"),
                ("<v Eve>\n\nNOTE", "&lt;i&gt; & &amp; -->"),
                ("B", "=cmd|' /C calc'!A0"),
                ("+B", "-1+2 \t@SUM(A1)"),
                ("A", "user\u202egnp.exe \u2066hidden\u2069"),
                ("A", "nul\x00 lone\ud800 bell\x07 esc\x1b[31m"),
                ("A", "# Heading\n\n- item\n1. item\n> quote\n```code```"),
                ("A", "[link](javascript:alert(1)) ![img](x) **strong** _em_ <!-- c -->"),
                ("A", "42"),
                ("A", 'She said "no", then; "yes"'),
                ("A", "x" * 130),
            ]
        )
    )
)

LANGUAGES = Transcript(
    tuple(
        spoken(f"1-{at}", at * 20_000, said, "AB"[at % 2], language=language)
        for at, (language, said) in enumerate(
            [
                ("en", "It costs 3 €, she said; “fine”."),
                ("de", "Die Tür ist größer, als er dachte. Straße, Öl, Übel."),
                ("ru", "Привет, как дела сегодня?"),
                ("el", "Καλημέρα σε όλους."),
                ("vi", "Xin chào tất cả các bạn."),
                ("ar", "مرحبا بالعالم، كيف حالك اليوم؟"),
                ("he", "שלום עולם, זה משפט בעברית."),
                ("hi", "नमस्ते दुनिया क्षत्रिय"),
                ("th", "สวัสดีชาวโลก นี่คือประโยค"),
                ("ko", "안녕하세요 여러분, 한국어 문장입니다."),
                ("ja", "これは日本語のとても長い文章で、空白がないので、どこかで改行しなければなりません。" * 3),
                ("zh", "今天天气很好，我们去公园吧。"),
            ]
        )
    ),
    "en",
    240_000,
)
"""Twelve languages: every script that can be asked for."""
