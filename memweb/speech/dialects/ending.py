"""The ways a client asks for an end or for finals, whichever provider it believes it speaks to."""

from __future__ import annotations

from typing import Any

from memweb.speech.dialects.contract import Command, Commit, Terminate
from memweb.speech.dialects.wire import kind


def common(frame: dict[str, Any]) -> Command | None:
    """`Terminate` and `Commit` in the names of every generation; None for other frames."""
    named = kind(frame)
    if named in {"terminate", "sessiontermination"} or frame.get("terminate_session") is True:
        return Terminate()
    if named in {"forceendpoint", "commit"} or frame.get("force_end_utterance") is True:
        return Commit()
    return None
