"""A dictation's messages once more: the session's own rules of time and key, without the session."""

from __future__ import annotations

import json

from memweb.speech.replay import Kept, replayed
from tests.speech.test_stream import plain, timed, turn


def kept(connection: int, offset_ms: int, message: object, dialect: str = "assemblyai") -> Kept:
    return Kept(connection, offset_ms, dialect, json.dumps(message).encode())


def test_every_connection_begins_at_its_offset_and_says_nothing_twice() -> None:
    found = replayed(
        [kept(1, 0, turn(0, "One two")), kept(2, 100, turn(0, "One two")), kept(2, 100, turn(1, "Three"))], {}
    )
    assert [(key, said.start_ms, said.text) for key, said in found.items()] == [
        ("1-0", 0, "One two"), ("2-0", 100, "One two"), ("2-1", 1100, "Three"),
    ]  # fmt: skip


def test_a_segment_without_times_keeps_the_place_it_has() -> None:
    messages = [kept(1, 0, timed("a", 1), "elevenlabs"), kept(1, 0, plain("b"), "elevenlabs")]
    assert replayed(messages, {})["1-1"].start_ms == 1090
    assert replayed(messages, {"1-1": (5000, 6000)})["1-1"].end_ms == 6000


def test_what_says_nothing_that_lasts_is_nothing() -> None:
    assert not replayed([kept(1, 0, {"type": "Begin", "id": "x"}), kept(1, 0, turn(0, "so far", end=False))], {})
    assert not replayed([kept(1, 1000, turn(0, "Of nobody."), "nobody")], {})


def test_a_revision_names_the_speaker() -> None:
    revision = {"type": "SpeakerRevision", "revisions": [{"turn_order": 0, "speaker_label": "B", "words": []}]}
    assert replayed([kept(1, 0, turn(0, "Hi")), kept(1, 0, revision)], {})["1-0"].speaker == "B"
