"""A table of segments for spreadsheets (RFC 4180, UTF-8 with its mark, which Excel needs). No cell is a formula."""

from __future__ import annotations

import csv
import io
import re

from memweb.speech import text
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import stamp
from memweb.speech.transcript import Transcript

# What spreadsheets calculate, also behind a space, also in full width.
_FORMULA = re.compile(r"\s*[=+\-@|%＝＋－＠]")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    table = io.StringIO()
    rows = csv.writer(table, quoting=csv.QUOTE_ALL)
    rows.writerow(["start", "end", *(["speaker"] if options.speakers else []), "text"])
    for segment in transcript.segments:
        speaker = [_cell(options.speaker(segment.speaker))] if options.speakers else []
        rows.writerow([stamp(segment.start_ms), stamp(segment.end_ms), *speaker, _cell(text.plain(segment.text))])
    return table.getvalue().encode("utf-8-sig")


def _cell(said: str) -> str:
    return "'" + said if _FORMULA.match(said) else said
