"""Dictation in a real browser: words while speaking, a record at the end, and every sample of it on the server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.driving import RECORDING, assert_one_recording, browser, frames_of, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.speech]


def test_words_appear_while_speech_goes_on_and_finishing_lands_on_the_record(
    server: RunningServer, two_cities: Path
) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        interim = page.locator("#interim")
        wait(lambda: interim.inner_text() or driven.text, "the first words")
        assert len(driven.made) < 110, "the first words came when the speech was nearly over"
        wait(lambda: "best of times" in driven.text.lower(), "the first phrase", lambda: driven.text)
        driven.wait_for_frames(115)
        session = driven.finish()
        assert page.url == f"{server.url}/transcripts/{session}/#title"
        expect(page.locator("h1#title")).to_be_focused()
        assert page.evaluate("scrollY") == 0
        assert "best of times" in page.locator("main").inner_text().lower()


def test_a_title_stands_in_its_letters_direction_and_finishing_from_the_list_lands_on_it(
    server: RunningServer, two_cities: Path
) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        page.on("dialog", lambda dialog: dialog.accept())
        driven.press("Start dictating")
        driven.wait_for_frames(10)
        session = driven.session()
        title = page.get_by_role("textbox", name="Title")
        title.fill("رحلة العبّارة")
        expect(title).to_have_css("direction", "rtl")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        unfinished = page.get_by_role("region", name="Not finished yet").locator(f"[data-sid='{session}']")
        unfinished.get_by_role("button", name="Finish").click()
        page.wait_for_url(f"**/transcripts/{session}/#title", timeout=60_000)
        expect(page.locator("h1#title")).to_be_focused()


def test_the_file_on_the_server_is_every_frame_of_the_browser(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_frames(20)
        driven.press("Pause")
        driven.wait_for_state("paused")
        driven.press("Resume")
        driven.wait_for_frames(40)
        session = driven.finish()
        driven.pump()
    made = driven.kept()
    assert hashlib.sha256(driven.spool(session)).digest() == hashlib.sha256(made).digest()
    found = frames_of(made)
    assert_one_recording(found)
    assert sum(frame.header.is_last_of_stretch for frame in found) == 2


def test_what_it_costs_stands_there_in_dollars(shared_server: RunningServer) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        page.evaluate((Path(__file__).parent / "show_state.js").read_text(), {"more": {"cost": "0.0123"}})
        expect(page.locator("#clocks")).to_contain_text("cost $0.0123")
        page.evaluate((Path(__file__).parent / "show_state.js").read_text(), {"more": {}})
        expect(page.locator("#clocks")).not_to_contain_text("cost")


def test_interim_words_are_never_announced(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        log, interim = page.get_by_role("log", name="Transcript"), page.locator("#interim")
        page.evaluate(_WATCH_THE_LOG)
        driven.press("Start dictating")
        wait(lambda: interim.inner_text(), "interim words")
        wait(lambda: driven.text, "a final")
        assert interim.get_attribute("aria-hidden") == "true"
        assert log.locator("#interim").count() == 0
        assert log.get_attribute("aria-live") == "polite"
        added = page.evaluate("window.testsAdded")
        assert added
        assert all(kind == "P" for kind in added), "only finals may enter the log"
        assert page.get_by_role("status").count() == 1
        assert page.evaluate("() => getComputedStyle(document.querySelector('main')).borderTopStyle") == "none"
        assert "Listening" in page.get_by_role("status").inner_text()


_WATCH_THE_LOG = """() => {
  window.testsAdded = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) {
      if (node.nodeType === 1) window.testsAdded.push(node.nodeName);
    }
  }).observe(document.getElementById('log'), { childList: true });
}"""


def test_a_finished_recording_can_be_gone_on_with(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_frames(30)
        session = driven.finish()
        before = len(driven.made)
        driven.open(f"/?session={session}")
        driven.press("Start dictating")
        driven.wait_for_frames(before + 20)
        driven.finish()
        driven.pump()
        assert page.url.endswith(f"/transcripts/{session}/#title")
        found = frames_of(driven.spool(session))
        assert [frame.header.number for frame in found] == list(range(len(driven.made)))


def test_a_sealed_recording_can_be_gone_on_with(tmp_path: Path, two_cities: Path) -> None:
    with RunningServer(tmp_path, worker=True) as server, browser(server, two_cities) as driven:
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_frames(30)
        session = driven.finish()
        sealed = server.data_dir / "audio" / f"{session}.flac"
        spool = server.data_dir / "spools" / f"{session}.mwspool"
        wait(lambda: sealed.exists() and not spool.exists(), "the sealed recording", server.log)
        before = len(driven.made)
        driven.open(f"/?session={session}")
        driven.press("Start dictating")
        driven.wait_for_frames(before + 20)
        assert driven.finish() == session
        samples = sum(frame.header.samples for frame in frames_of(driven.kept()))
        asked = f"from transcripts.models import Record\nprint(Record.objects.get(pk={session!r}).duration_ms)"
        wait(lambda: int(server.ask(asked)) == samples // 16, "the whole length", lambda: server.ask(asked))
