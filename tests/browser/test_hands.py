"""Keys, titles, phrases taken back, and text that is copied while it grows."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.browser.driving import RATE, RECORDING, browser, wait
from tests.running import RunningServer

HELD_MS = 700
"""Longer than a key is held to switch."""
pytestmark = [pytest.mark.browser, pytest.mark.speech]


def test_a_dictation_by_keys_alone(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        page.keyboard.press("Shift+?")
        assert page.get_by_role("dialog", name="Keyboard shortcuts").is_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Space")
        driven.wait_for_state(*RECORDING)
        page.keyboard.press("p")
        driven.wait_for_state("paused")
        page.keyboard.press("Space")
        driven.wait_for_state(*RECORDING)
        page.keyboard.press("m")
        wait(lambda: "best of times" in driven.text.lower(), "a phrase", lambda: driven.text)
        page.keyboard.press("Control+z")
        wait(lambda: "best of times" not in driven.text.lower(), "the phrase to go", lambda: driven.text)
        page.evaluate("document.getElementById('ask').returnValue = 'pause'")  # the last answer, which Esc may repeat
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog", name="Finish this dictation?").is_visible()
        assert page.evaluate("document.getElementById('ask').returnValue") == ""
        assert driven.state in RECORDING
        page.get_by_role("button", name="Keep recording").click()
        session = driven.session()
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/transcripts/**", timeout=60_000)
        assert "best of times" not in page.locator("main").inner_text().lower()
        found = server.ask(
            f"from transcripts.models import Mark\nprint(Mark.objects.filter(record={session!r}).count())"
        )
        assert found == "1"


def test_a_held_space_bar_records_only_while_it_is_held(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities) as driven:
        page = driven.open()
        page.keyboard.press("Space")  # pressed and let go: as a switch
        driven.wait_for_state(*RECORDING)
        page.keyboard.press("Space")
        driven.wait_for_state("paused")
        page.keyboard.down("Space")
        driven.wait_for_state(*RECORDING)
        page.wait_for_timeout(HELD_MS)
        page.keyboard.down("Space")  # repeats, as a held key does
        assert driven.state in RECORDING
        page.keyboard.up("Space")
        driven.wait_for_state("paused")
        assert page.evaluate("scrollY") == 0
        driven.finish()


@pytest.fixture
def hush(tmp_path: Path) -> Path:
    """What a room sounds like in which nobody speaks."""
    path = tmp_path / "hush.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.random.default_rng(1).integers(-40, 40, 12 * RATE, np.int16).tobytes())
    return path


@pytest.mark.parametrize(
    ("sound", "told"), [("two_cities", "You are heard."), ("hush", "Nothing is heard. Choose another microphone")]
)
def test_a_microphone_is_tested_before_anything_is_recorded(
    shared_server: RunningServer, request: pytest.FixtureRequest, sound: str, told: str
) -> None:
    with browser(shared_server, request.getfixturevalue(sound)) as driven:
        page = driven.open()
        page.get_by_role("button", name="Microphone and more").click()
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text(told).wait_for()
        page.get_by_role("button", name="Stop", exact=True).click()
        assert page.get_by_label("Level").is_hidden()
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text("Say something").wait_for()
        page.keyboard.press("Escape")  # what is closed listens no longer
        page.get_by_role("button", name="Microphone and more").click()
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text("Say something").wait_for()
        driven.pump()
        assert driven.made == {}
        page.get_by_role("button", name="Start dictating").press("Enter")
        driven.wait_for_frames(5)
        assert not page.evaluate("document.getElementById('level-told').textContent"), "two listen"
        page.keyboard.press("Escape")
        driven.finish()


def test_single_keys_do_nothing_in_fields_or_when_switched_off(shared_server: RunningServer) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        page.get_by_role("textbox", name="Title").fill("")
        page.keyboard.type("r p m")
        assert driven.state == "idle"
        page.locator("body").click(position={"x": 5, "y": 400})
        page.keyboard.press("Shift+?")
        page.get_by_role("switch", name="Single keys are on").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("r")
        assert driven.state == "idle"
        driven.open()
        page.keyboard.press("r")
        assert driven.state == "idle", "the choice is remembered"


def test_a_title_is_kept_and_text_can_be_copied_while_it_grows(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities, permissions=["microphone", "clipboard-read", "clipboard-write"]) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        page.get_by_role("textbox", name="Title").fill("A tale <b>of two</b>")
        page.keyboard.press("Tab")
        wait(lambda: "best of times" in driven.text.lower(), "a phrase", lambda: driven.text)
        page.get_by_role("button", name="Microphone and more").click()
        page.get_by_role("button", name="Copy text").click()
        wait(lambda: "best of times" in page.evaluate("navigator.clipboard.readText()").lower(), "the copy")
        page.keyboard.press("Escape")
        driven.finish()
        assert "A tale <b>of two</b>" in page.title()


def test_the_screen_stays_on_while_recording_and_only_then(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities) as driven:
        page = driven.open()
        page.evaluate(_COUNT_LOCKS)

        def held() -> int:
            return int(page.evaluate("window.testsLocks"))

        assert held() == 0
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        wait(lambda: held() == 1, "the lock")
        driven.press("Pause")
        wait(lambda: held() == 0, "a screen that may go dark")
        driven.press("Resume")
        wait(lambda: held() == 1, "the lock again")
        driven.finish()


_COUNT_LOCKS = """() => {
  window.testsLocks = 0;
  navigator.wakeLock.request = async () => {
    window.testsLocks += 1;
    return Object.assign(new EventTarget(), {
      release() {
        window.testsLocks -= 1;
        this.dispatchEvent(new Event('release'));
      },
    });
  };
}"""


def test_following_stops_when_the_reader_scrolls_up(shared_server: RunningServer) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        add = """(count) => import(document.querySelector('script[src*="dictation"]').src.replace('dictation', 'view'))
          .then(({ View }) => {
            window.testsView ??= new View(() => {});
            for (let i = 0; i < count; i++) window.testsView.html(
              `<div hx-swap-oob="beforeend:#log"><p data-start="${i * 9000}" data-end="${i * 9000}">words </p></div>`);
          })"""
        page.evaluate(add, 60)
        bottom = "document.documentElement.scrollHeight - innerHeight - scrollY"
        assert page.evaluate(bottom) < 2
        page.mouse.wheel(0, -2000)
        wait(lambda: page.evaluate(bottom) > 1000, "the scroll")
        page.evaluate(add, 1)
        assert page.evaluate(bottom) > 1000
        page.get_by_role("button", name="Jump to latest").click()
        assert page.evaluate(bottom) < 2
        assert not page.get_by_role("button", name="Jump to latest").is_visible()


def test_a_recording_can_be_discarded_only_in_two_steps(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        page.on("dialog", lambda dialog: dialog.accept())
        driven.press("Start dictating")
        driven.wait_for_frames(10)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        session = driven.session()
        page.get_by_role("button", name="Discard", exact=True).click()
        page.get_by_text("Discard recording and words?").wait_for()
        page.get_by_role("button", name="Keep it").click()
        server.ask(
            "from transcripts.models import Record\nfrom datetime import timedelta\nfrom django.utils import timezone\n"
            f"Record.objects.filter(pk={session!r}).update(last_heard_at=timezone.now() - timedelta(minutes=5))"
        )
        page.get_by_role("button", name="Discard", exact=True).click()
        page.context.set_offline(True)
        page.get_by_role("button", name="Yes, discard").click()
        page.get_by_role("button", name="Discard", exact=True).wait_for()  # the bin does not have it: nothing is let go
        page.context.set_offline(False)
        page.get_by_role("button", name="Discard", exact=True).click()
        page.get_by_role("button", name="Yes, discard").click()
        wait(lambda: not page.get_by_role("region", name="Not finished yet").is_visible(), "the row to go")
        asked = (
            f"from transcripts.models import Record\nprint(Record.objects.get(pk={session!r}).deleted_at is not None)"
        )
        wait(lambda: server.ask(asked) == "True", "the record to be in the bin")
