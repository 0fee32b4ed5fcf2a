"""placeholder"""

from __future__ import annotations
from typing import Any


def name() -> str:
    return "whisper-base"


def hello() -> dict[str, Any]:
    return {"model_dir": "", "threads": 2}
