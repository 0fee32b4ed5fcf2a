"""Every state of files, streams, callbacks and notices, light and dark, on a desk and on a phone: it is said on the
page, axe finds nothing wrong with it, and nothing is wider than the window.

No worker runs: rows stand as `standing` made them. What only the page itself knows is brought about by driving it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Route, expect

from tests import media_files
from tests.browser import axe
from tests.browser.driving import EXPECT_MS, Driven, browser, wait
from tests.browser.standing import LONG_NAME, Ids
from tests.browser.test_uploading import drop
from tests.gateway_stand_in import Fault, StandIn
from tests.running import RunningServer
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.process]

LOOKS: tuple[tuple[Literal["light", "dark"], int, int], ...] = (
    ("light", 1280, 940), ("light", 390, 844), ("dark", 390, 844), ("dark", 1280, 940),
)  # fmt: skip
"""In this order each differs from the one before in one thing."""
Says = str | tuple[str, str]
"""Words that must be seen; with two, the second in the list's item that has the first."""
MAKE = """
import json
from tests.browser import standing
print(json.dumps(standing.everything({url!r}, {key!r})))
"""
MORE = {
    "Summary": "Manner of the summary", "Look for topics of your own": "Those topics",
    "Take out personal details": "Which details",
}  # fmt: skip
"""What is asked once a box is ticked."""
MOST_MB = 2
"""A file may be so large here: a test can have one that is larger."""


@pytest.fixture(scope="module")
def hosted() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        stand_in.streams["stop-me"] = {}
        yield stand_in


@pytest.fixture(scope="module")
def server(hosted: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    env = {"MEMWEB_MAX_UPLOAD_MB": str(MOST_MB), "MEMWEB_UPLOAD_PIECE_KB": "32"}
    with RunningServer(tmp_path_factory.mktemp("standing"), env=env) as running:
        yield running


@pytest.fixture(scope="module")
def ids(hosted: StandIn, server: RunningServer) -> dict[str, Ids]:
    """By person, the ids of what was made for them."""
    found: dict[str, Ids] = json.loads(server.ask(MAKE.format(url=hosted.url, key=hosted.key)))
    return found


@pytest.fixture(scope="module")
def driven(ids: dict[str, Ids], server: RunningServer) -> Iterator[Driven]:
    with browser(server, None, reduced_motion="reduce") as driven:
        yield driven


def open_as(driven: Driven, who: str, path: str) -> Page:
    """The page at this address, as this person sees it."""
    # Playwright does not export the type of a cookie that is set.
    cookies: list[Any] = [
        {"name": name, "value": value, "url": driven.server.url} for name, value in _session(driven, who).items()
    ]
    driven.context.add_cookies(cookies)
    driven.page.goto(driven.server.url + path)
    driven.page.wait_for_function("!!customElements.get('mem-upload')")
    return driven.page


_sessions: dict[tuple[str, str], dict[str, str]] = {}


def _session(driven: Driven, who: str) -> dict[str, str]:
    """One for each person is enough."""
    key = (driven.server.url, who)
    if key not in _sessions:
        _sessions[key] = driven.server.sign_in(who)
    return _sessions[key]


def look(page: Page, name: str, *says: Says, whole: bool = True) -> None:
    """See to it that the page says this, and is in order, in every scheme and width. `whole`: photograph all of it."""
    axe.load(page)
    for scheme, width, height in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        for words in says:
            expect(seen(page, words), f"{name}: {words}").to_be_visible()
        axe.check(page, name, scheme, full_page=whole)


def seen(page: Page, words: Says) -> Locator:
    """Where the page says this."""
    if isinstance(words, str):
        return page.get_by_text(words).filter(visible=True).first
    item, told = words
    return page.get_by_role("listitem").filter(has_text=item).get_by_text(told).filter(visible=True).first


# --- the upload page ----------------------------------------------------------------------------------------


def test_nothing_is_uploaded_yet(driven: Driven) -> None:
    page = open_as(driven, "newcomer", "/upload/")
    look(page, "upload-empty", "Nothing is waiting.", "Transcribe the sample")
    page.locator("#options > summary").click()
    look(page, "upload-options", "The recording does not leave this machine.")


def test_what_can_be_asked_of_each_provider(driven: Driven) -> None:
    page = open_as(driven, "hosted", "/upload/")
    page.locator("#options > summary").click()
    look(page, "upload-options-whisper", "Whisper finds it by itself")
    for provider, says in (("elevenlabs", "Mark sounds"), ("assemblyai", "Mood of each sentence")):
        page.select_option("#o-provider", provider)
        page.get_by_text(says).wait_for(state="attached")  # else a box of the provider before is opened
        page.locator("#options .more > summary").click()
        if provider == "assemblyai":  # these have more to ask
            for box, asks in MORE.items():
                page.get_by_label(box, exact=True).check()
                page.get_by_label(asks).wait_for()
        look(page, f"upload-options-{provider}", says, "The recording is sent to the provider")


def test_files_that_the_server_knows(driven: Driven) -> None:
    look(
        open_as(driven, "lister", "/upload/"), "upload-listed",
        ("minutes-october.pages", "Not a recording"), ("minutes-october.pages", "This is no recording."),
        ("subtitles.srt", "Not a transcript"), ("memweb-archive.zip", "Brought in"),
        ("second half.wav", "Already here"), ("second half.wav", "Transcribe anyway"), ("Gone since", "Removed"),
        ("Voice memo 0113", "Failed while transcribing"), ("Voice memo 0113", "balance is used up"),
        ("Voice memo 0113", "Retry"), ("Voice memo 0114", "Stopped at 18 %"), ("Tuesday stand-up", "Ready"),
        ("Choir practice", "Speakers are not told apart"), ("Choir practice", "Retry"),
        ("Choir concert", "Telling speakers apart 60 %"), ("second day", "Transcribing 41 %"),
        ("second day", "min left"), ("third day", "Queued, "), ("fourth day", "will call back"),
        ("fifth day", "Reading the file 30 %"), ("sixth day", "Queued"), ("mill-lane", "48 % uploaded"),
        ("mill-lane", "Drop the same file again"), ("weir", "Not begun"), "Altogether about $",
    )  # fmt: skip


def test_what_is_finished_is_cleared_away(driven: Driven) -> None:
    page = open_as(driven, "tidy", "/upload/")
    look(page, "upload-clear", "Tuesday stand-up", "Brought in", "Clear finished")
    page.get_by_role("button", name="Clear finished").click()
    expect(page.get_by_text("Tuesday stand-up")).to_have_count(0)
    look(page, "upload-cleared", "Voice memo 0113")


def test_files_on_their_way(driven: Driven, tmp_path: Path) -> None:
    """Three go up at once; of the others one waits, and one is larger than may be."""
    names = ("harbour.wav", "weir.wav", "mill-lane.wav", "waiting.wav", "behind.wav")
    files = [media_files.make(tmp_path / name, media_files.tone(9 + n / 9)) for n, name in enumerate(names)]
    large = tmp_path / f"{LONG_NAME}.wav"
    large.write_bytes(bytes(MOST_MB * 10**6 + 1))
    page = open_as(driven, "sender", "/upload/")
    line(driven, 24_000)
    page.set_input_files("#files", [*files[:3], large, *files[3:]])
    row = page.locator("#queue > li")
    wait(lambda: driven.pump() and "left" in row.filter(has_text="mill-lane").inner_text(), "how long it takes")
    look(page, "upload-going", ("harbour", "Uploading"), ("harbour", "a second, "), ("harbour", "left"),
         ("waiting.wav", "Waiting for its turn"), "0 of 6 uploaded", "Pause all")  # fmt: skip
    page.get_by_role("button", name="Pause weir.wav").click()
    expect(row.filter(has_text=LONG_NAME)).to_contain_text("Not uploaded", timeout=PATIENCE * 1000)
    line(driven, None)
    expect(row.filter(has_text="harbour")).to_contain_text("Connection lost")
    look(page, "upload-lost", ("weir", "Paused at"), ("weir", "paused by you"), ("harbour", "Connection lost at"),
         ("harbour", "continues by itself"), (LONG_NAME, "Not uploaded"), (LONG_NAME, "larger than 2 MB"))  # fmt: skip
    line(driven, 24_000)
    page.get_by_role("button", name="Resume weir.wav").click()
    look(page, "upload-resumed", ("weir", "Uploading"), ("harbour", "Uploading"), ("mill-lane", "Uploading"))
    page.get_by_role("button", name="Pause all").click()
    look(page, "upload-paused", ("harbour", "Paused at"), ("waiting", "Paused at"), "Resume all")
    line(driven, -1)
    page.get_by_role("button", name="Resume all").click()
    wait(lambda: driven.pump() and row.filter(has_text="Queued").count() == 5, "all of them")
    look(page, "upload-queued", ("weir", "Queued"), "5 of 6 uploaded, 1 not taken")


def line(driven: Driven, bytes_a_second: int | None) -> None:
    """How fast the line is: -1 as fast as it can, None not at all."""
    if driven.page not in _lines:
        _lines[driven.page] = driven.context.new_cdp_session(driven.page)
        _lines[driven.page].send("Network.enable")
    limits = {"offline": bytes_a_second is None, "latency": 0, "downloadThroughput": -1,
              "uploadThroughput": bytes_a_second or -1}  # fmt: skip
    _lines[driven.page].send("Network.emulateNetworkConditions", limits)


_lines: dict[Page, CDPSession] = {}


@pytest.mark.parametrize(
    ("status", "told", "says"),
    [
        (507, "There is not enough room on this server's disk for this file. Free some space, then try again.", "room"),
        (401, "", "You are signed out."),
    ],
)
def test_files_that_are_not_taken(driven: Driven, tmp_path: Path, status: int, told: str, says: str) -> None:
    tape = media_files.make(tmp_path / "not taken.wav", media_files.tone(1))
    page = open_as(driven, "newcomer", "/upload/")
    headers = {"Tus-Resumable": "1.0.0"}
    with on_the_way(page, lambda route: route.fulfill(status=status, body=told, headers=headers)):
        drop(driven, tape)
        look(page, f"upload-refused-{status}", ("not taken", "Not uploaded"), ("not taken", says))


@contextlib.contextmanager
def on_the_way(page: Page, does: Callable[[Route], object], address: str = "/uploads/") -> Iterator[None]:
    """While this is done with what the page asks of this address."""
    page.route(re.compile(address), does)
    try:
        yield
    finally:
        page.unroute_all(behavior="ignoreErrors")


# --- streams ------------------------------------------------------------------------------------------------


def test_no_stream_is_on_the_air(driven: Driven) -> None:
    look(open_as(driven, "newcomer", "/streams/"), "streams-empty", "None just now.", "This machine pulls it")
    look(open_as(driven, "hosted", "/streams/"), "streams-empty-hosted", "None just now.", "set the webhook to")


def start(page: Page, address: str, minutes: str = "") -> None:
    page.get_by_label("Address").fill(address)
    page.get_by_label("Stop after").fill(minutes)
    with page.expect_navigation():
        page.get_by_role("button", name="Start").click()


def test_streams_that_cannot_begin(driven: Driven, hosted: StandIn) -> None:
    page = open_as(driven, "newcomer", "/streams/")
    start(page, "ftp://radio.example/evening", "0")
    look(page, "streams-bad", "Paste a whole address", "From 1 to 1440 minutes.")
    start(page, "rtsp://127.0.0.1/stage")
    look(page, "streams-private", "MEMWEB_ALLOW_PRIVATE_URLS")
    page = open_as(driven, "hosted", "/streams/")
    hosted.faults.append(Fault("/audio-stream/start", 402, "Insufficient balance"))
    start(page, "rtsp://radio.example/evening")
    look(page, "streams-no-balance", "balance")


def test_streams_on_the_air_and_ended(driven: Driven, ids: dict[str, Ids]) -> None:
    page = open_as(driven, "listener", "/streams/")
    look(
        page, "streams-air",
        ("radio, a new one", "Connecting"), ("radio, a new one", "No words yet."), ("radio, evening", "Live"),
        ("radio, evening", "and then somebody"), ("radio, evening", "stops"), ("radio, evening", "Stop"),
        ("after a gap", "13 seconds missing, the source went away"), ("from the harbour", "Nothing heard for"),
        ("from the harbour", "If its source is away"), ("at its end", "Stopping, the last words follow"),
        ("The morning broadcast", "The source ended this stream."), ("Stopped by hand", "Stopped"),
        ("The harbour radio", "Ended"), ("The harbour radio", "the connection was reset"),
        ("No such camera", "Did not start"), ("The evening broadcast", "no balance left"),
        ("The night broadcast", "no place left"), ("A silent camera", "Stopped"), ("No such camera", "Start again"),
    )  # fmt: skip
    page.get_by_role("link", name="Start again: The night broadcast").click()
    page.wait_for_url("**/again/")
    look(page, "streams-again", "The address is as it was shown")
    expect(page.get_by_label("Stop after")).to_have_value("45")


# --- records ------------------------------------------------------------------------------------------------

STREAMS: dict[str, tuple[str, ...]] = {
    "connecting": ("Connecting", "No words yet."),
    "live": ("Live, stops", "and then somebody"),
    "gap": ("Live", "13 seconds missing, the source went away"),
    "away": ("Nothing heard for", "If its source is away"),
    "stopping": ("Stopping, the last words follow",),
    "by-source": ("The source ended this stream. What was said is kept.",),
    "by-person": ("Stopped by hand", "The footbridge"),
    "silent": ("Nothing was heard.",),
    "broke-off": ("The stream broke off. The gateway says: the connection was reset.", "Start again"),
    "not-begun": ("Did not start", "nothing answers at this address", "Start again"),
    "no-balance": ("no balance left", "Start again"),
}
FILES: dict[str, tuple[str, ...]] = {
    "queued": ("Queued", "No words yet."),
    "reading": ("Reading the file 40 %",),
    "handing-over": ("Handing over",),
    "running": ("Transcribing 40 %", "min left", "Stop"),
    "behind": ("Queued, ",),
    "awaiting": ("The gateway works on it and will call back.",),
    "again-by-itself": ("The gateway is at capacity. It is tried again by itself.",),
    "speakers-run": ("Telling speakers apart 60 %", "The footbridge"),
    "speakers-failed": ("Speakers are not told apart. The gateway is at capacity.", "Retry"),
    "failed": ("Failed while transcribing", "balance is used up", "Retry"),
    "stopped": ("Stopped at 18 %", "Retry"),
    "nothing-heard": ("Nothing was heard.",),
    "again-failed": ("Not transcribed again.", "Retry"),
    "again-running": ("Transcribing 12 %", "The footbridge"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_record_of_a_stream(driven: Driven, ids: dict[str, Ids], name: str) -> None:
    page = open_as(driven, "listener", f"/transcripts/{ids['listener'][name]}/")
    look(page, f"stream-{name}", *STREAMS[name])


@pytest.mark.parametrize("name", FILES)
def test_a_record_of_a_file(driven: Driven, ids: dict[str, Ids], name: str) -> None:
    page = open_as(driven, "keeper", f"/transcripts/{ids['keeper'][name]}/")
    look(page, f"file-{name}", *FILES[name])


def test_what_a_provider_says_besides_the_text(driven: Driven, ids: dict[str, Ids]) -> None:
    page = open_as(driven, "keeper", f"/transcripts/{ids['keeper']['panels']}/")
    page.locator("details.panel").first.wait_for()
    for panel in page.locator("details.panel:not([open]) > summary").all()[::-1]:
        panel.click()
    look(page, "file-panels", "Summary", "There is a path, which the school does not like.", "Key phrases",
         "first week", "2 times", "Said by A", "Names, places and things", "Mill Lane", "Mood of each sentence",
         "negative", "Topics", "Sensitive content", "What else was told", "As it came:")  # fmt: skip


# --- callbacks ----------------------------------------------------------------------------------------------


def test_callbacks_in_every_state(driven: Driven) -> None:
    look(open_as(driven, "newcomer", "/settings/callbacks/"), "callbacks-none", "Nothing has come yet.")
    page = open_as(driven, "called", "/settings/callbacks/")
    look(
        page, "callbacks-many", "Refused: 3, the last", "MEMWEB_WEBHOOK_SECRETS",
        ("came 2 times", "Applied"), (", signed", "Applied"), ("13 seconds are missing", "Applied"),
        ("b7f0b7f0", "No task yet"), ("The early one", "Waits for its job"), ("The unuse one", "Not used"),
        ("not a JSON object", "Not understood"), ("not a JSON object", "Apply again"),
        ("300 kB long", "Not understood"),
        ("The stream broke off: the source is gone", "Applied"), ("No task known", "Stored"),
    )  # fmt: skip
    page.get_by_role("link", name="Not used").click()
    page.wait_for_url("**state=unused**")
    look(page, "callbacks-filtered", "The unuse one")


@pytest.mark.parametrize(
    ("name", "query", "says"),
    [
        ("applied-0", "", ("Checked, and right", "content-type", "Body, as it came", "Indented")),
        ("applied-0", "?indented", ("Body, indented", "As it came")),
        ("malformed", "", ("Not understood", "no json at all", "Apply again", "No task known")),
        ("long", "", ("The first 200 kB of 300 kB", "Apply again")),
        ("failed", "", ("The stream broke off: the source is gone",)),
        ("unclaimed", "", ("No task yet", "Apply again")),
    ],
)
def test_one_callback(driven: Driven, ids: dict[str, Ids], name: str, query: str, says: tuple[str, ...]) -> None:
    page = open_as(driven, "called", f"/settings/callbacks/{ids['called'][name]}/{query}")
    look(page, f"callback-{name}{query.replace('?', '-')}", *says, whole=name != "long")


# --- notices ------------------------------------------------------------------------------------------------


def test_notices_over_the_pages_of_files_and_streams(driven: Driven, tmp_path: Path) -> None:
    """One that a page posts without scripts, long; one of a request that gets no answer; a success."""
    page = open_as(driven, "lister", "/upload/")
    large = tmp_path / f"{LONG_NAME}.wav"
    large.write_bytes(bytes(MOST_MB * 10**6 + 1))
    page.set_input_files("#files", [])
    token = page.locator("form.add input[name=csrfmiddlewaretoken]").input_value()
    answer = driven.context.request.post(
        f"{driven.server.url}/upload/", max_redirects=0, headers={"Referer": driven.server.url},
        multipart={"csrfmiddlewaretoken": token,
                   "files": {"name": large.name, "mimeType": "audio/wav", "buffer": large.read_bytes()}},
    )  # fmt: skip
    assert answer.status == 302
    page = open_as(driven, "lister", "/upload/")
    look(page, "notice-long-upload", f"{LONG_NAME}.wav: This file is larger than 2 MB", whole=False)
    with on_the_way(page, lambda route: route.abort(), "/dismissal/"):
        page.get_by_role("button", name="Remove subtitles.srt from this list").click()
        look(page, "notice-error-upload", "No answer: not saved. Try again.", LONG_NAME, whole=False)
    page = open_as(driven, "stopper", "/streams/")
    page.get_by_role("button", name="Stop Council radio, hosted").click()
    look(page, "notice-success-streams", "Stopping. The last words follow in a moment.", whole=False)


def test_notices_over_the_docks(driven: Driven, tmp_path: Path) -> None:
    """Over what is chosen in the library, and over the dictation's button."""
    tape = media_files.make(tmp_path / "tape.wav", media_files.tone(1))
    page = open_as(driven, "tidy", "/transcripts/")
    page.get_by_label("Select Tuesday stand-up").check()
    page.locator(".bulk summary").filter(has_text="Tag").click()
    page.locator("#bulk-tag").fill("council")
    page.get_by_role("button", name="Add", exact=True).filter(visible=True).click()
    page.get_by_label("Select Tuesday stand-up").check()
    look(page, "notice-success-dock", "council", "Archive", "Dismiss", whole=False)
    page = open_as(driven, "sender", "/")
    held: list[Route] = []
    with on_the_way(page, lambda route: held.append(route)):
        drop(driven, tape)
        look(
            page,
            "notice-uploading-dictation",
            "Uploading 1 recording. Stay on this page until it is done.",
            whole=False,
        )


def test_notices_over_the_player(driven: Driven, ids: dict[str, Ids], tmp_path: Path) -> None:
    page = open_as(driven, "keeper", f"/transcripts/{ids['keeper']['player']}/")
    captions = tmp_path / f"{LONG_NAME}.srt"
    captions.write_text("1\n00:00:01,000 --> 00:00:02,000\nThe footbridge at Mill Lane.\n")
    page.locator("#bring > summary").click()
    page.get_by_label("SRT, VTT, JSON or text file").set_input_files(captions)
    page.get_by_role("button", name="Add as a version").click()
    look(page, "notice-long-player", f"“{LONG_NAME}.srt” is brought in as a version", whole=False)
    page.get_by_role("button", name="Dismiss").click()
    page = open_as(driven, "keeper", f"/transcripts/{ids['keeper']['player']}/?version=1")
    with on_the_way(page, lambda route: route.abort(), "/speakers/"):
        page.get_by_label("Name of").first.fill("Ann")
        page.get_by_label("Name of").first.press("Enter")
        look(page, "notice-error-player", "No answer: not saved. Try again.", whole=False)


# --- dropping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "who", "path", "says"),
    [
        ("upload", "hosted", "/upload/", "at $"),
        ("library", "tidy", "/transcripts/", "Audio or video"),
        ("streams", "listener", "/streams/", "Audio or video"),
        ("record", "keeper", "", "Audio or video"),
    ],
)
def test_files_are_dragged_over_a_page(
    driven: Driven, ids: dict[str, Ids], tmp_path: Path, name: str, who: str, path: str, says: str
) -> None:
    tapes = [media_files.make(tmp_path / f"{n}.wav", media_files.tone(1)) for n in range(2)]
    page = open_as(driven, who, path or f"/transcripts/{ids['keeper']['player']}/")
    drop(driven, *tapes, kind="dragenter")
    look(page, f"drop-{name}", "Let go to add 2 recordings", says, whole=False)


# --- the check itself ---------------------------------------------------------------------------------------


def test_a_lost_label_a_wide_row_and_a_state_that_is_not_there_would_be_found(driven: Driven) -> None:
    page = open_as(driven, "newcomer", "/streams/")
    axe.load(page)
    assert axe.violations(page) == []
    page.evaluate("document.querySelector('label[for=address]').remove()")
    page.evaluate("document.getElementById('address').removeAttribute('placeholder')")
    assert any(found.startswith("label") for found in axe.violations(page))
    page = open_as(driven, "newcomer", "/streams/")
    page.evaluate("document.querySelector('h1').style.width = '3000px'")
    with pytest.raises(AssertionError, match="is wider than the window"):
        look(page, "wide")
    expect.set_options(timeout=200)
    try:
        with pytest.raises(AssertionError, match="Connecting"):
            look(page, "not there", "Connecting")
    finally:
        expect.set_options(timeout=EXPECT_MS)
