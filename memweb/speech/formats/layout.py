"""A transcript laid out to be read: what text, Markdown, HTML, Word and PDF share.

Chapters are headings where they begin; what else was marked is a list at the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from memweb.speech import text
from memweb.speech.formats.options import Options
from memweb.speech.formats.times import clock
from memweb.speech.transcript import Mark, Segment, Transcript

LIST = "Marks and notes"
"""What stands above the list at the end."""
UNTITLED, UNNAMED = "Chapter", "Marked"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a segment where those are wanted. Every text is one line and safe to show."""

    text: str
    start_ms: int
    segments: tuple[Segment, ...]
    speaker: str = ""
    """The name to write above or before it: empty where it was written already, or there is none."""
    time: str = ""
    """As shown; empty where no times are wanted."""
    language: str = ""
    """ISO 639-1; empty where unknown."""

    @property
    def is_rtl(self) -> bool:
        return text.is_rtl(self.text)


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a chapter begins. Its title is one line and safe to show."""

    title: str
    start_ms: int
    time: str = ""
    """As shown; empty where no times are wanted."""


@dataclass(frozen=True, slots=True)
class Note:
    """One of the list at the end: when, always as shown, and what, on one line and safe to show."""

    text: str
    at_ms: int
    time: str


def parts(transcript: Transcript, options: Options) -> Iterator[Heading | Block]:
    """Paragraphs and the headings between them, in order; nothing for what has no text."""
    chapters = deque(mark for mark in transcript.marks if mark.is_chapter and options.marks)
    run: list[Segment] = []
    for segment in transcript.segments:
        if chapters and _begins_with(segment, chapters[0]):
            yield from _blocks(run, transcript, options)
            run = []
        while chapters and _begins_with(segment, chapters[0]):
            yield _heading(chapters.popleft(), options)
        run.append(segment)
    yield from _blocks(run, transcript, options)
    for chapter in chapters:
        yield _heading(chapter, options)


def notes(transcript: Transcript, options: Options) -> list[Note]:
    """What was marked besides chapters, where that is wanted."""
    return [
        Note(text.plain(mark.text) or UNNAMED, mark.at_ms, clock(mark.at_ms))
        for mark in transcript.marks
        if options.marks and not mark.is_chapter
    ]


def _begins_with(segment: Segment, chapter: Mark) -> bool:
    """Nobody marks the very moment a line begins: a chapter begins with the line that mostly follows it."""
    return chapter.at_ms <= (segment.start_ms + segment.end_ms) // 2


def _heading(chapter: Mark, options: Options) -> Heading:
    title = text.plain(chapter.text) or UNTITLED
    return Heading(title, chapter.at_ms, clock(chapter.at_ms) if options.times else "")


def _blocks(segments: Iterable[Segment], transcript: Transcript, options: Options) -> Iterator[Block]:
    """What stands below one heading: the first paragraph tells its speaker anew."""
    before = ""
    for paragraph in _paragraphs(segments, options):
        speaker = options.speaker(paragraph.speaker)
        yield Block(
            text.plain(paragraph.text),
            paragraph.start_ms,
            paragraph.segments,
            speaker if speaker != before else "",
            clock(paragraph.start_ms) if options.times else "",
            text.plain(paragraph.segments[0].language or transcript.language or ""),
        )
        before = speaker


def _paragraphs(segments: Iterable[Segment], options: Options) -> Iterator[text.Paragraph]:
    if options.paragraphs:
        yield from text.paragraphs(segments)
        return
    for segment in segments:
        if segment.text.strip():
            yield text.Paragraph((segment,))
