"""What stands between a person and their words is said in a sentence, with one thing to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.driving import RECORDING, browser, frames_of, wait
from tests.running import RunningServer

pytestmark = pytest.mark.browser


def test_a_refused_microphone_is_explained(shared_server: RunningServer) -> None:
    with browser(shared_server, None, allowed=False) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_state("error")
        assert page.get_by_role("status").inner_text() == "No microphone"
        assert page.get_by_role("alert").inner_text().startswith("Your browser blocked the microphone.")
        driven.press("How to allow it")
        assert page.get_by_role("dialog", name="Let memweb hear you").is_visible()
        page.keyboard.press("Escape")
        assert page.get_by_role("button", name="Start dictating").is_visible()


def test_plain_http_from_another_machine_is_explained(tmp_path: Path) -> None:
    with RunningServer(tmp_path, env={"MEMWEB_ALLOWED_HOSTS": "localhost,127.0.0.1,memweb.test"}) as server:
        flags = ("--host-resolver-rules=MAP memweb.test 127.0.0.1",)
        with browser(server, None, flags=flags) as driven:
            server.url = server.url.replace("localhost", "memweb.test")
            driven.context.add_cookies(
                [{"name": n, "value": v, "url": server.url} for n, v in server.sign_in().items()]
            )
            driven.open()
            driven.press("Start dictating")
            driven.wait_for_state("error")
            driven.press("What to do")
            dialog = driven.page.get_by_role("dialog", name="Let memweb hear you")
            assert "over plain http" in dialog.inner_text()
            assert "memweb.test" in dialog.inner_text()


def test_an_unplugged_microphone_keeps_the_session(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities) as driven:
        page = driven.open()
        page.evaluate(_KEEP_THE_TRACK)
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(10)
        session = driven.session()
        page.evaluate("window.testsUnplug()")
        wait(lambda: "Microphone gone" in page.get_by_role("status").inner_text(), "the word about it")
        assert "Plug it in or choose another" in page.get_by_role("alert").inner_text()
        page.evaluate("window.testsPlugIn()")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(len(driven.made) + 5)
        assert driven.session() == session
        driven.finish()
        found = frames_of(driven.spool(session))
        assert sum(frame.header.is_last_of_stretch for frame in found) == 2


# A device cannot be pulled out of a test machine: the track ends as it would, and none is there until it is back.
_KEEP_THE_TRACK = """() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  let track;
  let there = true;
  navigator.mediaDevices.getUserMedia = async (wish) => {
    if (!there) throw new DOMException('gone', 'NotFoundError');
    const stream = await ask(wish);
    [track] = stream.getAudioTracks();
    return stream;
  };
  window.testsUnplug = () => {
    there = false;
    track.stop();
    track.dispatchEvent(new Event('ended'));
  };
  window.testsPlugIn = () => {
    there = true;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  };
}"""


def test_signing_out_elsewhere_keeps_what_is_said(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(5)
        server.ask("from django.contrib.sessions.models import Session\nSession.objects.all().delete()")
        alert = page.get_by_role("alert")
        wait(lambda: "signed out" in alert.inner_text(), "the word about it", alert.inner_text)
        assert page.get_by_role("button", name="Sign in").is_visible()
        driven.wait_for_frames(len(driven.made) + 5)
        driven.sign_in()
        page.evaluate("window.dispatchEvent(new Event('focus'))")
        wait(lambda: not alert.is_visible(), "the line to be back", alert.inner_text)
        session = driven.finish()
        assert len(frames_of(driven.spool(session))) == len(driven.made)


def test_a_second_tab_leaves_a_running_session_alone(shared_server: RunningServer, two_cities: Path) -> None:
    with browser(shared_server, two_cities) as driven:
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(5)
        session = driven.session()
        second = driven.context.new_page()
        second.goto(f"{shared_server.url}/?session={session}")
        second.wait_for_selector("body[data-ready]")
        second.get_by_role("button", name="Start dictating").click()
        status = second.get_by_role("status")
        wait(lambda: status.inner_text() == "Open elsewhere", "the word about it", status.inner_text)
        assert driven.state in RECORDING
        second.close()
        driven.finish()
