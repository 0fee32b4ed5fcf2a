"""How a line of the log looks. Never a query string, a key, audio or anyone's words."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from typing import Any

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


def scrubbed(text: str) -> str:
    """`text` without secrets, rows and query strings, and with control characters spelled out."""
    text = _ROWS.sub(r"\1 ***", text)
    text = _QUERY.sub("", _SECRETS.sub(lambda found: next(filter(None, found.groups())) + "***", text))
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _fault(record: logging.LogRecord) -> str:
    """The number shown on the error page of this request, if there is one."""
    return getattr(getattr(record, "request", None), "fault", "")


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    trace = "".join(traceback.format_exception(*record.exc_info))
    for told in sorted(_of_databases(record.exc_info[1]), key=len, reverse=True):
        trace = trace.replace(told, _QUOTED.sub(r"\1***", told.partition("\n")[0]))
    return scrubbed(trace)


def _of_databases(error: BaseException | None) -> Iterator[str]:
    """What databases, and their drivers, say in an error and in those that led to it. Past the first line it is rows,
    in whatever language the database speaks.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if str(error) and (isinstance(error, Error) or hasattr(error, "sqlstate")):
            yield str(error)
        error = error.__cause__ or error.__context__


class TextLines(logging.Formatter):
    """For a terminal: time, level, where, what."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it."""
        when = time.strftime("%H:%M:%S", time.localtime(record.created))
        fault = _fault(record)
        line = f"{when} {record.levelname.lower()} {record.name}: {scrubbed(record.getMessage())}"
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
            "message": scrubbed(record.getMessage()),
        }
        extras = {"fault": _fault(record), "trace": _trace(record)}
        return json.dumps(entry | {name: value for name, value in extras.items() if value})
