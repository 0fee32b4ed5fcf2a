"""Nothing secret reaches a log line: not by a message, not by a traceback, not by a request."""

from __future__ import annotations

import json
import logging
import sys

import httpx
import pytest

from memweb.logs import JsonLines, TextLines, scrubbed
from tests.running import RunningServer

SECRET = "sk-mem-planted-marker-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /serve/ws?api_key={SECRET}&provider=x",
        f"refused {SECRET}",
        f"{{'Authorization': '{SECRET}'}}",
        "token=abcplanted-marker",
        "GET /sign-in/link/planted-marker_-x",
        "Not Found: /shared/planted-marker_-x/",
        "GET /shared/planted-marker_-x/audio/",
        "GET /captions/planted-marker_-x/words/",
        "POST /hooks/planted-marker_-x/",
        "https://user.example/x?q=planted-marker",
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str) -> None:
    assert "planted-marker" not in scrubbed(text)


def test_ordinary_words_are_left_alone() -> None:
    text = "Is this a question? Yes, at 12:30 in /transcripts/abc/"
    assert scrubbed(text) == text


def test_a_line_cannot_be_forged_from_what_was_sent() -> None:
    assert "\n" not in scrubbed("name\nERROR forged\x1b[31m".replace("\n", "\r"))
    assert "\x1b" not in scrubbed("name\x1b[31m")


def record(message: str, *, fault: str = "") -> logging.LogRecord:
    try:
        raise ValueError(f"with {SECRET}")
    except ValueError:
        made = logging.LogRecord("memweb.test", logging.ERROR, __file__, 1, message, (), sys.exc_info())
    if fault:
        made.request = type("Request", (), {"fault": fault})()
    return made


@pytest.mark.parametrize("lines", [TextLines(), JsonLines()])
def test_a_traceback_is_kept_without_its_secret(lines: logging.Formatter) -> None:
    line = lines.format(record("it broke", fault="7f3a-21c9"))
    assert "ValueError" in line
    assert "7f3a-21c9" in line
    assert "planted-marker" not in line


def test_a_json_line_is_one_line_of_json() -> None:
    line = JsonLines().format(record("two\nlines"))
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"]) == ("error", "memweb.test")
    assert entry["time"].endswith("Z")


@pytest.mark.process
def test_no_key_reaches_the_log_on_any_way_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The control marker, in a path, proves that what is logged would be found."""
    with RunningServer(tmp_path_factory.mktemp("logs"), env={"MEMWEB_LOG_LEVEL": "DEBUG"}) as server:
        for path in ("/v3/token", "/serve/ws/v2/audio-stream", "/nothing-control-marker", "/sign-in/"):
            httpx.get(server.url + path, params={"api_key": SECRET, "token": SECRET}, headers={"Authorization": SECRET})
            httpx.post(server.url + path, data={"password": SECRET}, headers={"xi-api-key": SECRET})
        httpx.get(f"{server.url}/sign-in/link/planted-marker-of-a-link")
        httpx.get(f"{server.url}/shared/planted-marker-of-a-share/")
        httpx.get(f"{server.url}/shared/planted-marker-of-a-share/audio/")
        httpx.post(f"{server.url}/hooks/planted-marker-of-a-hook/", content=b"{}")
        log = server.log()
    assert "control-marker" in log
    assert "planted-marker" not in log
