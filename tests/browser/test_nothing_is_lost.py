"""What goes wrong while somebody speaks: each time one continuous recording comes of it, by itself."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Dialog, Route

from memweb.speech import frames
from tests.browser.driving import RECORDING, Driven, assert_one_recording, browser, frames_of, spool, wait
from tests.passage import Passage
from tests.running import ROOT, RunningServer, free_port

pytestmark = [pytest.mark.browser, pytest.mark.process]


def arrived(server: RunningServer, session: str) -> list[frames.Frame]:
    try:
        return frames.read(spool(server, session))[0]
    except FileNotFoundError:
        return []


def finish(driven: Driven) -> list[frames.Frame]:
    """Finish and read the server's file: it must be what the browser kept, frame by frame."""
    session = driven.finish()
    found = frames_of(driven.spool(session))
    assert_one_recording(found)
    assert driven.spool(session) == driven.kept()
    return found


def test_a_killed_server_costs_nothing(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(20)
        server.kill()
        driven.wait_for_state("reconnecting")
        assert driven.page.get_by_role("status").inner_text() == "Still recording"
        assert "kept safely on this device" in driven.page.locator("#note").inner_text()
        driven.wait_for_frames(len(driven.made) + 20)
        server.start()
        driven.wait_for_state(*RECORDING)
        assert len(finish(driven)) >= 40


def middle_of_the_button(driven: Driven) -> tuple[int, int]:
    """Where Finish is, in pixels; it swells a little under the mouse."""
    box = driven.page.get_by_role("button", name="Finish", exact=True).bounding_box()
    assert box
    return round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)


@pytest.mark.parametrize("keeps", [True, False], ids=["", "broken twin"])
def test_a_lost_network_costs_nothing(server: RunningServer, two_cities: Path, keeps: bool) -> None:
    with browser(server, two_cities) as driven:
        if not keeps:
            driven.context.route("**/js/store*.js", _forget)
            driven.context.route("**/js/uplink*.js", _hold_nothing_without_a_line)
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(15)
        place = middle_of_the_button(driven)
        driven.context.set_offline(True)
        driven.wait_for_state("reconnecting")
        driven.wait_for_frames(len(driven.made) + 15)
        assert driven.page.locator("#note").is_visible()
        assert middle_of_the_button(driven) == place, "a press that has begun would miss it"
        driven.context.set_offline(False)
        if not keeps:
            driven.page.get_by_text("Part is missing").wait_for()
            assert len(arrived(server, driven.session())) < len(driven.made), "this test sees frames that are gone"
            return
        driven.wait_for_state(*RECORDING)
        finish(driven)


def test_a_line_that_dies_without_a_word_is_found_within_ten_seconds(tmp_path: Path, two_cities: Path) -> None:
    with Passage(free_port()) as passage:
        address = f"http://localhost:{passage.port}"
        with RunningServer(tmp_path, env={"MEMWEB_PUBLIC_URL": address}) as server:
            passage.to, server.url = server.port, address
            with browser(server, two_cities) as driven:
                driven.open()
                driven.press("Start dictating")
                driven.wait_for_state(*RECORDING)
                driven.wait_for_frames(20)
                line, died_at = passage.kill(b"/ws/dictation/")
                wait(lambda: driven.pump() and "client" in line.let_go, "the page to let go", seconds=20)
                assert line.let_go["client"] - died_at <= 10
                driven.wait_for_state(*RECORDING)
                finish(driven)


def test_leaving_is_asked_about_only_while_something_is_nowhere_else(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.context.set_offline(True)
        driven.wait_for_state("reconnecting")
        driven.wait_for_frames(len(driven.made) + 5)
        page.close(run_before_unload=True)
        wait(lambda: driven.pump() and asked, "the question")
        driven.wait_for_frames(len(driven.made) + 5)
        driven.context.set_offline(False)
        driven.wait_for_state(*RECORDING)
        finish(driven)
        assert asked == ["beforeunload"], "the page that goes to the record asks nothing"


def test_a_reload_costs_nothing_and_the_recording_goes_on(server: RunningServer, two_cities: Path) -> None:
    with browser(server, two_cities) as driven:
        page = driven.open()
        page.on("dialog", lambda dialog: dialog.accept())
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(20)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        session = driven.session()
        wait(lambda: driven.pump() and len(arrived(server, session)) >= len(driven.made), "the rest of the frames")
        unfinished = page.get_by_role("region", name="Not finished yet")
        unfinished.get_by_role("link", name="Continue").click()
        page.wait_for_selector("body[data-ready]")
        before = len(driven.made)
        driven.press("Start dictating")
        driven.wait_for_frames(before + 10)
        assert driven.session() == session
        finish(driven)


@pytest.mark.parametrize("keeps", [True, False], ids=["", "broken twin"])
def test_a_killed_browser_loses_at_most_the_frame_in_hand(
    server: RunningServer, two_cities: Path, tmp_path: Path, keeps: bool
) -> None:
    profile = tmp_path / "profile"
    with browser(server, two_cities, profile=profile) as driven:
        if not keeps:
            driven.context.route("**/js/store*.js", _forget)
        driven.open()
        driven.press("Start dictating")
        driven.wait_for_state(*RECORDING)
        driven.wait_for_frames(10)
        session = driven.session()
        server.kill()
        driven.wait_for_state("reconnecting")
        driven.wait_for_frames(len(driven.made) + 20)
        made = dict(driven.made)
        kill_chromium(profile)
    server.start()
    had = len(arrived(server, session))
    with browser(server, two_cities, profile=profile) as driven:
        driven.open()
        if not keeps:
            driven.page.wait_for_timeout(2000)
            assert len(arrived(server, session)) == had < len(made), "this test sees it when frames are not kept"
            return
        wait(lambda: driven.pump() and len(arrived(server, session)) >= len(made), "the frames of the dead browser")
        driven.page.get_by_text("Recovered").wait_for()
    found = frames_of(spool(server, session))
    assert_one_recording(found)
    kept = spool(server, session)
    assert kept.startswith(b"".join(made[number] for number in sorted(made)))


def _hold_nothing_without_a_line(route: Route) -> None:
    script = (ROOT / "static/js/uplink.js").read_text()
    line = "this.#held.set(seq, buffer);"
    assert line in script
    # Frames before the first greeting are kept: the page would stop at once for want of them.
    broken = script.replace(line, f"if (navigator.onLine || this.#greeted) {line}")
    route.fulfill(body=broken, content_type="text/javascript")


def _forget(route: Route) -> None:
    """The store as it is, but for keeping frames."""
    script = (ROOT / "static/js/store.js").read_text()
    line = "transaction.objectStore('frames').put(bytes.slice(), [session.sid, seq]);"
    assert line in script
    # The test still hears of the frame: by a put that is taken back.
    broken = script.replace(line, line + " transaction.objectStore('frames').delete([session.sid, seq]);")
    route.fulfill(body=broken, content_type="text/javascript")


def kill_chromium(profile: Path) -> None:
    """SIGKILL every process of the browser with that profile."""
    ours = [p for p in psutil.process_iter(["cmdline"]) if any(str(profile) in a for a in p.info["cmdline"] or [])]
    assert ours, "there is no browser to kill"
    family: list[psutil.Process] = []
    for parent in ours:
        with contextlib.suppress(psutil.NoSuchProcess):  # some helpers of Chromium live for a moment only
            family += parent.children(recursive=True)
    family += ours
    for process in family:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    psutil.wait_procs(family, timeout=20)
