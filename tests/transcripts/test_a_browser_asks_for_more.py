"""What is asked for beside a record, in a real Chromium: transcribing again, links to it, marks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.driving import Driven, browser
from tests.gateway_stand_in import StandIn
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

# A minute of noise, sealed, with the words of a tale; no second pass waits.


MAKE = """
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.models import Job
owner = User.objects.get(username="owner")
texts = ["It was the best of times,", "it was the worst of times,", "it was the age of wisdom,"] * 4
record = making.dictation(owner, *texts, title="The tale of <i>two</i> cities", finished=False)
making.spool(record, making.sound(60))
services.finish(record_id=record.pk)
jobs.run(job_id=Job.objects.get(record=record).pk, work=recordings.seal)
jobs.cancel(record_id=record.pk)
print(record.pk)
"""
CAPTIONS = r"""
from transcripts.files import importing
owner = User.objects.get(username="owner")
at = lambda seconds: f"00:{seconds // 60:02}:{seconds % 60:02},000"
srt = "\n".join(f"{n}\n{at(30 * n + 1)} --> {at(30 * n + 3)}\nLine {n}.\n" for n in range(60))
transcript = importing.read(name="a.srt", data=srt.encode())
print(importing.as_record(owner_id=owner.pk, name="a.srt", transcript=transcript).pk)
"""
WORK = """
from transcripts import jobs
from transcripts.hearing import transcription
from transcripts.models import Job
jobs.run(job_id=Job.objects.get(status="queued", kind="transcribe").pk, work=transcription.transcribe)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Beside a hosted gateway that hears two sentences in everything."""
    with StandIn() as gateway:
        env = {"MEMWEB_GATEWAY_URL": gateway.url, "MEMWEB_GATEWAY_KEY": gateway.key}
        with RunningServer(tmp_path_factory.mktemp("asking"), env=env) as running:
            yield running


@pytest.fixture
def record(server: RunningServer) -> str:
    return server.ask(MAKE)


@pytest.fixture
def driven(server: RunningServer) -> Iterator[Driven]:
    with browser(server, None, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as driven:
        yield driven


def open_record(driven: Driven, record: str) -> Page:
    driven.page.goto(f"{driven.server.url}/transcripts/{record}/")
    driven.page.wait_for_selector(".turn")
    return driven.page


def test_what_is_chosen_as_soon_as_it_is_shown_counts(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    page.evaluate("""() => {
      const sheet = document.getElementById('sheet');
      new MutationObserver((_, observer) => {
        const choice = sheet.open && sheet.querySelector('[name=provider]');
        if (!choice) return;
        observer.disconnect();
        choice.value = 'elevenlabs';
        choice.dispatchEvent(new Event('change', { bubbles: true }));
      }).observe(sheet, { attributes: true });
    }""")
    page.get_by_role("link", name="Transcribe again").click()
    expect(page.get_by_role("dialog").get_by_text("at $0.39 an hour")).to_be_visible()


def test_a_recording_is_transcribed_again_from_its_page(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    page.get_by_role("link", name="Transcribe again").click()
    dialog = page.get_by_role("dialog", name="Transcribe again")
    expect(dialog.get_by_role("heading", name="Transcribe again")).to_be_focused()
    dialog.get_by_label("Who listens").focus()
    dialog.get_by_label("Who listens").select_option("elevenlabs")
    expect(dialog.get_by_text("at $0.39 an hour")).to_be_visible()
    expect(dialog.get_by_label("Who listens")).to_be_focused()
    dialog.get_by_label("Who listens").select_option("whisper-1")
    expect(dialog.get_by_text("at $0.39 an hour")).to_have_count(0)
    dialog.get_by_role("button", name="Transcribe again").click()
    expect(page.locator("#standing")).to_contain_text("Queued")
    driven.server.ask(WORK)
    page.get_by_role("link", name="Show transcribed again").wait_for()
    page.get_by_role("link", name="Compare the two").click()
    expect(page.get_by_role("heading", name="Transcribed again")).to_be_visible()
    expect(page.get_by_role("heading", name="Live text")).to_be_visible()


def make_a_link(page: Page, *, sound: bool) -> str:
    """In the open dialog; the link's address."""
    dialog = page.get_by_role("dialog", name="Share")
    expect(dialog.get_by_role("heading", name="Share")).to_be_visible()
    dialog.get_by_label("With the recording").set_checked(sound)
    dialog.get_by_label("Works").select_option("For a week")
    dialog.get_by_role("button", name="Make a link").click()
    expect(dialog.get_by_text("The link works now.")).to_be_visible()
    return dialog.get_by_label("Link made").first.input_value()


def test_a_link_is_made_copied_followed_by_a_stranger_and_stopped(driven: Driven, record: str) -> None:
    driven.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_record(driven, record)
    page.get_by_role("link", name="Share").click()
    address = make_a_link(page, sound=True)
    dialog = page.get_by_role("dialog", name="Share")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == address
    assert driven.context.browser is not None
    stranger = driven.context.browser.new_context().new_page()
    told: list[str] = []
    stranger.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
    stranger.goto(address)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("The tale of <i>two</i> cities")
    expect(stranger.locator("main")).to_contain_text("it was the worst of times,")
    stranger.get_by_role("button", name="Play from 0:00").click()
    stranger.wait_for_function("() => document.querySelector('audio').currentTime > 0.3")
    expect(stranger.get_by_role("button", name="Pause")).to_be_visible()
    assert stranger.context.cookies() == []
    assert told == []
    dialog.get_by_role("button", name="Stop the link").click()
    expect(dialog.get_by_text("That link does not work any more.")).to_be_visible()
    expect(dialog.get_by_role("heading", name="Share")).to_be_focused()
    stranger.goto(address)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("This link does not work any more.")
    stranger.context.close()


FLAGS = "() => [...document.querySelectorAll('.scrub .flag')].map((flag) => Math.round(parseFloat(flag.style.left)))"


def test_moments_are_marked_by_keys_named_and_sought_out_again(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('audio').currentTime === 5")
    page.keyboard.press("m")
    marks = page.get_by_role("region", name="Marks")
    expect(marks.get_by_role("link", name="Marked 0:05")).to_be_visible()
    expect(page.locator("#marks").get_by_role("status")).to_have_text("Mark at 0:05.")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('audio').currentTime === 10")
    page.keyboard.press("Shift+M")
    title = page.get_by_role("textbox", name="Note at 0:10")
    expect(title).to_be_focused()
    page.keyboard.type("The <b>worst</b> of times, m")
    page.keyboard.press("Enter")
    chapters = page.get_by_role("region", name="Chapters")
    expect(chapters.get_by_role("link", name="The <b>worst</b> of times, m 0:10")).to_be_visible()
    expect(chapters.locator("[aria-current]")).to_have_count(1)
    assert page.evaluate(FLAGS) == [17, 8], "the chapter and the mark stand on the time line"
    marks.get_by_role("link", name="Marked 0:05").click()
    page.wait_for_function("() => document.querySelector('audio').currentTime === 5")
    expect(chapters.locator("[aria-current]")).to_have_count(0)
    marks.locator("summary").click()
    marks.get_by_role("textbox", name="Note at 0:05").fill("Ask her about this")
    marks.get_by_role("button", name="Save").click()
    expect(marks.get_by_role("link", name="Ask her about this 0:05")).to_be_visible()
    marks.locator("summary").click()
    marks.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The mark at 0:05 is removed.").last).to_be_visible()
    expect(page.locator(".mk")).to_have_count(1)
    page.get_by_role("region", name="Notices").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Ask her about this 0:05")).to_be_visible()
    page.wait_for_function("() => document.querySelector('audio').currentTime === 5")  # where one was is kept


def test_the_focus_stays_where_marks_are_set(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    marks = page.get_by_role("region", name="Marks")
    button = marks.get_by_role("button", name="Mark", exact=True)
    button.press("Enter")
    expect(page.locator("#marks").get_by_role("status")).to_contain_text("Mark at")
    expect(button).to_be_focused()
    marks.get_by_role("button", name="Chapter", exact=True).press("Enter")
    expect(page.get_by_role("region", name="Chapters").get_by_role("textbox").first).to_be_focused()


def test_the_focus_goes_on_from_a_mark_that_is_saved_or_removed(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    for seconds in (5, 10):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"() => document.querySelector('audio').currentTime === {seconds}")
        page.keyboard.press("m")
        expect(page.locator(".mk")).to_have_count(seconds // 5)
    marks = page.get_by_role("region", name="Marks")
    marks.locator("summary").first.press("Enter")
    note = marks.get_by_role("textbox", name="Note at 0:05")
    note.fill("Ask her about this")
    note.press("Enter")
    link = marks.get_by_role("link", name="Ask her about this 0:05")
    expect(link).to_be_visible()
    expect(marks.locator("summary").first).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="A chapter begins here").first.press("Space")
    marks.get_by_role("button", name="Save").first.press("Enter")
    chapters = page.get_by_role("region", name="Chapters")
    expect(chapters.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    chapters.get_by_role("button", name="Remove").press("Enter")
    expect(marks.get_by_role("link", name="Marked 0:10")).to_be_focused()
    page.keyboard.press("m")
    expect(page.locator("#marks").get_by_role("status")).to_have_text("Mark at 0:10.")
    expect(marks.get_by_role("link", name="Marked 0:10")).to_be_focused()
    marks.locator("summary").press("Enter")
    marks.get_by_role("button", name="Remove").press("Enter")
    expect(marks.get_by_role("button", name="Mark", exact=True)).to_be_focused()


def test_without_sound_what_is_marked_is_what_is_read(driven: Driven, server: RunningServer) -> None:
    captions = server.ask(CAPTIONS)
    page = open_record(driven, captions)
    page.keyboard.press("m")
    marks = page.get_by_role("region", name="Marks")
    expect(marks.get_by_role("link", name="Marked 0:01")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator(".turn").nth(3)).to_be_focused()
    page.keyboard.press("Shift+M")
    expect(page.get_by_role("textbox", name="Note at 1:31")).to_be_focused()
    page.keyboard.type("The harbour")
    page.keyboard.press("Enter")
    chapter = page.get_by_role("region", name="Chapters").get_by_role("link", name="The harbour 1:31")
    expect(chapter).to_be_visible()
    page.reload()  # nothing is chosen: what is in sight counts
    page.mouse.move(400, 400)
    page.mouse.wheel(0, 10**6)
    expect(page.locator(".turn").first).not_to_be_in_viewport()
    marks.get_by_role("button", name="Mark", exact=True).dispatch_event("click")
    expect(marks.get_by_role("link", name="Marked")).to_have_count(2)
    assert marks.get_by_role("link", name="Marked").last.inner_text() != "Marked\n0:01"
    chapter.click()
    expect(page.locator(".s.found")).to_have_text("Line 3.")
    expect(page.locator(".s.found")).to_be_in_viewport()


def test_marks_set_while_the_server_is_slow_are_all_kept(driven: Driven, record: str) -> None:
    page = open_record(driven, record)
    held: list[Route] = []
    is_slow = True
    page.route("**/marks/*", lambda route: held.append(route) if is_slow else route.continue_())
    page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    for seconds in (5, 10, 15):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"() => document.querySelector('audio').currentTime === {seconds}")
        page.keyboard.press("m")
    is_slow = False
    for route in held:
        route.continue_()
    for moment in ("0:05", "0:10", "0:15"):
        expect(page.get_by_role("region", name="Marks").get_by_role("link", name=moment)).to_be_visible()


def test_the_form_of_a_mark_leaves_its_title_room(server: RunningServer, record: str) -> None:
    with browser(server, None, viewport={"width": 390, "height": 844}) as driven:
        page = open_record(driven, record)
        page.evaluate("() => document.querySelector('mem-player').seek(20)")
        page.keyboard.press("Shift+M")
        page.get_by_role("textbox", name="Note at 0:20").fill("The harbour office")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="The harbour office 0:20").wait_for()
        page.locator(".noting summary").first.click()
        title = page.get_by_role("link", name="The harbour office 0:20").bounding_box()
        assert title is not None
        assert title["width"] > 100, "the form opens below it and takes none of its room"
