"""What may be asked of an engine for a recording."""

from __future__ import annotations

from memweb.speech.recognition import Hints


def test_a_language_alone_is_within_every_engine() -> None:
    assert Hints("en").plain
    assert not Hints("en", prompt="As before.").plain
    assert not Hints(translate=True).plain
