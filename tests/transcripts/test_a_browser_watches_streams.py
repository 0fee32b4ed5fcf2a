"""Streams of every kind in a real Chromium: an address pasted, words by themselves, a source that goes away and comes
back, the gap shown, stopped, kept.
"""

from __future__ import annotations

import itertools
import re
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.driving import Driven, browser, wait
from tests.gateway import sources
from tests.running import RunningServer, free_port

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.speech]

AWAY_MS = 3000
BEGINNING = re.compile(r"\b(times|wisdom|foolishness|belief|incredulity)\b", re.IGNORECASE)
END = re.compile(r"\b(period|present|noisiest|authorities|insisted|received|superlative|degree)\b", re.IGNORECASE)
"""Words that are said in the first half of the recording only, and in its last third only."""


@dataclass(frozen=True)
class Tapes:
    """What the sources play, and a folder for what they need."""

    folder: Path
    beginning: Path
    end: Path


@dataclass(frozen=True)
class Source:
    """An address, and what plays a tape there for as long as it is entered."""

    url: str
    play: Callable[[Path], AbstractContextManager[None]]


@contextmanager
def rtmp(folder: Path) -> Iterator[Source]:
    """nginx stays; who publishes comes and goes."""
    with sources.rtmp_server(folder) as url:

        @contextmanager
        def play(tape: Path) -> Iterator[None]:
            publisher = sources.Publisher(f"{url}/stage", tape)
            try:
                yield
            finally:
                publisher.stop()

        yield Source(f"{url}/stage", play)


@contextmanager
def rtsp(folder: Path) -> Iterator[Source]:
    """The server itself comes and goes."""
    port = free_port()

    @contextmanager
    def play(tape: Path) -> Iterator[None]:
        with sources.rtsp_server(tape, port):
            yield

    yield Source(f"rtsp://127.0.0.1:{port}/live", play)


@contextmanager
def hls(folder: Path) -> Iterator[Source]:
    """A live playlist that is not there for a while, and has other parts when it is there again."""
    pages: dict[str, sources.Page] = {}
    with sources.web_server(folder, pages, {}) as url:

        @contextmanager
        def play(tape: Path) -> Iterator[None]:
            parts = folder / tape.stem
            parts.mkdir()
            lines = [line if line.startswith("#") else f"{parts.name}/{line}" for line in sources.segments(parts, tape)]
            pages["/live.m3u8"] = sources.live_list(lines)
            try:
                yield
            finally:
                del pages["/live.m3u8"]

        yield Source(f"{url}/live.m3u8", play)


@contextmanager
def http(folder: Path) -> Iterator[Source]:
    """A radio, whose answer has no end while a tape plays, and ends at once while none does."""
    playing: list[Iterator[bytes]] = []

    def radio() -> Iterator[bytes]:
        yield from playing[0] if playing else ()

    with sources.web_server(folder, {}, {"/radio": radio}) as url:

        @contextmanager
        def play(tape: Path) -> Iterator[None]:
            mp3 = sources.encoded(folder / f"{tape.stem}.mp3", tape, "libmp3lame", "mp3").read_bytes()
            with wave.open(str(tape)) as sound:
                bytes_a_second = round(len(mp3) * sound.getframerate() / sound.getnframes())
            over = threading.Event()

            def seconds() -> Iterator[bytes]:
                for at in itertools.cycle(range(0, len(mp3), bytes_a_second)):
                    yield mp3[at : at + bytes_a_second]
                    if over.wait(1):
                        return

            playing.append(seconds())
            try:
                yield
            finally:
                over.set()
                playing.clear()

        yield Source(f"{url}/radio", play)


KINDS = {"rtmp": rtmp, "rtsp": rtsp, "hls": hls, "http": http}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    env = {"MEMWEB_ALLOW_PRIVATE_URLS": "127.0.0.1"}
    with RunningServer(tmp_path_factory.mktemp("air"), worker=True, streams=True, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def driven(running: RunningServer) -> Iterator[Driven]:
    with browser(running, None) as driven:
        yield driven


@pytest.fixture
def tapes(wheel_speech: dict[str, Path], tmp_path: Path) -> Tapes:
    made = Tapes(tmp_path, tmp_path / "beginning.wav", tmp_path / "end.wav")
    with wave.open(str(wheel_speech["two_cities"])) as whole:
        for path, first, last in ((made.beginning, 0.0, 0.5), (made.end, 0.68, 1.0)):
            whole.setpos(round(first * whole.getnframes()))
            with wave.open(str(path), "wb") as cut:
                cut.setparams(whole.getparams())
                cut.writeframes(whole.readframes(round((last - first) * whole.getnframes())))
    return made


def start(driven: Driven, address: str, title: str) -> Page:
    """Paste the address and press Start; the record's page. What happens on it from then on needs no reload."""
    page = driven.page
    page.goto(driven.server.url + "/streams/")
    page.get_by_label("Address").fill(address)
    page.get_by_label("Title").fill(title)
    page.get_by_label("Language").select_option("en")
    driven.press("Start")
    page.get_by_role("heading", level=1, name=title).wait_for()
    page.evaluate("() => { window.sameDocument = true; }")
    return page


def wait_for_words(page: Page, words: re.Pattern[str], count: int = 1) -> None:
    """Until so many different ones of these words are in the text of the page that is open, and stay."""

    def heard() -> set[str]:
        return {word.lower() for word in words.findall(" ".join(page.locator("#text .s").all_inner_texts()))}

    wait(lambda: len(heard()) >= count, f"{count} of {words.pattern}", lambda: page.locator("#text").inner_text())
    assert page.evaluate("() => window.sameDocument") is True, "the words needed a reload"


@contextmanager
def on_the_list(driven: Driven, title: str) -> Iterator[Locator]:
    """The stream's place on the page of streams, in a tab of its own."""
    tab = driven.context.new_page()
    tab.goto(driven.server.url + "/streams/")
    on_air = tab.get_by_role("region", name="Streams on the air")
    yield on_air.get_by_role("listitem").filter(has=tab.get_by_role("heading", name=title))
    tab.close()


def stop(listed: Locator) -> None:
    listed.get_by_role("button", name="Stop").click()
    listed.page.get_by_text("Stopping. The last words follow in a moment.").wait_for()
    listed.wait_for(state="detached")


def stop_on_its_record(page: Page) -> None:
    page.locator("#standing").get_by_role("button", name="Stop").click()
    page.get_by_text("Stopping. The last words follow in a moment.").wait_for()


def lines(page: Page) -> list[str]:
    """The text that is there; a sentence may lose its capital where paragraphs are joined."""
    return [line.casefold() for line in page.locator("#text .s").all_inner_texts()]


def assert_the_gap_is_told(text: Locator) -> None:
    """Once, between what was said before it and after it."""
    assert "missing, the source went away" in text.locator(".gap").inner_text()
    before, after = text.inner_text().split("missing, the source went away")
    assert BEGINNING.search(before)
    assert not END.search(before)
    assert END.search(after)
    assert not BEGINNING.search(after)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_read_as_it_is_said_though_its_source_was_away(driven: Driven, tapes: Tapes, kind: str) -> None:
    title = f"Stream by {kind}"
    with KINDS[kind](tapes.folder) as source:
        with source.play(tapes.beginning):
            page = start(driven, source.url, title)
            record = page.url
            wait_for_words(page, BEGINNING)
            assert page.locator("#standing").inner_text().startswith("Live")
            wait_for_words(page, BEGINNING, 2)
        page.wait_for_timeout(AWAY_MS)
        with source.play(tapes.end), on_the_list(driven, title) as listed:
            ticker = listed.locator(".ticker")
            wait(lambda: END.search(ticker.inner_text()), "words after the gap", ticker.inner_text)
            assert "missing, the source went away" in ticker.locator(".gap").inner_text()
            assert listed.locator(".addrline").inner_text() == source.url
            assert "Live" in listed.locator(".st").inner_text()

            wait_for_words(page, END)
            assert_the_gap_is_told(page.locator("#text"))
            assert page.locator("#standing").inner_text().startswith("Live")
            said = lines(page)
            if kind == "http":
                stop_on_its_record(page)
                listed.wait_for(state="detached")
            else:
                stop(listed)
            ended = listed.page.get_by_role("region", name="Ended").get_by_role("listitem")
            ended.filter(has=listed.page.get_by_role("link", name=title, exact=True)).get_by_text("Stopped").wait_for()
    page.goto(record)
    assert lines(page)[: len(said)] == said
    assert_the_gap_is_told(page.locator("#text"))
    assert page.locator("#standing").inner_text() == "", "a record that is ready says nothing of its state"
    assert state(driven.server, record) == "ready"


def state(server: RunningServer, address: str) -> str:
    """How the record at this address stands, in the database."""
    record_id = address.rstrip("/").rpartition("/")[2]
    return server.ask(f"from transcripts.models import Record\nprint(Record.objects.get(pk={record_id!r}).status)")
