"""How a line of the log looks. Never a query string, a key, audio or anyone's words."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import textwrap
import time
import traceback
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

_SECRETS = re.compile(
    r"(sk-mem-)[\w.:-]+"  # keys of the built-in gateway, the app's own included
    r"|((?:api_?key|token|xi-api-key|authorization)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',]+"
    r"|(/(?:sign-in/link|shared|captions|hooks)/)[\w-]+",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*")
# What PostgreSQL adds to an error: the row it would not take, the statement it did not understand.
_ROWS = re.compile(r"((?:^|\\n)[ |]*(?:DETAIL|CONTEXT|LINE \d+):).*", re.MULTILINE)
_QUOTED = re.compile(r"(: |near )\".*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
_MEANWHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"


def scrubbed(text: str) -> str:
    """`text` without secrets, rows and query strings, and with control characters spelled out."""
    text = _ROWS.sub(r"\1 ***", text)
    text = _QUERY.sub("", _SECRETS.sub(lambda found: next(filter(None, found.groups())) + "***", text))
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _fault(record: logging.LogRecord) -> str:
    """The number shown on the error page of this request, if there is one."""
    return getattr(getattr(record, "request", None), "fault", "")


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _message(record: logging.LogRecord) -> str:
    """The message; where it shows the error itself, as asyncio's do, no more than may be told of that."""
    message = record.getMessage()
    for error, _ in _chain(_error(record)):
        message = message.replace(repr(error), _told(error))
    return scrubbed(message)


def _trace(record: logging.LogRecord) -> str:
    return scrubbed(_traced(_error(record), set()))


_Chain = list[tuple[BaseException, str]]


def _chain(error: BaseException | None, seen: set[int] | None = None) -> _Chain:
    """An error and those that led to it, the first one first; with each, how Python tells that the next came of it."""
    seen = set() if seen is None else seen
    chain: _Chain = []
    link = ""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        chain.append((error, link))
        link = _CAUSED if error.__cause__ is not None else _MEANWHILE
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain[::-1]


def _traced(error: BaseException | None, seen: set[int]) -> str:
    """The traceback as Python writes it, but of each error only what may be told."""
    trace = ""
    for one, link in _chain(error, seen):
        trace += "Traceback (most recent call last):\n" * bool(one.__traceback__)
        trace += f"{''.join(traceback.format_tb(one.__traceback__))}{_told(one)}\n"
        for inner in one.exceptions if isinstance(one, BaseExceptionGroup) else ():
            trace += textwrap.indent(_traced(inner, seen), "  | ")
        trace += link
    return trace


def _told(error: BaseException) -> str:
    """Its type, and what it says where that cannot be anyone's words: its own text may quote whatever was at hand."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    said = ""
    if isinstance(error, OSError):
        said = error.strerror or ""
    elif isinstance(error, Error | sqlite3.Error) or hasattr(error, "sqlstate"):
        # Past the first line it is rows, in whatever language the database speaks.
        said = _QUOTED.sub(r"\1***", str(error).partition("\n")[0])
    elif isinstance(error, ImportError | ImproperlyConfigured):
        said = str(error)
    return f"{name}: {said}" if said else name


class TextLines(logging.Formatter):
    """For a terminal: time, level, where, what."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it."""
        when = time.strftime("%H:%M:%S", time.localtime(record.created))
        fault = _fault(record)
        line = f"{when} {record.levelname.lower()} {record.name}: {_message(record)}"
        line += f" (fault {fault})" if fault else ""
        trace = _trace(record)
        return f"{line}\n{trace}".rstrip() if trace else line


class JsonLines(logging.Formatter):
    """For a log collector: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys: time (ISO, UTC), level, logger, message; fault and trace where there are any."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        extras = {"fault": _fault(record), "trace": _trace(record)}
        return json.dumps(entry | {name: value for name, value in extras.items() if value})
