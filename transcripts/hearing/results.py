"""Finished results of providers, kept verbatim as messages: which of a record's versions each made."""

from __future__ import annotations

from dataclasses import dataclass

from memweb.speech.dialects import batch
from memweb.speech.dialects.batch import BatchResult
from memweb.speech.transcript import Transcript
from transcripts.errors import Useless
from transcripts.files.options import PYANNOTE, WHISPER
from transcripts.hearing.transcription import Outcome, payload_of
from transcripts.models import Message, Version

PREFIX = "batch:"
"""Before the dialect of a message that is a whole result: see services.keep_result."""
MADE_OF_RESULTS = (Version.Kind.TRANSCRIBED, Version.Kind.RETRANSCRIBED)


@dataclass(frozen=True, slots=True)
class Result:
    """One result, read."""

    connection: int
    sequence: int
    """Which message of the record it is."""
    dialect: str
    said: BatchResult

    @property
    def tells_speakers(self) -> bool:
        """It says who spoke when, in the text of the result before it."""
        return self.dialect == PYANNOTE


def of_version(version: Version) -> list[Result]:
    """The result it was made of, then those that told its speakers; no other is read.

    None where results and versions do not fit together, or none made it.
    """
    own = Message.objects.filter(pk__in=[pk for pk, *_ in _of_version(version)])
    return [Result(row.connection, row.sequence, row.dialect.removeprefix(PREFIX), _read(row)) for row in own]


def connection_of(version: Version) -> int | None:
    """The connection of the result it was made of, where what tells its speakers is kept too."""
    own = _of_version(version)
    return own[0][1] if own else None


_Kept = tuple[int, int, str]
"""A message's id, its connection and its dialect."""


def _of_version(version: Version) -> list[_Kept]:
    """As `of_version`, not read. Each result with text made one version, in that order."""
    if version.kind not in MADE_OF_RESULTS:
        return []
    made = Version.objects.filter(record_id=version.record_id, kind__in=MADE_OF_RESULTS)
    numbers = list(made.order_by("number").values_list("number", flat=True))
    kept = Message.objects.filter(record_id=version.record_id, dialect__startswith=PREFIX)
    groups: list[list[_Kept]] = []
    for one in kept.values_list("pk", "connection", "dialect"):
        if one[2] != PREFIX + PYANNOTE:
            groups.append([one])
        elif groups:
            _told_of(groups, one).append(one)
    return groups[numbers.index(version.number)] if len(numbers) == len(groups) else []


def _told_of(groups: list[list[_Kept]], one: _Kept) -> list[_Kept]:
    """The text whose speakers it tells: of the same connection; the last that Whisper heard before it, where it has a
    connection of its own, as an older memweb kept it. Others tell their speakers themselves.
    """
    last = groups[-1]
    if last[0][1] == one[1]:
        return last
    return next((group for group in reversed(groups) if group[0][2] == PREFIX + WHISPER), last)


def _read(row: Message) -> BatchResult:
    dialect = row.dialect.removeprefix(PREFIX)
    try:
        return batch.read(dialect, payload_of(Outcome(bytes(row.raw), dialect)))
    except (KeyError, Useless):  # of a dialect this version does not know, or no result at all
        return BatchResult(Transcript())
