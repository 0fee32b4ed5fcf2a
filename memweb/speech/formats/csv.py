"""A table of segments or words for spreadsheets (RFC 4180, UTF-8 with its mark, which Excel needs).

No cell is a formula.
"""

from __future__ import annotations

import csv
import io
import re

from memweb.speech import text
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import stamp
from memweb.speech.formats.words import timed
from memweb.speech.transcript import Segment, Transcript

# What spreadsheets calculate, also behind a space, also in full width.
_FORMULA = re.compile(r"\s*[=+\-@|%＝＋－＠]")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    """A row for each segment, or for each word if those are wanted."""
    table = io.StringIO()
    rows = csv.writer(table, quoting=csv.QUOTE_ALL)
    rows.writerow(["start", "end", *(["speaker"] if options.speakers else []), "word" if options.words else "text"])
    for segment in transcript.segments:
        speaker = [_cell(options.speaker(segment.speaker))] if options.speakers else []
        for start, end, said in _said(segment, options):
            rows.writerow([stamp(start), stamp(end), *speaker, _cell(said)])
    return table.getvalue().encode("utf-8-sig")


def _said(segment: Segment, options: Options) -> list[tuple[int, int, str]]:
    if options.words:
        return [(word.start_ms, word.end_ms, word.text) for word in timed(segment)]
    return [(segment.start_ms, segment.end_ms, text.plain(segment.text))]


def _cell(said: str) -> str:
    return "'" + said if _FORMULA.match(said) else said
