"""Somebody who reads the reference: copies its blocks from the pages of a running server, and runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

PARTS = ("", "live/", "clients/", "files/", "streams/", "callbacks/", "limits/", "operations/")
RUN: set[str] = set()
"""Every example that a test runs."""


def runs(*names: str) -> pytest.MarkDecorator:
    """Marks a test as the one that runs these examples; its `reader` sees to it that it does."""
    RUN.update(names)
    return pytest.mark.runs(*names)


class Blocks(HTMLParser):
    """The text of every <pre> of a page by its name; those without one in `nameless`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.nameless: list[str] = []
        self._text: list[str] | None = None
        self._name = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._text, self._name = [], ""
        self._name = dict(attrs).get("data-block") or self._name

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag != "pre" or self._text is None:
            return
        text, self._text = "".join(self._text), None
        if self._name:
            self.found[self._name] = text
        else:
            self.nameless.append(text)


def unheld(found: Iterable[str], frames: Iterable[str]) -> list[str]:
    """Blocks that nothing holds: neither run, nor an answer to what is run, nor a known message."""
    held = RUN | {f"{name.removesuffix('.sh')}.json" for name in RUN if name.endswith(".sh")} | set(frames)
    return sorted(set(found) - held)


@dataclass
class Reader:
    """Runs what is on the pages in a folder with a talk in it, with a key in the environment."""

    blocks: dict[str, str]
    folder: Path
    key: str
    ran: set[str] = field(default_factory=set)

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {"MEMWEB_KEY": self.key} | variables

    def written(self, name: str) -> list[str]:
        """The command that runs this example, once it was copied into the folder."""
        self.ran.add(name)
        (self.folder / name).write_text(self.blocks[name])
        return ["bash", name] if name.endswith(".sh") else [sys.executable, name]

    def run(self, name: str, **variables: str) -> str:
        """What the example prints."""
        done = subprocess.run(
            self.written(name), cwd=self.folder, env=self.environment(**variables), capture_output=True, text=True,
            timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, name: str, **variables: str) -> Any:
        """What is answered to this request of curl's, which must be as the page shows it."""
        answered = json.loads(self.run(f"{name}.sh", **variables))
        shown = json.loads(self.blocks[f"{name}.json"])
        differing = unlike(shown, answered)
        assert not differing, differing
        return answered


def unlike(shown: Any, real: Any, at: str = "$") -> list[str]:
    """Where what is shown has other keys, or values of another kind, than what really came."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if shown.keys() != real.keys():
            return [f"{at}: {sorted(shown.keys() ^ real.keys())}"]
        return [found for name in shown for found in unlike(shown[name], real[name], f"{at}.{name}")]
    if isinstance(shown, list) and isinstance(real, list):
        pairs = [(shown, real), (real, shown)]
        return [
            f"{at}[]: {one} is like none of {others[:2]}"
            for some, others in pairs
            for one in some
            if others and all(unlike(one, other) for other in others)
        ] + ([f"{at} is empty"] if bool(shown) != bool(real) else [])
    return [] if _kind(shown) == _kind(real) else [f"{at}: {shown!r}, {real!r}"]


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
