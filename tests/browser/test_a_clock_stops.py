"""Each of the three clocks stops on its own, and the page says which: captured, safe on the server, transcribed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.driving import RECORDING, Driven, assert_one_recording, browser, frames_of, microphone, wait
from tests.dictation.evidence import environment
from tests.running import RunningServer
from tests.upstream_simulator import Fault, Simulator

pytestmark = [pytest.mark.browser, pytest.mark.process]

# Lets a test take the sound away from the page.
_SOUND_IN_HAND = """
(() => {
  const { createMediaStreamSource, resume } = AudioContext.prototype;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    window.testsContext = this;
    return (window.testsSource = createMediaStreamSource.call(this, stream));
  };
  AudioContext.prototype.resume = function () {
    return window.testsHold ? new Promise(() => {}) : resume.call(this);
  };
})();
"""
# Lets a test keep from the page what the server says of safe sound.
_ACKS_IN_HAND = """
(() => {
  const { get, set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
  const passes = ({ data }) => !window.testsHold || JSON.parse(data).t !== 'ack';
  Object.defineProperty(WebSocket.prototype, 'onmessage', {
    get,
    set(hear) {
      set.call(this, hear && ((event) => passes(event) && hear(event)));
    },
  });
})();
"""


def begin(driven: Driven, script: str = "") -> None:
    """Dictate until some sound was recorded, with that script in the page from its start."""
    driven.context.add_init_script(script)
    driven.open()
    driven.press("Start dictating")
    driven.wait_for_state(*RECORDING)
    driven.wait_for_frames(10)


def note(driven: Driven) -> str:
    return driven.page.locator("#note").inner_text()


def captured(driven: Driven) -> str:
    """The first clock."""
    return driven.page.locator("#clocks").inner_text().partition(" ·")[0]


def finish(driven: Driven, stretches: int) -> None:
    """The server has every frame of the browser: one recording, in so many stretches."""
    session = driven.finish()
    found = frames_of(driven.spool(session))
    assert_one_recording(found)
    assert driven.spool(session) == driven.kept()
    assert sum(frame.header.is_last_of_stretch for frame in found) == stretches


def test_a_microphone_that_sends_nothing_is_told_and_opened_anew(
    shared_server: RunningServer, two_cities: Path
) -> None:
    with browser(shared_server, two_cities) as driven:
        begin(driven, _SOUND_IN_HAND)
        driven.page.evaluate("window.testsSource.disconnect()")
        driven.wait_for_state("stalled")
        assert driven.page.get_by_role("status").inner_text() == "Not recording"
        since = captured(driven).removeprefix("captured ")
        said = f"Nothing has been recorded since {since}. The microphone sends nothing."
        expect(driven.page.get_by_role("alert")).to_have_text(said)
        driven.press("Open it again")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(len(driven.made) + 10)
        expect(driven.page.locator("#note")).to_be_hidden()
        finish(driven, stretches=2)


def test_sound_that_the_browser_suspends_is_asked_for_until_it_is_back(
    shared_server: RunningServer, two_cities: Path
) -> None:
    with browser(shared_server, two_cities) as driven:
        begin(driven, _SOUND_IN_HAND)
        driven.page.evaluate("window.testsHold = true; window.testsContext.suspend()")
        driven.wait_for_state("stalled")
        driven.page.evaluate("window.testsHold = false")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(len(driven.made) + 10)
        assert "while the microphone sent nothing" in note(driven)
        driven.press("Dismiss")
        expect(driven.page.locator("#note")).to_be_hidden()
        finish(driven, stretches=1)


def test_a_page_that_slept_says_what_was_not_recorded(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities) as driven:
        begin(driven)
        sleep(seconds=4)
        wait(lambda: "while this page slept" in note(driven), "the word about it", lambda: note(driven))
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(len(driven.made) + 10)
        assert note(driven).startswith("Nothing was recorded for ")
        driven.press("Pause")
        driven.wait_for_state("paused")
        driven.press("Resume")
        driven.wait_for_state(*RECORDING)
        expect(driven.page.locator("#note")).to_be_hidden()
        finish(driven, stretches=2)


def is_page(process: psutil.Process) -> bool:
    try:
        return "--type=renderer" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


def sleep(seconds: float) -> None:
    """Stop everything of the page, its audio thread too, as a browser or a machine does that saves power."""
    pages = [child for child in psutil.Process().children(recursive=True) if is_page(child)]
    assert pages, "there is no page to put to sleep"
    for process in pages:
        process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        for process in pages:
            process.send_signal(signal.SIGCONT)


def test_a_server_that_keeps_nothing_is_told_while_sound_goes_on(
    shared_server: RunningServer, two_cities: Path
) -> None:
    with browser(shared_server, two_cities) as driven:
        begin(driven, _ACKS_IN_HAND)
        driven.page.evaluate("window.testsHold = true")
        wait(lambda: "The server has kept nothing for" in note(driven), "the word about it", lambda: note(driven))
        assert "What you say is kept safely on this device." in note(driven)
        assert driven.state in RECORDING
        driven.wait_for_frames(len(driven.made) + 5)
        driven.page.evaluate("window.testsHold = false")
        expect(driven.page.locator("#note")).to_be_hidden()
        finish(driven, stretches=1)


def test_a_gateway_that_says_nothing_is_told_while_sound_is_heard(
    wheel_speech: dict[str, Path], tmp_path: Path
) -> None:
    hears = microphone(wheel_speech["two_cities"], tmp_path / "long.wav", seconds=40)
    with Simulator() as gateway, RunningServer(tmp_path, env=environment(gateway)) as server:
        gateway.faults.append(Fault("mute", frames=20))
        with browser(server, hears) as driven:
            begin(driven)
            wait(lambda: driven.text, "words, before the gateway falls silent")
            wait(lambda: "No words for the last" in note(driven), "the word about it", lambda: note(driven))
            assert driven.state in RECORDING
            clocks = driven.page.locator("#clocks").inner_text()
            assert "no words since 0:0" in clocks
            assert "transcribed" not in clocks
            driven.press("Choose")
            assert driven.page.get_by_role("dialog", name="Microphone and more").is_visible()
            words = driven.text
            gateway.stop()  # a new connection is heard again
            gateway.start()
            wait(lambda: len(driven.text) > len(words), "words to come again", lambda: driven.text)
            driven.wait_for_state("listening", "silence")
            assert "No words" not in note(driven)
            expect(driven.page.locator("#clocks")).to_contain_text("transcribed 0:")
