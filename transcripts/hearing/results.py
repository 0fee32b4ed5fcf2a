"""Finished results of providers, kept verbatim as messages: which of a record's versions each made."""

from __future__ import annotations

from dataclasses import dataclass

from memweb.speech.dialects import batch
from memweb.speech.dialects.batch import BatchResult
from memweb.speech.transcript import Transcript
from transcripts.errors import Useless
from transcripts.files.options import WHISPER
from transcripts.hearing.speakers import PYANNOTE
from transcripts.hearing.transcription import Outcome, payload_of
from transcripts.models import Message, Version

PREFIX = "batch:"
"""Before the dialect of a message that is a whole result: see services.keep_result."""
MADE_OF_RESULTS = (Version.Kind.TRANSCRIBED, Version.Kind.RETRANSCRIBED)


@dataclass(frozen=True, slots=True)
class Result:
    """One result, read."""

    connection: int
    """Which message of the record it is."""
    dialect: str
    said: BatchResult

    @property
    def tells_speakers(self) -> bool:
        """It says who spoke when, in the text of the result before it."""
        return self.dialect == PYANNOTE


def of_version(version: Version) -> list[Result]:
    """The result it was made of, then those that told its speakers; no other is read.

    Each result with text made one version, in that order. None where they do not fit together, or none made it.
    """
    if version.kind not in MADE_OF_RESULTS:
        return []
    made = Version.objects.filter(record_id=version.record_id, kind__in=MADE_OF_RESULTS)
    numbers = list(made.order_by("number").values_list("number", flat=True))
    kept = Message.objects.filter(record_id=version.record_id, dialect__startswith=PREFIX)
    groups: list[tuple[str, list[int]]] = []
    for pk, dialect in kept.values_list("pk", "dialect"):
        if dialect != PREFIX + PYANNOTE:
            groups.append((dialect, [pk]))
        elif groups:  # only Whisper's are asked for after the text, and perhaps after another provider's text
            _, group = next((one for one in reversed(groups) if one[0] == PREFIX + WHISPER), groups[-1])
            group.append(pk)
    if len(numbers) != len(groups):
        return []
    own = kept.filter(pk__in=groups[numbers.index(version.number)][1])
    return [Result(row.connection, row.dialect.removeprefix(PREFIX), _read(row)) for row in own]


def _read(row: Message) -> BatchResult:
    dialect = row.dialect.removeprefix(PREFIX)
    try:
        return batch.read(dialect, payload_of(Outcome(bytes(row.raw), dialect)))
    except (KeyError, Useless):  # of a dialect this version does not know, or no result at all
        return BatchResult(Transcript())
