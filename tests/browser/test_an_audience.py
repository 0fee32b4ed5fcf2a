"""An audience reads what is being dictated, in a browser of its own or a frame of another site, and comes back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.driving import RECORDING, Driven, browser, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.speech]

MAKE = """
import json, uuid
from django.utils import timezone
from transcripts import services
from transcripts.taken_away import sharing
owner = User.objects.get(username="owner")
record = services.open_record(id=uuid.uuid4(), owner_id=owner.pk, title="Town <b>hall</b>", started_at=timezone.now())
share = sharing.make(record_id=record.pk, kind="captions")
print(json.dumps([str(record.pk), f"/captions/{sharing.token_of(share)}/"]))
"""
SAY = """
import uuid
from memweb.speech.transcript import Segment
from transcripts import services
for i, text in enumerate({texts!r}):
    segment = Segment(f"1-{{i}}", i * 1000, i * 1000 + 900, text, speaker="Ann <i>O</i>")
    services.save_final(record_id=uuid.UUID({record!r}), segment=segment)
"""
OVER = """
from django.utils import timezone
from transcripts.models import Record
Record.objects.filter(pk={record!r}).update(status="ready", ended_at=timezone.now())
"""
LINES = ["<mw-evil>Good evening, everybody.", "We begin with the footbridge at Mill Lane.", "It has been closed."]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("hall")) as running:
        yield running


@contextmanager
def another_site(html: str) -> Iterator[str]:
    """The address of a page that is not memweb's: another port, and another name of this machine."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as site:
        serving = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{site.server_address[1]}/"
        site.shutdown()
        serving.join()


def stranger(driven: Driven) -> Page:
    """A page whom nobody knows."""
    chromium: Browser | None = driven.context.browser
    assert chromium is not None
    page = chromium.new_context().new_page()
    page.on("pageerror", lambda error: driven.errors.append(str(error)))
    return page


def made(server: RunningServer) -> tuple[str, str]:
    record, path = json.loads(server.ask(MAKE).splitlines()[-1])
    return record, path


def test_who_dictates_makes_a_link_and_an_audience_reads_along(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        wait(lambda: driven.page.locator("#interim").inner_text() or driven.text, "the first words")
        driven.press("Microphone and more")
        page.get_by_role("link", name="Audience").click()
        dialog = page.get_by_role("dialog", name="Share")
        dialog.get_by_role("button", name="Make a link").click()
        address = dialog.get_by_role("textbox", name="Link made").input_value()
        assert "/captions/" in address
        if axe.SHOTS:
            page.screenshot(path=f"{axe.SHOTS}/audience-dialog.png")
        dialog.get_by_role("button", name="Close").click()
        hall = stranger(driven)
        hall.goto(address)
        shown = hall.locator("mem-captions")
        expect(shown).to_contain_text("times", timeout=20_000)
        wait(lambda: "best of times" in hall.get_by_role("log").inner_text().lower(), "a line", shown.inner_text)
        driven.finish()
        expect(hall.get_by_role("status")).to_have_text("This has ended.", timeout=20_000)
        assert hall.context.cookies() == []
        hall.context.close()


def test_before_during_a_restart_and_after(hall: RunningServer) -> None:
    record, path = made(hall)
    with browser(hall, None) as driven:
        page = stranger(driven)
        page.goto(hall.url + path)
        status, log = page.get_by_role("status"), page.get_by_role("log", name="Captions")
        expect(status).to_have_text("Nothing is being said yet.")
        hall.ask(SAY.format(record=record, texts=LINES[:1]))
        expect(log).to_have_text("Ann <i>O</i>: <mw-evil>Good evening, everybody.")
        expect(status).to_be_empty()
        hall.stop()
        expect(status).to_have_text("Connecting again")
        expect(log).to_contain_text("Good evening")
        hall.start()
        hall.ask(SAY.format(record=record, texts=LINES))
        expect(log).to_contain_text("It has been closed.", timeout=20_000)
        assert log.locator("p").count() == 3
        hall.ask(OVER.format(record=record))
        expect(status).to_have_text("This has ended.")
        page.context.close()


def test_another_site_may_show_it_in_a_frame_and_nothing_else_of_memweb(hall: RunningServer) -> None:
    record, path = made(hall)
    hall.ask(SAY.format(record=record, texts=LINES))
    with browser(hall, None) as driven:
        page = stranger(driven)
        frames = f'<iframe src="{hall.url}{path}?theme=clear"></iframe><iframe src="{hall.url}/sign-in/"></iframe>'
        with another_site(frames) as address:
            page.goto(address)
        captions = page.frame_locator("iframe").first
        expect(captions.get_by_role("log")).to_contain_text("It has been closed.")
        assert page.frame_locator("iframe").last.locator("input").count() == 0
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_and_the_words_are_as_large_as_asked(scheme: str, width: int, hall: RunningServer) -> None:
    record, path = made(hall)
    hall.ask(SAY.format(record=record, texts=LINES))
    size = {"width": width, "height": 720}
    with browser(hall, None, viewport=size, color_scheme=scheme, reduced_motion="reduce") as driven:
        page = driven.page
        for name, query in {"plain": "", "large": "?size=72&lines=2", "theme": "?theme=dark"}.items():
            page.goto(hall.url + path + query)
            expect(page.get_by_role("log")).to_contain_text("It has been closed.")
            axe.load(page)
            axe.check(page, f"captions-{name}", scheme)
        page.goto(hall.url + path + "?size=72&lines=2")
        expect(page.locator(".said p")).to_have_count(2)
        assert page.evaluate("() => getComputedStyle(document.querySelector('.captions')).fontSize") == "72px"
