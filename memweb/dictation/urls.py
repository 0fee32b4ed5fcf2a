"""The dictation page's addresses."""

from __future__ import annotations

from django.urls import path

from memweb.dictation import views

urlpatterns = [
    path("", views.page, name="dictation"),
    path("dictation/<uuid:record_id>/audio/", views.audio, name="dictation-audio"),
    path("dictation/<uuid:record_id>/finish/", views.finish, name="dictation-finish"),
    path("captions/<str:token>/", views.captions, name="captions"),
]
