"""The blocks of code of the reference: files read once, with the reader's own address put in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
ADDRESS = "localhost:8000"
"""Where memweb is in every file; a page shows the host that it was asked from."""
LANGUAGES = {".sh": "curl", ".py": "Python"}
WIDTH = 88
"""Of JSON, in characters: what is shorter stays on one line."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code."""

    name: str
    """Of its file, and of the part of it: `upload.sh`, `upload.json`, `assemblyai/Begin`."""
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: who sends it, what it means, and the message itself; empty where it is not JSON."""

    name: str
    sender: str
    says: str
    block: Block | None


def addressed(text: str, host: str, *, secure: bool) -> str:
    """The same with this host in place of the example's."""
    end = "s" if secure else ""
    for scheme in ("http", "ws"):
        text = text.replace(f"{scheme}://{ADDRESS}", f"{scheme}{end}://{host}")
    return text


@cache
def programs(name: str) -> tuple[Block, ...]:
    """One example in each language that it is written in."""
    found = [(HOME / "examples" / f"{name}{suffix}", label) for suffix, label in LANGUAGES.items()]
    return tuple(Block(path.name, label, path.read_text()) for path, label in found if path.exists())


@cache
def answer(name: str) -> Block | None:
    """What the gateway answers to an example's request, where that is shown."""
    path = HOME / "answers" / f"{name}.json"
    return Block(path.name, "Answer", pretty(json.loads(path.read_text()))) if path.exists() else None


@cache
def frames(kind: str) -> tuple[Frame, ...]:
    """The messages of one dialect, in the order of a session."""
    told: list[dict[str, Any]] = json.loads((HOME / "frames" / f"{kind}.json").read_text())
    return tuple(
        Frame(
            one["name"],
            one["sender"],
            one["says"],
            Block(f"{kind}/{one['name']}", one["name"], pretty(one["frame"])) if one["frame"] is not None else None,
        )
        for one in told
    )


def pretty(value: Any, margin: int = 0) -> str:
    """JSON for people: what fits on a line stays on it."""
    short = json.dumps(value, ensure_ascii=False)
    if margin + len(short) <= WIDTH or not isinstance(value, dict | list) or not value:
        return short
    inner = " " * (margin + 2)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(f"{inner}{line}" for line in _lines(value, margin + 2))
    return f"{opening}\n{lines}\n{' ' * margin}{closing}"


def _lines(value: dict[str, Any] | list[Any], margin: int) -> Iterator[str]:
    if isinstance(value, list):
        yield from (pretty(one, margin) for one in value)
        return
    for name, one in value.items():
        key = f"{json.dumps(name, ensure_ascii=False)}: "
        fits = margin + len(key) + len(json.dumps(one, ensure_ascii=False)) <= WIDTH
        yield key + (json.dumps(one, ensure_ascii=False) if fits else pretty(one, margin))
