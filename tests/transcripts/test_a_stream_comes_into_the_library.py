"""A stream pasted into the page: pulled by the gateway built in, its words in the library, with nothing configured."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.running import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.speech]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def source(wheel_speech: dict[str, Path]) -> Iterator[str]:
    folder = wheel_speech["two_cities"].parent
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/two_cities.wav"
        server.shutdown()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    env = {"MEMWEB_ALLOW_PRIVATE_URLS": "127.0.0.1"}
    with RunningServer(tmp_path_factory.mktemp("air"), worker=True, streams=True, env=env) as server:
        yield server


@contextmanager
def person(server: RunningServer, name: str = "owner") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, cookies=server.sign_in(name), timeout=30) as client:
        page = client.get("/streams/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found is not None
        client.headers["X-CSRFToken"] = found[1]
        client.headers["Referer"] = server.url
        yield client


def wait_for(what: str, seconds: float, check: object) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := check():  # type: ignore[operator]
            return str(found)
        time.sleep(0.3)
    raise AssertionError(f"no {what} within {seconds:.0f} s")


def test_a_pasted_stream_becomes_words_and_stops_when_told(running: RunningServer, source: str) -> None:
    with person(running) as client, person(running, "other") as stranger:
        answer = client.post("/streams/", data={"address": source, "provider": "assemblyai", "language": "en"})
        assert answer.status_code == 302, answer.text
        record = answer.headers["location"]
        assert stranger.get(record).status_code == 404
        wait_for("words", 60, lambda: "best of times" in client.get(record + "export/txt?with=").text.lower())
        air = client.get("/streams/air/").text
        assert source in air.replace("<wbr>", "")  # where it may be folded
        assert "two_cities" not in stranger.get("/streams/air/").text
        stop = f"/streams/{record.split('/')[2]}/stop/"
        assert stranger.post(stop).status_code == 404
        assert client.post(stop).status_code == 302
        wait_for("end", 30, lambda: "None just now" in client.get("/streams/air/").text)
        assert "Ready" in client.get(record).text or "of times" in client.get(record).text


def test_the_worker_stops_a_stream_whose_minutes_are_over(running: RunningServer, source: str) -> None:
    with person(running) as client:
        fields = {"address": source, "provider": "assemblyai", "language": "en", "minutes": "1"}
        record = client.post("/streams/", data=fields).headers["location"].split("/")[2]
        running.ask(
            "from transcripts.models import Job\n"
            f"job = Job.objects.get(record_id={record!r})\n"
            "assert job.options['until'] > job.created_at.isoformat()\n"
            "job.options['until'] = job.created_at.isoformat()\n"
            "job.save()"
        )
        asked = "from memweb.gateway.models import StreamTask\nprint(StreamTask.objects.latest('pk').stop_asked_at)"
        wait_for("wish to stop", 60, lambda: running.ask(asked) != "None")
        wait_for("end", 30, lambda: "None just now" in client.get("/streams/air/").text)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"address": "file:///etc/passwd"}, "begins with rtmp, rtsp, http or https"),
        ({"address": "not an address"}, "begins with rtmp, rtsp, http or https"),
        ({"address": "http://10.0.0.1/x"}, "private network"),
        ({"address": "http://127.0.0.1:9/x", "minutes": "0"}, "From 1 to 1440 minutes"),
        ({"address": "http://127.0.0.1:9/x", "provider": "nobody"}, "Streams"),
        ({"address": ""}, "Streams"),
    ],
)
def test_what_cannot_be_pulled_is_refused_in_words(running: RunningServer, fields: dict[str, str], says: str) -> None:
    with person(running) as client:
        answer = client.post("/streams/", data={"provider": "assemblyai", **fields})
        assert answer.status_code == 422
        assert says in answer.text
        assert "None just now" in answer.text
