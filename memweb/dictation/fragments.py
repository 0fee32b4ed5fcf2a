"""Finals as HTML for the page's log. No text gets into HTML but through a template."""

from __future__ import annotations

from uuid import UUID

from django.template.loader import render_to_string

from memweb.speech.transcript import Segment
from transcripts import queries


def final(segment: Segment, *, again: bool) -> str:
    """One final, to be appended to the log, or to take the place of what its key showed before."""
    name = "dictation/_again.html" if again else "dictation/_final.html"
    return render_to_string(name, {"segment": segment})


def log(record_id: UUID) -> tuple[str, set[str]]:
    """Everything said so far, to take the place of the log's content, and its keys. Reads the database."""
    segments = list(queries.live_segments(record_id))
    return render_to_string("dictation/_log.html", {"segments": segments}), {segment.key for segment in segments}
