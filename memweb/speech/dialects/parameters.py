"""Handshake parameters, read strictly and refused in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.languages import base_language
from memweb.speech.dialects.wire import shortened

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", "", "none", "null"}
_DETECT = {"", "auto", "detect", "multi"}


class Parameters:
    """The query of one handshake. Of a repeated name the last value counts, save in `many`."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query

    def word(self, name: str, default: str = "") -> str:
        """A value without space around it."""
        values = self._query.get(name)
        return values[-1].strip() if values else default

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        """One of a few words."""
        given = self.word(name, default) or default
        if given not in allowed:
            raise RefusedParameter(name, f"{name} {_quoted(given)} is not available here. Use {_listed(allowed)}.")
        return given

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no, in any case of letters: official clients send `False` too."""
        if name not in self._query:
            return default
        given = self.word(name)
        if given.lower() in _TRUE | _FALSE:
            return given.lower() in _TRUE
        raise RefusedParameter(name, f"{name} {_quoted(given)} is neither true nor false.")

    def real(self, name: str, least: float, most: float) -> float | None:
        """A number within bounds, or None where it is not given."""
        given = self.word(name)
        if not given:
            return None
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise RefusedParameter(name, f"{name} {_quoted(given)} is not a number from {least:g} to {most:g}.")
        return value

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number within bounds."""
        value = self.real(name, least, most)
        if value is None:
            return default
        if not value.is_integer():
            raise RefusedParameter(name, f"{name} {_quoted(self.word(name))} is not a whole number.")
        return int(value)

    def many(self, name: str) -> list[str]:
        """Values of a repeated name, or of one JSON list, without empty ones."""
        values: list[str] = []
        for given in self._query.get(name, []):
            values.extend(_list_in(name, given) if given.lstrip().startswith("[") else [given])
        return [value.strip() for value in values if value.strip()]

    def language(self, names: Iterable[str]) -> tuple[bool, str | None]:
        """Whether a language is given, and which; several at once, or "auto", ask for detection (None)."""
        for name in names:
            given = self.many(name)
            if not given:
                continue
            if len(given) > 1 or given[0].lower() in _DETECT:
                return True, None
            code = base_language(given[0])
            if code is None:
                raise RefusedParameter(name, f"{name} {_quoted(given[0])} is not an ISO language code such as en.")
            return True, code
        return False, None

    def refuse(self, abilities: Mapping[str, str]) -> None:
        """Refuse what asks for an ability this server lacks; an empty or false value asks for nothing."""
        for name, ability in abilities.items():
            if any(value.lower() not in _FALSE | {"{}"} for value in self.many(name)):
                raise RefusedParameter(name, f"{name} is not available here: {ability}. Leave it out.")


def _list_in(name: str, given: str) -> list[str]:
    try:
        values = json.loads(given)
    except (ValueError, RecursionError):
        raise RefusedParameter(name, f"{name} {_quoted(given)} is not a JSON list.") from None
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _quoted(value: str) -> str:
    return f'"{shortened(value, 40)}"'


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
