"""The providers' own addresses: tokens and files. Their sockets are in `routing`."""

from __future__ import annotations

from django.urls import URLPattern, path

from memweb.gateway.native import assemblyai, elevenlabs, openai, tokens

urlpatterns: list[URLPattern] = [
    path("v1/single-use-token/realtime_scribe", tokens.single_use_token, name="single-use-token"),
    path("v3/token", tokens.temporary_token, name="temporary-token"),
    path("v1/speech-to-text", elevenlabs.convert),
    path("v1/speech-to-text/transcripts/<str:id>", elevenlabs.transcript),
    path("v1/single-use-token/batch_scribe", elevenlabs.batch_token),
    path("v2/upload", assemblyai.upload),
    path("v2/transcript", assemblyai.collection),
    path("v2/transcript/<str:id>", assemblyai.transcript),
    path("v2/transcript/<str:id>/sentences", assemblyai.sentences),
    path("v2/transcript/<str:id>/paragraphs", assemblyai.paragraphs),
    path("v2/transcript/<str:id>/srt", assemblyai.srt),
    path("v2/transcript/<str:id>/vtt", assemblyai.vtt),
    path("v2/transcript/<str:id>/word-search", assemblyai.word_search),
    path("v2/transcript/<str:id>/redacted-audio", assemblyai.redacted_audio),
    path("v1/audio/transcriptions", openai.transcribe),
    path("v1/models", openai.models),
    path("v1/models/<str:name>", openai.model),
]
