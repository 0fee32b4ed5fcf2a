"""A record as a file: what a person asks for, how it is remembered, and the bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from memweb.accounts.models import User
from memweb.speech import transcript as speech
from memweb.speech.formats import FORMATS, CaptionRules, Options, vtt
from transcripts import queries
from transcripts.editor import marking
from transcripts.errors import Refused
from transcripts.models import Record, Version
from transcripts.shown import wording
from transcripts.values import segment_value, transcript_value

# Short, because they stand side by side; and what each is for.
NAMES: dict[str, tuple[str, str]] = {
    "docx": ("Word", "to edit and send"),
    "pdf": ("PDF", "to print"),
    "txt": ("Text", "words only"),
    "md": ("Markdown", "for notes"),
    "srt": ("SRT", "captions"),
    "vtt": ("VTT", "captions, web"),
    "csv": ("CSV", "for a table"),
    "json": ("JSON", "with word times"),
    "html": ("HTML", "a page by itself"),
}
FLAGS = ("title", "speakers", "times", "words", "paragraphs", "marks")
NUMBERS: dict[str, tuple[str, int, int]] = {
    "columns": ("Letters a line", 16, 100),
    "lines": ("Lines", 1, 3),
    "speed": ("Letters a second", 5, 60),
}
LONG = 2_000
"""Segments from which on captions are sent while they are made."""
_BEGINNING, _BEGINNING_LINES, _BEGINNING_WIDTH = 40, 10, 160
_MARKS_LINES = 5
_LONGEST_NAME = 160  # bytes: file systems take 255, and a day, a number and an extension come on top


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of an export. Each format takes of it what it has a place for."""

    format: str = "docx"
    title: bool = True
    speakers: bool = True
    times: bool = False
    words: bool = False
    paragraphs: bool = True
    columns: int = 42
    lines: int = 2
    speed: int = 20
    marks: bool = True

    @classmethod
    def read(cls, given: object) -> Self:
        """From a mapping of any origin. What makes no sense is left at its default."""
        kept: Mapping[str, Any] = given if isinstance(given, dict) else {}
        found: dict[str, Any] = {flag: kept[flag] for flag in FLAGS if isinstance(kept.get(flag), bool)}
        if kept.get("format") in NAMES:
            found["format"] = kept["format"]
        for name, (_, least, most) in NUMBERS.items():
            value = kept.get(name)
            if isinstance(value, int) and least <= value <= most:
                found[name] = value
        return cls(**found)

    def kept(self) -> dict[str, Any]:
        """As JSON, for a row."""
        return asdict(self)

    def query(self, **more: object) -> str:
        """As an address says it; `asked` reads it back."""
        chosen = [("with", "")] + [("with", flag) for flag in FLAGS if getattr(self, flag)]
        return urlencode([*chosen, *((name, getattr(self, name)) for name in NUMBERS), *more.items()])


def remembered(user: User) -> Wanted:
    """What this person asked for last."""
    preferences = getattr(user, "preferences", None)
    return Wanted.read(preferences.export_options if preferences else None)


def asked(query: QueryDict, otherwise: Wanted) -> tuple[Wanted, str]:
    """What a query says: `format`, `with` (all that is to be in it), `columns`, `lines`, `speed`.

    What it does not mention, or what cannot be, is as in `otherwise`; the first thing that cannot be is told in a
    sentence, empty where all can.
    """
    found, wrong = otherwise.kept(), list[str]()
    readers: list[Callable[[], dict[str, Any]]] = [lambda: _format(query), lambda: _flags(query)]
    readers += [partial(_number, query, name) for name in NUMBERS]
    for read in readers:
        try:
            found |= read()
        except Refused as error:
            wrong.append(str(error))
    return Wanted.read(found), "".join(wrong[:1])


def _format(query: QueryDict) -> dict[str, Any]:
    return {"format": known(str(query["format"]))} if "format" in query else {}


def _flags(query: QueryDict) -> dict[str, Any]:
    if "with" not in query:
        return {}
    chosen = {flag for flag in query.getlist("with") if flag}
    for odd in chosen - set(FLAGS):
        raise Refused(f"There is no “{odd:.40}” to put into a file. There are {', '.join(FLAGS)}.")
    return {flag: flag in chosen for flag in FLAGS}


def known(extension: str) -> str:
    """Raises Refused for what is no format."""
    if extension not in NAMES:
        raise Refused(f"There is no format “{extension:.40}”. There are {', '.join(NAMES)}.")
    return extension


def _number(query: QueryDict, name: str) -> dict[str, Any]:
    if name not in query:
        return {}
    label, least, most = NUMBERS[name]
    written = str(query[name]).strip()
    if not (written.isascii() and written.isdecimal() and len(written) < 6 and least <= int(written) <= most):
        raise Refused(f"{label}: a whole number from {least} to {most}.")
    return {name: int(written)}


def options_of(record: Record, version: Version, wanted: Wanted) -> Options:
    """As the formats take them, with the record's title and the names people gave."""
    language = wording.language(version.language or record.language)
    facts = [wording.day(record.started_at), wording.clock(record.duration_ms), language]
    return Options(
        speakers=wanted.speakers,
        times=wanted.times,
        paragraphs=wanted.paragraphs,
        words=wanted.words,
        marks=wanted.marks,
        title=record.title if wanted.title else "",
        about=" · ".join(filter(None, facts)) if wanted.title else "",
        names=queries.names_in(record.pk),
        captions=CaptionRules(line_columns=wanted.columns, lines=wanted.lines, columns_per_second=wanted.speed),
    )


def written(record: Record, version: Version, wanted: Wanted) -> bytes:
    """The file, whole."""
    marks = marking.of_version(record, version) if wanted.marks or wanted.format == "json" else ()
    return FORMATS[wanted.format].write(_transcript(record, version, marks), options_of(record, version, wanted))


def poured(record: Record, version: Version, wanted: Wanted) -> Generator[bytes]:
    """The same, piece by piece as segments are read, where the format can do that; else in one piece."""
    pour = FORMATS[wanted.format].pour
    if pour is None:
        yield written(record, version, wanted)
        return
    segments = map(segment_value, queries.in_pages(version))
    yield from pour(segments, options_of(record, version, wanted), record.duration_ms)


def chapters(record: Record, version: Version, wanted: Wanted) -> bytes:
    """Its chapters for the menu of a player, beside its captions; nothing where there are none, or none are wanted."""
    marks = marking.of_version(record, version) if wanted.marks else ()
    if not any(mark.is_chapter for mark in marks):
        return b""
    return vtt.chapters(speech.Transcript(duration_ms=record.duration_ms, marks=marks))


def is_long(version: Version) -> bool:
    return version.segments.count() > LONG


def beginning(record: Record, version: Version, wanted: Wanted, marks: tuple[speech.Mark, ...]) -> str:
    """The first lines of the very file, and of the list of marks at its end; of one that is no text to be read, its
    words.
    """
    form = wanted.format if FORMATS[wanted.format].is_text and wanted.format != "html" else "txt"
    options = options_of(record, version, wanted)
    transcript = _transcript(record, version, marks, most=_BEGINNING)
    if form not in ("txt", "md"):
        most = 2 * _BEGINNING_LINES if form == "json" else _BEGINNING_LINES  # its chapters come after ten
        return _first_lines(FORMATS[form].write(transcript, options), most)
    is_cut = len(transcript.segments) == _BEGINNING
    begun = tuple(mark for mark in marks if mark.is_chapter and not (is_cut and _is_after(mark, transcript)))
    shown = _first_lines(FORMATS[form].write(replace(transcript, marks=begun), options), _BEGINNING_LINES)
    listed = tuple(mark for mark in marks if wanted.marks and not mark.is_chapter)
    if not listed:
        return shown
    data = FORMATS[form].write(speech.Transcript(marks=listed), replace(options, title="", about=""))
    return f"{shown}\n\n{_first_lines(data, _MARKS_LINES)}"


def _is_after(mark: speech.Mark, transcript: speech.Transcript) -> bool:
    return mark.at_ms > transcript.segments[-1].start_ms


def _first_lines(data: bytes, most: int) -> str:
    lines = data.decode("utf-8-sig").split("\n")
    shown = [line if len(line) <= _BEGINNING_WIDTH else line[:_BEGINNING_WIDTH] + "…" for line in lines]
    return "\n".join(shown[:most]).rstrip() + ("\n…" if len(shown) > most else "")


def _transcript(
    record: Record, version: Version, marks: tuple[speech.Mark, ...], most: int | None = None
) -> speech.Transcript:
    said = transcript_value(
        version.segments.shown()[:most],
        language=version.language or record.language,
        duration_ms=record.duration_ms,
    )
    return replace(said, marks=marks)


def filename(record: Record, extension: str) -> str:
    """The day and the title, without what a file system or a shell would trip over."""
    day = timezone.localtime(record.started_at).date().isoformat()
    kept = "".join(
        " " if letter in '/\\:*?"<>|' or unicodedata.category(letter)[0] == "C" else letter
        for letter in record.title or record.get_source_display()
    )
    return f"{day} {_short(' '.join(kept.split()))}".strip(" .") + f".{extension}"


def _short(name: str) -> str:
    return name[:80].encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip()


def unique(names: set[str], name: str) -> str:
    """The name, or with a number where it is taken, also in another case; added to `names`."""
    stem, dot, extension = name.rpartition(".")
    free = name
    for number in count(2):
        if _folded(free) not in names:
            break
        free = f"{stem} ({number}){dot}{extension}"
    names.add(_folded(free))
    return free


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
