"""How far a command is."""

from __future__ import annotations

import sys

_BAR = 30


class Progress:
    """A bar on standard error, where somebody looks at it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = -1
        self._is_seen = sys.stderr.isatty()

    def __call__(self, percent: int) -> None:
        if self._is_seen and percent != self._shown:
            self._shown = percent
            done = _BAR * percent // 100
            sys.stderr.write(f"\r{self._name} [{'#' * done}{'.' * (_BAR - done)}] {percent:3} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._is_seen and self._shown >= 0:
            sys.stderr.write("\n")
