"""Parameters of handshakes, forms and JSON bodies, read strictly and refused in words."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from memweb.speech.dialects import strict
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.languages import base_language
from memweb.speech.dialects.wire import shortened

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", "", "none", "null"}
_DETECT = {"", "auto", "detect", "multi"}


def query_of(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """A JSON body in the form of a query: null is left out, a list repeats its name, an object is JSON."""
    query: dict[str, list[str]] = {}
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        given = [one if isinstance(one, str) else json.dumps(one) for one in values if one is not None]
        if given:
            query[name] = given
    return query


class Parameters:
    """The query of one request. Of a repeated name the last value counts, save in `many`."""

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
        value = self.count(name, least, most)
        return default if value is None else value

    def count(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, or None where it is not given."""
        value = self.real(name, least, most)
        if value is None:
            return None
        if not value.is_integer():
            raise RefusedParameter(name, f"{name} {_quoted(self.word(name))} is not a whole number.")
        return int(value)

    def said(self, name: str, longest: int, default: str = "") -> str:
        """A text of so many characters at most."""
        given = self.word(name, default)
        if len(given) > longest:
            raise RefusedParameter(name, f"{name} may have {longest} characters; this has {len(given)}.")
        return given

    def words(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """Several texts, no more and none longer than this."""
        given = self.many(name)
        if len(given) > most or any(len(value) > longest for value in given):
            raise RefusedParameter(name, f"{name} takes up to {most} entries of up to {longest} characters.")
        return tuple(given)

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Objects, from JSON."""
        try:
            found = [strict.read(value) for value in self.many(name)]
        except strict.Unread:
            found = [None]
        if not all(isinstance(value, dict) for value in found):
            raise RefusedParameter(name, f"{name} is not a list of JSON objects.")
        return found

    def only(self, names: Iterable[str]) -> None:
        """Refuse every other name: what is not understood must not be ignored."""
        known = set(names)
        for name in self._query:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise RefusedParameter(shortened(name, 60), f"{shortened(name, 60)} is not a parameter here.{hint}")

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
        values = strict.read(given)
    except strict.Unread:
        raise RefusedParameter(name, f"{name} {_quoted(given)} is not a JSON list.") from None
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _quoted(value: str) -> str:
    return f'"{shortened(value, 40)}"'


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
