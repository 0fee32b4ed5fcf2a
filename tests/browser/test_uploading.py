"""Files dropped on the page become transcripts, whatever happens on the way; every state is accessible."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests import media_files
from tests.browser.driving import Driven, browser, wait
from tests.gateway_stand_in import StandIn
from tests.running import RunningServer

pytestmark = pytest.mark.browser
PIECE = 32 * 1024
FORMATS = ("wav", "mp3", "m4a", "flac", "webm")

DROP = """([files, kind]) => {
  const data = new DataTransfer();
  for (const [name, content, modified] of files) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name, { lastModified: modified }));
  }
  document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""

PASTE = """(field) => {
  const data = new DataTransfer();
  data.items.add(new File(['a picture'], 'image.png', { type: 'image/png' }));
  data.setData('text/plain', 'a cell of a table');
  field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
}"""


BEGUN = """
from django.utils import timezone
from transcripts import uploads
from transcripts.models import Upload
about = {"owner": User.objects.get(username="owner"), "size": 9, "touched_at": timezone.now()}
Upload.objects.bulk_create(Upload(name=f"{number}.wav", **about) for number in range(uploads.MOST_UNFINISHED))
"""

FORGET = """() => {
  localStorage.clear();
  document.querySelectorAll('#queue li').forEach((row) => row.remove());
}"""
"""The page knows what was begun by its rows, and by what the browser keeps."""


def drop(driven: Driven, *paths: Path, kind: str = "drop") -> None:
    files = [[path.name, base64.b64encode(path.read_bytes()).decode(), 1_700_000_000_000] for path in paths]
    driven.page.evaluate(DROP, [files, kind])


def states(driven: Driven) -> list[str]:
    return driven.page.locator("#queue .st").all_inner_texts()


def wait_for(driven: Driven, done: Any, what: str) -> None:
    wait(lambda: driven.pump() and done(), what, lambda: f"{states(driven)}; {driven.server.log()[-1500:]}", 90)


def slow(driven: Driven, bytes_a_second: int) -> None:
    """As on a bad line: 0 is as fast as it can."""
    session = driven.context.new_cdp_session(driven.page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": bytes_a_second or -1}
    session.send("Network.emulateNetworkConditions", limits)


@pytest.fixture(scope="module")
def hosted() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def server(hosted: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    env = {
        "MEMWEB_GATEWAY_URL": hosted.url,
        "MEMWEB_GATEWAY_KEY": hosted.key,
        "MEMWEB_UPLOAD_PIECE_KB": str(PIECE // 1024),
    }
    with RunningServer(tmp_path_factory.mktemp("uploading"), worker=True, env=env) as running:
        yield running


@pytest.mark.process
def test_five_files_of_five_formats_become_five_transcripts(server: RunningServer, tmp_path: Path) -> None:
    files = [
        media_files.make(tmp_path / f"tape {i}.{kind}", media_files.tone(18 if kind in ("mp3", "m4a", "webm") else 4))
        for i, kind in enumerate(FORMATS)
    ]
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, *files)
        wait_for(driven, lambda: states(driven).count("Ready") == 5, "five transcripts")
        assert len(states(driven)) == 5
    uploads = server.ask(
        "from transcripts.models import Upload\n"
        "for one in Upload.objects.all():\n"
        "    print(one.size, one.offset, one.record.current_version.segments.count())"
    )
    for line in uploads.splitlines():
        size, offset, segments = map(int, line.split())
        assert (offset, segments) == (size, 2)


def many_files(folder: Path, count: int) -> list[Path]:
    """Of twenty, five are recordings, no two as long, one is the last of them over again, one is nothing that can be
    read, and the others are captions."""
    found = []
    for number in range(count):
        kind = number % 20
        path = folder / f"file {number:03}.{'wav' if kind < 7 else 'srt'}"
        if kind < 5:
            media_files.make(path, media_files.tone(0.2 + number / 1000, 8000), rate=8000)
        elif kind == 5:
            path.write_bytes(found[-1].read_bytes())
        elif kind == 6:
            path.write_bytes(b"This is no recording. " * 9)
        else:
            path.write_text(f"1\n00:00:01,000 --> 00:00:02,000\nCaption {number}.\n")
        found.append(path)
    return found


@pytest.mark.process
@pytest.mark.timeout(900)
def test_two_hundred_files_at_once_are_announced_sent_in_turn_and_all_reach_an_end(
    hosted: StandIn, server: RunningServer, tmp_path: Path
) -> None:
    """A few at a time: two hundred connections at once would starve each other, and the pages beside them."""
    count, going, most = 200, set[Any](), 0
    held = set(hosted.assets)
    server.ask("from transcripts.models import Upload\nUpload.objects.all().delete()")

    def began(request: Any) -> None:
        nonlocal most
        if request.method in ("POST", "PATCH") and "/uploads/" in request.url:
            going.add(request)
            most = max(most, len(going))

    with browser(server, None) as driven:
        driven.page.on("response", lambda response: going.discard(response.request))
        driven.page.on("request", began)
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        files = many_files(tmp_path, count)
        drop(driven, *files, kind="dragenter")
        expect(driven.page.get_by_text(f"Let go to add {count} recordings")).to_be_visible()
        drop(driven, *files)
        expect(driven.page.locator("#queue > li")).to_have_count(count)
        ends = {"Ready": count // 20 * 18, "Already here": count // 20, "Not a recording": count // 20}
        wait(
            lambda: driven.pump() and Counter(states(driven)) == ends,
            "all of them at an end", lambda: f"{Counter(states(driven))}; {driven.server.log()[-1500:]}", 300,
        )  # fmt: skip
    assert 0 < most <= 3
    told = server.ask(
        "from transcripts.models import Job, Upload\n"
        "jobs = Job.objects.filter(record__in=Upload.objects.values('record'))\n"
        "print(Upload.objects.count(), jobs.pending().count(), jobs.filter(status='failed').count())"
    )
    assert told.split() == [str(count), "0", "0"]
    assert set(hosted.assets) <= held, "the gateway still has recordings that are text by now"


@pytest.mark.process
@pytest.mark.parametrize("ours", [True, False], ids=["memweb", "a proxy"])
def test_too_many_that_are_not_whole_is_said_and_a_proxys_patience_is_tried_again(
    ours: bool, server: RunningServer, tmp_path: Path
) -> None:
    if ours:
        server.ask(BEGUN)
    with browser(server, None) as driven:
        if not ours:
            driven.page.route(re.compile(r"/uploads/$"), lambda route: route.fulfill(status=429, body="<html>"))
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, media_files.make(tmp_path / "one more.wav", media_files.tone(1)))
        row = driven.page.locator("#queue > li").first
        expect(row).to_contain_text("remove some on the Upload page" if ours else "continues by itself")
    server.ask('from transcripts.models import Upload\nUpload.objects.filter(status="receiving").delete()')


def resent(server: RunningServer, patches: list[tuple[str, int]]) -> dict[str, int]:
    """By file, how many pieces' worth of bytes went up beyond its size. `patches`: each request's path and offset."""
    rows = server.ask(
        "from transcripts.models import Upload\nfor one in Upload.objects.all():\n    print(one.pk, one.size, one.name)"
    )
    found: dict[str, int] = {}
    for row in rows.splitlines():
        key, size, name = row.split(" ", 2)
        offsets = [offset for path, offset in patches if key in path]
        if offsets:
            sent = sum(min(PIECE, int(size) - offset) for offset in offsets)
            first_of_this_name = name not in found
            found[name] = found.get(name, 0) + sent - (int(size) if first_of_this_name else 0)
    return {name: -(-more // PIECE) for name, more in found.items()}


@pytest.mark.process
@pytest.mark.parametrize("remembers", [True, False], ids=["honest", "broken twin"])
def test_two_kills_and_a_closed_tab_cost_a_piece_each(remembers: bool, server: RunningServer, tmp_path: Path) -> None:
    """Five files are dropped, the server is killed twice, the tab is closed, and the files are dropped once more."""
    of = "honest" if remembers else "twin"
    files = [
        media_files.make(
            tmp_path / f"{of} {i}.{kind}",
            media_files.tone((60 if kind in ("mp3", "m4a", "webm") else 6) + i / 9 + remembers / 2),
        )
        for i, kind in enumerate(FORMATS)
    ]
    patches: list[tuple[str, int]] = []

    def sent(request: Any) -> None:
        if request.method == "PATCH":
            patches.append((request.url, int(request.headers["upload-offset"])))

    with browser(server, None) as driven:
        driven.context.on("request", sent)
        driven.page.goto(server.url + "/upload/")
        slow(driven, 250_000)
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, *files)
        for count in (4, 8):
            more = len(patches) + count
            wait_for(driven, lambda more=more: len(patches) >= more, "some pieces")
            server.kill()
            server.start()
        more = len(patches) + 9
        wait_for(driven, lambda: len(patches) >= more, "so many that to begin again would be noticed")
        former, driven.page = driven.page, driven.context.new_page()
        former.close()
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        if not remembers:
            driven.page.evaluate(FORGET)
        drop(driven, *files)
        mine = driven.page.locator("#queue li").filter(has_text=of)
        wait_for(driven, lambda: mine.filter(has_text="Ready").count() >= 5, "five transcripts")
    found = {name: pieces for name, pieces in resent(server, patches).items() if name.startswith(of)}
    assert len(found) == 5
    if remembers:
        assert max(found.values()) <= 3, found
        assert sum(found.values()) <= 3 * 3, "three go up at once"
    else:
        assert max(found.values()) > 3


def test_a_file_is_paused_resumed_and_removed(server: RunningServer, tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "long.wav", media_files.tone(4))
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/upload/")
        slow(driven, 80_000)
        driven.page.set_input_files("#files", path)
        row = driven.page.locator("#queue li").filter(has_text="long.wav")
        wait_for(driven, lambda: "a second" in row.inner_text(), "its speed")
        row.get_by_role("button", name="Pause long.wav").click()
        wait_for(driven, lambda: "Paused at" in row.inner_text(), "a pause")
        expect(row.get_by_role("button", name="Resume long.wav")).to_be_focused()
        row.get_by_role("button", name="Resume long.wav").click()
        wait_for(driven, lambda: "Uploading" in row.inner_text(), "it going on")
        expect(row.get_by_role("button", name="Pause long.wav")).to_be_focused()
        row.get_by_role("button", name="Remove long.wav").click()
        wait_for(driven, lambda: row.count() == 0, "its end")
        expect(driven.page.locator("#main:focus, #main :focus")).to_have_count(1)
        gone = "from transcripts.models import Upload\nprint(Upload.objects.filter(name='long.wav').count())"
        wait_for(driven, lambda: server.ask(gone) == "0", "the server to let go")


def rows(driven: Driven) -> list[str]:
    return driven.page.locator("#queue h3").all_inner_texts()


def test_many_are_paused_outlive_a_closed_tab_in_their_order_and_go_on(server: RunningServer, tmp_path: Path) -> None:
    names = [f"many {i}.wav" for i in range(6)]
    files = [media_files.make(tmp_path / name, media_files.tone(3 + i / 7)) for i, name in enumerate(names)]
    mine = names[::-1]
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        slow(driven, 40_000)
        drop(driven, *files)
        wait_for(driven, lambda: states(driven)[:6].count("Waiting for its turn") >= 3, "some to wait")
        assert driven.page.locator("#all [data-sum]").inner_text() == "0 of 6 uploaded"
        driven.page.get_by_role("button", name="Pause all").click()
        expect(driven.page.get_by_role("button", name="Resume all")).to_be_focused()
        assert all(state.startswith("Paused at") for state in states(driven)[:6])
        known = "from transcripts.models import Upload\nprint(Upload.objects.filter(name__startswith='many').count())"
        wait_for(driven, lambda: server.ask(known) == "6", "the server to know of all of them")
        former, driven.page = driven.page, driven.context.new_page()
        former.close()
        driven.page.goto(server.url + "/upload/")
        assert rows(driven)[:6] == mine
        assert "Not begun" in states(driven)[:6]
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, *files)
        assert rows(driven)[:6] == mine
        driven.page.get_by_role("button", name="Pause all").click()
        driven.page.get_by_role("button", name="Resume all").click()
        wait_for(driven, lambda: states(driven)[:6] == ["Ready"] * 6, "six transcripts")
        assert server.ask(known) == "6"
        driven.page.get_by_role("button", name="Clear finished").click()
        wait_for(driven, lambda: "Ready" not in states(driven), "them to go")
        expect(driven.page.locator("#main:focus, #main :focus")).to_have_count(1)


@pytest.mark.parametrize(
    ("status", "told", "cure"),
    [
        (413, "This file is larger than 4 GB.", ""),
        (507, "There is not enough room.", "Try"),
        (401, "", "Sign in again"),
    ],
)
def test_what_is_not_taken_says_why_and_offers_what_helps(
    status: int, told: str, cure: str, server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    said: list[str] = []
    with browser(server, None) as driven:
        answer = {"status": status, "body": told, "headers": {"Tus-Resumable": "1.0.0"}}
        driven.page.route(re.compile(r"/uploads/"), lambda route: route.fulfill(**answer))
        driven.page.on("console", lambda message: said.append(message.text))
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, path)
        row = driven.page.locator("#queue > li").first
        expect(row.locator(".why")).to_contain_text(told or "You are signed out.")
        expect(row.locator("[data-failed]")).to_be_visible()
        expect(row.locator("progress")).to_be_hidden()
        expect(row.get_by_role("button", name="Try")).to_have_count(int(cure == "Try"))
        expect(row.get_by_role("link", name="Sign in again")).to_have_count(int(cure == "Sign in again"))
        driven.page.wait_for_timeout(300)
        assert not [text for text in said if "RANGE" in text], "an empty file has no length to look for"


def test_the_focus_stays_on_a_files_row_until_it_is_text(server: RunningServer, tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "kept in hand.wav", media_files.tone(4.5))
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/upload/")
        slow(driven, 80_000)
        driven.page.set_input_files("#files", path)
        row = driven.page.locator("#queue li").filter(has_text="kept in hand")
        wait_for(driven, lambda: "a second" in row.inner_text(), "its speed")
        row.get_by_role("button", name="Pause kept in hand.wav").focus()
        slow(driven, 0)
        wait_for(driven, lambda: "Ready" in row.inner_text(), "a transcript")
        expect(row.get_by_role("link").first).to_be_focused()


def test_a_price_is_told_before_a_file_is_up_and_the_sum_runs_along(server: RunningServer, tmp_path: Path) -> None:
    """Two files of a minute and of half a minute, at $3.60 an hour."""
    first, second = (
        media_files.make(tmp_path / f"priced {seconds}.mp3", media_files.tone(seconds)) for seconds in (60, 30)
    )
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/upload/")
        before = _dollars(driven)
        slow(driven, 100_000)
        driven.page.set_input_files("#files", [first, second])
        row = driven.page.locator("#queue li").filter(has_text="priced 60")
        wait_for(driven, lambda: "Uploading" in row.inner_text() and "about $0.06" in row.inner_text(), "its price")
        slow(driven, 0)
        for name in ("priced 60", "priced 30"):
            done = driven.page.locator("#queue li").filter(has_text=name).filter(has_text="Ready")
            wait_for(driven, lambda done=done: done.count() == 1, "a transcript")
        wait_for(driven, lambda: abs(_dollars(driven) - before - 0.09) < 0.015, "the sum to follow")
        assert "Of it so far" not in driven.page.locator("#sum").inner_text(), "all of it is done"
        assert "about $0.03" in driven.page.locator("#queue li").filter(has_text="priced 30").inner_text()


def test_rows_that_get_no_answer_ask_again(server: RunningServer, tmp_path: Path) -> None:
    """Many small files are up at the same moment, and the server is away when the page asks how each one stands."""
    files = [media_files.make(tmp_path / f"small {i}.wav", media_files.tone(1 + i / 7)) for i in range(6)]
    asked: Counter[str] = Counter()

    def first_fails(route: Route) -> None:
        asked[route.request.url] += 1
        if asked[route.request.url] == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    with browser(server, None) as driven:
        driven.context.route(re.compile(r"/upload/[0-9a-f-]{36}/$"), first_fails)
        driven.page.goto(server.url + "/upload/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        drop(driven, *files)
        mine = driven.page.locator("#queue li").filter(has_text="small")
        wait_for(driven, lambda: mine.filter(has_text="Ready").count() == 6, "six transcripts")
        assert driven.page.locator("#trouble").count() == 0, "it asks again, and says nothing"
    assert len(asked) == 6


def _dollars(driven: Driven) -> float:
    """The sum that the page tells."""
    found = re.search(r"Altogether about \$([\d.]+),", driven.page.locator("#sum").inner_text())
    return float(found.group(1)) if found else 0.0


def test_another_page_takes_files_too_and_what_is_no_recording_is_told(server: RunningServer, tmp_path: Path) -> None:
    tape = media_files.make(tmp_path / "meeting.mp3", media_files.tone(2))
    minutes = media_files.archive(tmp_path / "minutes.pages")
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/transcripts/")
        driven.page.wait_for_function("!!customElements.get('mem-upload')")
        driven.page.locator("#find input").first.evaluate(PASTE)  # a picture beside text is no third recording
        drop(driven, tape, minutes, kind="dragenter")
        assert driven.page.get_by_text("Let go to add 2 recordings").is_visible()
        drop(driven, tape, minutes)
        driven.page.get_by_text("2 recordings uploaded, on the way to text.").wait_for(timeout=60_000)
        assert not driven.page.get_by_text("Let go to add").is_visible()
        driven.page.get_by_role("link", name="Upload").last.click()
        driven.page.wait_for_load_state()
        wait_for(driven, lambda: "Not a recording" in states(driven), "the refusal")
        driven.page.reload()
        row = driven.page.locator("#queue li").filter(has_text="minutes.pages")
        assert "This is no recording. memweb reads WAV" in row.inner_text()
        row.get_by_role("button", name="Remove minutes.pages from this list").click()
        wait_for(driven, lambda: row.count() == 0, "it to go")
        expect(driven.page.locator("#main :focus")).to_have_count(1)
        wait_for(driven, lambda: "Ready" in states(driven), "the transcript")
        drop(driven, tape)
        wait_for(driven, lambda: "Already here" in states(driven), "the same to be known")
        driven.page.locator("#queue li").filter(has_text="meeting").get_by_role("link", name="Open").first.click()
        driven.page.get_by_text("It was the best of times.").wait_for()
        assert driven.page.locator("mem-player").count() == 1


LISTEN = """() => {
  window.said = [];
  const region = document.getElementById('notices');
  const read = ({ target }) => {
    const part = target instanceof Element ? target : target.parentElement;
    if (!part.closest('[aria-hidden]')) window.said.push(region.querySelector('p')?.textContent);
  };
  const observed = { childList: true, characterData: true, subtree: true };
  new MutationObserver((changes) => changes.forEach(read)).observe(region, observed);
}"""
"""Keeps what a screen reader is told: all that changes in the region of notices, but what is hidden from it."""


def test_how_an_upload_goes_is_read_out_when_it_begins_and_when_it_ends(server: RunningServer, tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "told.wav", media_files.tone(4))
    with browser(server, None) as driven:
        driven.page.goto(server.url + "/streams/")
        driven.page.evaluate(LISTEN)
        slow(driven, 120_000)
        drop(driven, path)
        steps = driven.page.locator("#uploading [data-so]")
        driven.page.locator("#uploading").wait_for()
        expect(driven.page.locator("#uploading a")).to_be_hidden()
        seen: set[str] = set()
        done = driven.page.get_by_text("1 recording uploaded, on the way to text.")
        wait_for(driven, lambda: seen.add(_text(steps)) or done.count(), "the end")
        assert len([step for step in seen if step.endswith(" %")]) > 2, "nobody saw how it went"
        told = driven.page.evaluate("[...new Set(window.said)]")
        assert told == ["Uploading 1 recording. Stay on this page until it is done.", done.inner_text()]
        assert driven.page.evaluate("window.said.length") <= 3
        expect(driven.page.locator("#uploading a")).to_be_visible()
        driven.page.locator("#uploading").get_by_role("button", name="Dismiss").click()
        expect(driven.page.locator("#main")).to_be_focused()


def _text(shown: Locator) -> str:
    return shown.inner_text() if shown.count() else ""


def test_what_is_chosen_quickly_stays_chosen(server: RunningServer) -> None:
    """A slow answer to the choice before knows nothing of this one."""
    with browser(server, None) as driven:
        page = driven.page
        page.goto(server.url + "/upload/")
        page.locator("#options > summary").click()
        page.select_option("#o-provider", "assemblyai")
        page.locator("#options .more > summary").click()
        held: list[Route] = []
        page.route("**/upload/options/", lambda route: held.append(route), times=1)
        page.get_by_label("Mood of each sentence", exact=True).check()
        wait(lambda: driven.pump() and held, "the first choice is sent", lambda: "nothing")
        page.get_by_label("Chapters", exact=True).check()
        held[0].continue_()
        page.wait_for_load_state("networkidle")
        page.reload()
        for name in ("Mood of each sentence", "Chapters"):
            expect(page.get_by_label(name, exact=True)).to_be_checked()


def test_an_address_that_nothing_breaks_is_no_wider_than_a_phone(server: RunningServer) -> None:
    with browser(server, None, viewport={"width": 390, "height": 844}) as driven:
        driven.page.goto(server.url + "/streams/")
        hook = driven.page.get_by_text(re.compile("^http.*/hooks/"))
        hook.evaluate("(hook) => hook.textContent = location.origin + '/hooks/' + 'x'.repeat(43) + '/'")  # no hyphens
        assert driven.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
