"""What a browser keeps stays with who said it, on the device where it was said, until it is theirs on the server."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Route

from memweb.speech import frames
from tests.browser.driving import RECORDING, Driven, assert_one_recording, browser, frames_of, spool, wait
from tests.page_client import PageClient
from tests.running import ROOT, RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

PHONE = 1.0e12


def pcm(found: list[frames.Frame]) -> bytes:
    return b"".join(frame.pcm for frame in found)


def said(made: dict[int, bytes]) -> bytes:
    return pcm([frame for number in sorted(made) for frame in frames.read(made[number])[0]])


def goes_on_by_phone(server: RunningServer, session: str, count: int) -> int:
    """Another device of this person goes on with that dictation; how many frames it found there."""

    async def go_on() -> int:
        page = PageClient(server, server.sign_in(), UUID(session), clock=PHONE)
        async with page:
            await page.until(lambda: page.last("resume") is not None, "the phone's line")
            there = page.made
            await page.record(count)
            await page.until(lambda: page.acked == there + count, "the phone's acks")
        return there

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, go_on()).result()


def begin(driven: Driven, count: int) -> str:
    driven.press("Start dictating")
    driven.wait_for_frames(count)
    return driven.session()


def without_a_line(driven: Driven) -> None:
    """Open a page whose sockets never reach the server."""
    driven.page.route_web_socket("**/ws/dictation/**", lambda line: line.close())
    driven.open()


def another_page(driven: Driven, path: str = "/") -> None:
    """The page is closed as a browser closes it, and memweb opened again."""
    driven.page.close()
    driven.page = driven.context.new_page()
    driven.open(path)


def records(server: RunningServer) -> dict[str, str]:
    """Who owns which dictation."""
    found: dict[str, str] = json.loads(
        server.ask(
            "import json\nfrom transcripts.models import Record\n"
            "print(json.dumps({str(r.pk): r.owner.username for r in Record.objects.all()}))"
        )
    )
    return found


def kept_sessions(driven: Driven) -> int:
    return int(
        driven.page.evaluate(
            """() => new Promise((resolve) => {
              const opening = indexedDB.open('memweb');
              opening.onsuccess = () => {
                const asking = opening.result.transaction('sessions').objectStore('sessions').count();
                asking.onsuccess = () => { opening.result.close(); resolve(asking.result); };
              };
            })"""
        )
    )


def _believes_all(route: Route) -> None:
    script = (ROOT / "static/js/uplink.js").read_text()
    line = "if (another && !isInHand) return this.#part();"
    assert line in script
    route.fulfill(body=script.replace(line, ""), content_type="text/javascript")


@pytest.mark.parametrize(
    ("how", "count"), [("goes on", 5), ("goes on", 60), ("closed", 5), ("closed", 60), ("broken twin", 5)]
)
def test_what_was_said_here_outlives_another_device_that_went_on(
    server: RunningServer, two_cities: Path, how: str, count: int
) -> None:
    with browser(server, two_cities) as driven:
        if how == "broken twin":
            driven.context.route("**/js/uplink*.js", _believes_all)
        driven.open()
        session = begin(driven, 10)
        driven.wait_for_state(*RECORDING)
        driven.context.set_offline(True)
        driven.wait_for_state("reconnecting")
        driven.wait_for_frames(len(driven.made) + 15)
        there = goes_on_by_phone(server, session, count)
        driven.pump()
        made = dict(driven.made)
        if how == "closed":
            driven.page.close()
            driven.context.set_offline(False)
            driven.page = driven.context.new_page()
            driven.open()
            driven.page.get_by_text("this is a recording of its own").wait_for()
            own = next(one for one in records(server) if one != session)
        else:
            driven.context.set_offline(False)
            driven.wait_for_state(*RECORDING)
            if how == "goes on":
                driven.page.get_by_text("What you say here is a recording of its own.").wait_for()
                assert driven.page.get_by_label("Title").input_value() == "Meanwhile, on another device"
            own = driven.session()
            driven.finish()
    first = frames_of(spool(server, session))
    mine = said({number: frame for number, frame in made.items() if number >= there})
    assert pcm(first[:there]) == said({number: frame for number, frame in made.items() if number < there})
    if how == "broken twin":
        assert own == session
        assert mine not in pcm(first), "this test sees sound that is gone"
        return
    assert [frame.header.wall_ms for frame in first[there:]] == [PHONE + 100 * n for n in range(there, len(first))]
    rest = frames_of(spool(server, own))
    assert_one_recording(rest)
    assert pcm(rest).startswith(mine)


@pytest.mark.parametrize("tells", [True, False], ids=["", "broken twin"])
def test_what_one_person_said_is_nobody_elses(server: RunningServer, two_cities: Path, tells: bool) -> None:
    with browser(server, two_cities) as driven:
        if not tells:
            driven.context.route("**/js/recovery*.js", _knows_no_person)
        without_a_line(driven)
        mine = begin(driven, 15)
        driven.page.keyboard.press("m")
        driven.page.get_by_text("Marker at").wait_for()
        driven.page.close()
        sign_in(driven, "other")
        driven.page = driven.context.new_page()
        driven.open()
        begin(driven, 15)
        driven.wait_for_state(*RECORDING)
        driven.press("Finish")
        wait(lambda: driven.pump() and "/transcripts/" in driven.page.url, "the record's page")
        if not tells:
            assert records(server)[mine] == "other", "this test sees it when speech goes to somebody else"
            return
        assert mine not in records(server)
        sign_in(driven, "owner")
        another_page(driven)
        driven.page.get_by_text("Recovered").wait_for()
    assert records(server)[mine] == "owner"
    assert_one_recording(frames_of(spool(server, mine)))
    marks = server.ask(f"from transcripts.models import Mark\nprint(Mark.objects.filter(record_id='{mine}').count())")
    assert marks == "1", "a marker that was confirmed is there"


def _knows_no_person(route: Route) -> None:
    script = (ROOT / "static/js/recovery.js").read_text()
    line = "person === this.person"
    assert line in script
    route.fulfill(body=script.replace(line, "true"), content_type="text/javascript")


def sign_in(driven: Driven, user: str) -> None:
    driven.context.clear_cookies()
    cookies = driven.server.sign_in(user)
    driven.context.add_cookies([{"name": k, "value": v, "url": driven.server.url} for k, v in cookies.items()])


def test_what_nobody_will_take_is_said_and_can_be_had_or_let_go(
    server: RunningServer, two_cities: Path, tmp_path: Path
) -> None:
    with browser(server, two_cities) as driven:
        without_a_line(driven)
        session = begin(driven, 15)
        driven.page.close()
        made = dict(driven.made)
        server.ask(
            "from django.utils import timezone\nfrom transcripts import services\n"
            f"services.open_record(id='{session}', owner_id=User.objects.get(username='other').pk,"
            " started_at=timezone.now())"
        )
        driven.page = driven.context.new_page()
        page = driven.open()
        notice = page.locator("mem-notice", has_text="kept here cannot be handed over.")
        notice.wait_for()
        with page.expect_download() as download:
            notice.get_by_role("button", name="Download").click()
        download.value.save_as(tmp_path / "kept.wav")
        assert (tmp_path / "kept.wav").read_bytes()[44:].startswith(said(made))
        notice.get_by_role("button", name="Discard").click()
        notice.get_by_role("button", name="Keep it").click()
        assert kept_sessions(driven) == 1
        notice.get_by_role("button", name="Discard").click()
        notice.get_by_role("button", name="Yes, discard").click()
        wait(lambda: driven.pump() and kept_sessions(driven) == 0, "the session to be gone")
        notice.wait_for(state="detached")
