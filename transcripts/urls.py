"""The library's addresses."""

from __future__ import annotations

from django.urls import path

from transcripts.views import audio, exports, library, record, segments

urlpatterns = [
    path("transcripts/", library.library, name="library"),
    path("transcripts/<uuid:record_id>/", record.record, name="record"),
    path("transcripts/<uuid:record_id>/segments/", segments.segments, name="record-segments"),
    path("transcripts/<uuid:record_id>/state/", record.state, name="record-state"),
    path("transcripts/<uuid:record_id>/title/", record.title, name="record-title"),
    path("transcripts/<uuid:record_id>/version/", record.version, name="record-version"),
    path("transcripts/<uuid:record_id>/retry/", record.retry, name="record-retry"),
    path("transcripts/<uuid:record_id>/bin/", record.bin_, name="record-bin"),
    path("transcripts/<uuid:record_id>/restoration/", record.restoration, name="record-restoration"),
    path("transcripts/<uuid:record_id>/audio/", audio.audio, name="record-audio"),
    path("transcripts/<uuid:record_id>/peaks/", audio.peaks, name="record-peaks"),
    path("transcripts/<uuid:record_id>/export/<str:extension>", exports.export, name="record-export"),
]
