"""Paragraphs in HTML as the pages show them. Made here: a template for each line costs twenty times as much.

Nothing a person or a provider said goes in unescaped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from html import escape

from django.utils.safestring import SafeString, mark_safe

from memweb.templatetags.icons import icon
from transcripts.shown.paragraphs import Gap, Line, Turn
from transcripts.shown.wording import clock

PART = 6
"""Paragraphs in a part. With more, one that comes into sight is late for its frame; with fewer, frames cost more."""
_SPEAKER = '<button type="button" data-edit="speaker" aria-haspopup="dialog" title="Change the speaker">'


def paragraphs(
    turns: Iterable[Turn], gaps: Iterable[Gap] = (), *, corrects: bool = False, plays: bool = True
) -> SafeString:
    """A gap stands before the paragraph that follows it. `corrects`: the page has the form "correct", which the first
    segment of a paragraph is sent with; else the text can be read only. `plays`: times lead to the recording.

    There are no links in them: Chromium watches where the links of a page are, and for a thousand it makes frames that
    nobody asked for. The next letter typed has to wait for those.
    """
    return _safe("".join(_made(turns, gaps, corrects=corrects, plays=plays)))


def parts(turns: Iterable[Turn], gaps: Iterable[Gap] = (), *, corrects: bool = False, plays: bool = True) -> SafeString:
    """The same, a few at a time in an element of their own, which is laid out and painted as one, or not at all."""
    made = list(_made(turns, gaps, corrects=corrects, plays=plays))
    held = ("".join(made[at : at + PART]) for at in range(0, len(made), PART))
    return _safe("".join(f'<div class="part">{part}</div>' for part in held))


def _safe(html: str) -> SafeString:
    """Safe because every text below went through `escape`: a property test parses it, whatever was said, by whom."""
    return mark_safe(html)  # noqa: S308  (escaping once more would show the elements as text)


def _made(turns: Iterable[Turn], gaps: Iterable[Gap], *, corrects: bool, plays: bool) -> Iterator[str]:
    waiting = deque(gaps)
    for turn in turns:
        while waiting and waiting[0].at_ms <= turn.start_ms:
            yield _gap(waiting.popleft())
        yield _paragraph(turn, corrects=corrects, plays=plays)
    yield from map(_gap, waiting)


def _gap(gap: Gap) -> str:
    said = f'<span><span class="num">{clock(gap.at_ms)}</span> · {escape(gap.said)}</span>'
    return f'<p class="gap" lang="en">{icon("unplug")}{said}</p>'


def _paragraph(turn: Turn, *, corrects: bool, plays: bool) -> str:
    name, began = escape(turn.voice.name), turn.clock
    who, when, pen = f'<b dir="auto">{name}</b>' if name else "", f"<time>{began}</time>", ""
    if plays:
        when = f'<button type="button" data-seek="{turn.start_ms}" aria-label="Play from {began}">{began}</button>'
    if corrects:
        who = who and f"{_SPEAKER}{who}</button>"
        sends = f'form="correct" name="segment" value="{escape(turn.lines[0].key)}"'
        label = f"Edit the paragraph at {began}"
        pen = f'<button class="pen" {sends} data-edit="text" aria-label="{label}">{icon("pencil")}</button>'
    label = f"{name}, {began}" if name else began
    return (
        f'<article class="turn {turn.voice.colour}" data-start="{turn.start_ms}" tabindex="-1" aria-label="{label}">\n'
        f'<div class="sp">{who}{when}{pen}</div>\n'
        f'<div class="prose"><p dir="auto">{"".join(map(_line, turn.lines))}</p></div>\n'
        "</article>"
    )


def _line(line: Line) -> str:
    words = f' data-words="{line.words}"' if line.words else ""
    revision = f' data-rev="{line.revision}"' if line.revision else ""
    return (
        f'{escape(line.glue)}<span class="s" id="s-{escape(line.key)}" data-start="{line.start_ms}"'
        f' data-end="{line.end_ms}"{words}{revision}>{escape(line.text)}</span>'
    )
