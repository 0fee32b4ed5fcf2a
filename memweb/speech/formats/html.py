"""One page that stands by itself, to be read anywhere: its own looks, no script, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from memweb.speech import text
from memweb.speech.formats.layout import LIST, Block, Heading, notes, parts
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.words import timed
from memweb.speech.transcript import Segment, Transcript

# Whatever somebody may add to the file later, a browser runs and fetches nothing of it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_STYLE = """\
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 3rem 1.25rem 6rem; max-width: 38rem; overflow-wrap: anywhere;
  font: 1.125rem/1.6 Georgia, "Source Serif 4", "Noto Serif", serif;
  color: light-dark(#16181d, #e9ebef); background: light-dark(#fdfdfc, #131417); }
h1 { font: 600 1.625rem/1.25 system-ui, sans-serif; }
h2 { margin: 2.75rem 0 0; font: 600 1.25rem/1.3 system-ui, sans-serif; }
.about, .by, time { font: .875rem/1.5 system-ui, sans-serif; color: light-dark(#5a6170, #a4abb8); }
.by { margin: 1.75rem 0 0; }
.by b { color: light-dark(#16181d, #e9ebef); }
time { font-variant-numeric: tabular-nums; }
p { margin: .75rem 0; }
ul { margin: .75rem 0; padding: 0; list-style: none; }
li { margin: .375rem 0; }
.by + p { margin-top: .125rem; }
@media print { body { padding: 0; max-width: none; } h2, .by { break-after: avoid; } }
"""


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return ("\n".join(_lines(transcript, options)) + "\n").encode()


def _lines(transcript: Transcript, options: Options) -> Iterator[str]:
    title, about = text.plain(options.title), text.plain(options.about)
    direction = "rtl" if text.is_rtl(transcript.text) else "ltr"
    yield "<!DOCTYPE html>"
    yield f'<html{_lang(transcript.language or "")} dir="{direction}">'
    yield '<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title or 'Transcript')}</title>"
    yield f"<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>"
    if title:
        yield f'<h1 dir="auto">{escape(title)}</h1>'
    if about:
        yield f'<p class="about" lang="en" dir="ltr">{escape(about)}</p>'
    for part in parts(transcript, options):
        if isinstance(part, Heading):
            yield _heading(part)
        else:
            yield from _block(part, transcript.language or "", options)
    listed = notes(transcript, options)
    if listed:
        yield f'<h2 lang="en" dir="ltr">{LIST}</h2>\n<ul>'
        for note in listed:
            yield f"<li>{_time(note.at_ms, note.time)} <bdi>{escape(note.text)}</bdi></li>"
        yield "</ul>"
    yield "</main>\n</body>\n</html>"


def _heading(heading: Heading) -> str:
    time = f" {_time(heading.start_ms, heading.time)}" if heading.time else ""
    return f'<h2 dir="auto">{escape(heading.title)}{time}</h2>'


def _time(ms: int, shown: str) -> str:
    return f'<time datetime="PT{ms / 1000:.3f}S">{shown}</time>'


def _block(block: Block, language: str, options: Options) -> Iterator[str]:
    heading = [f"<b><bdi>{escape(block.speaker)}</bdi></b>"] if block.speaker else []
    heading += [_time(block.start_ms, block.time)] if block.time else []
    direction = "rtl" if block.is_rtl else "ltr"
    if heading:
        yield f'<p class="by" dir="{direction}">{" ".join(heading)}</p>'
    lang = _lang(block.language) if block.language != language else ""
    said = _spans(block.segments) if options.words else escape(block.text)
    yield f'<p dir="{direction}"{lang}>{said}</p>'


def _spans(segments: tuple[Segment, ...]) -> str:
    """Each word with its times in ms, spaced as the paragraph is."""
    made, before = "", ""
    for segment in segments:
        for at, word in enumerate(timed(segment)):
            joint = text.join((before, word.text)).removeprefix(before).removesuffix(word.text) if at == 0 else " "
            made += joint if word.spaced and made else ""
            made += f'<span data-start="{word.start_ms}" data-end="{word.end_ms}">{escape(word.text)}</span>'
            before = word.text
    return made


def _lang(language: str) -> str:
    return f' lang="{language}"' if _LANGUAGE.fullmatch(language) else ""
