"""Callbacks and panels in a real Chromium: the panels come by themselves, times lead into the text, axe is content."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.driving import Driven, browser, wait
from tests.running import RunningServer
from tests.transcripts.test_a_browser_reads_and_plays import NOW

pytestmark = [pytest.mark.browser, pytest.mark.process]

PREPARE = """
from tests.transcripts import making, posting
from tests.transcripts.test_callbacks_are_shown import ANALYSED, analysed
from transcripts import jobs, recordings, services, streams
from transcripts.callbacks import applying
from transcripts.models import Job
owner = User.objects.get(username="owner")
streams.begin(owner_id=owner.pk, title="Council radio, evening", provider="assemblyai", task_id="ec24" * 8)
many = [posting.turn("ec24" * 8, n, "Words.") for n in range(3)]
posting.store(owner, *many, posting.turn("b7f0" * 8, 0, "Early."), b"no json at all", ids=True)
applying.apply_waiting()
posting.store(owner, posting.turn("ec24" * 8, 9, "Not yet."))
record = analysed(owner, {**ANALYSED, "chapters": [
    {"gist": "Greeting", "headline": "Two people greet each other.", "summary": "At length.",
     "start": 1500, "end": 1900},
]})
services.rename(record_id=record.pk, title="A greeting", user_id=owner.pk)
making.spool(record, making.sound(3))
services.finish(record_id=record.pk)
jobs.run(job_id=Job.objects.get(record=record, kind="seal").pk, work=recordings.seal)
print(record.pk)
"""
ON_THE_AIR = """
from tests.transcripts import posting
from transcripts import services, streams
from transcripts.callbacks import applying
owner = User.objects.get(username="owner")
record = streams.begin(owner_id=owner.pk, title="Radio with gaps", provider="assemblyai", task_id={task!r})
posting.store(owner, posting.turn({task!r}, 0, "Good evening."), ids=True)
applying.apply_waiting()
services.add_mark(record_id=record.pk, at_ms=50, note="Here")
print(record.pk)
"""
IS_AWAY = """
from transcripts import services
services.add_mark(record_id={record!r}, at_ms={at_ms}, note="{at_ms} seconds missing", is_gap=True)
"""
FORGOTTEN = """
from transcripts.models import Callback, Record
Callback.objects.filter(task_id={task!r}).delete()
Record.objects.filter(pk={record!r}).delete()
"""
MARKED = """() => [...document.querySelectorAll('[aria-invalid]')].map((one) =>
  getComputedStyle(one).borderColor !== getComputedStyle(document.getElementById('title')).borderColor)"""
GAP = """() => [...document.querySelectorAll('[aria-invalid]')].map((one) =>
  Math.round(document.getElementById(one.getAttribute('aria-describedby')).getBoundingClientRect().top
    - one.getBoundingClientRect().bottom))"""
WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, str]]:
    """A server with callbacks of every state and a record with panels; the record's id."""
    with RunningServer(tmp_path_factory.mktemp("gateways-say")) as server:
        yield server, server.ask(PREPARE).splitlines()[-1]


@pytest.fixture(scope="module", params=["light-1280", "dark-390"])
def driven(prepared: tuple[RunningServer, str], request: pytest.FixtureRequest) -> Iterator[Driven]:
    scheme, _, width = request.param.partition("-")
    size = {"width": int(width), "height": 800}
    with browser(prepared[0], None, viewport=size, reduced_motion="reduce", color_scheme=scheme) as driven:
        yield driven
        assert driven.errors == []


def opened(driven: Driven, path: str) -> Page:
    driven.page.goto(driven.server.url + path)
    return driven.page


def shoot(driven: Driven, name: str) -> None:
    if axe.SHOTS:
        how = driven.page.evaluate("() => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
        driven.page.screenshot(path=f"{axe.SHOTS}/{name}-{'dark' if how[1] else 'light'}-{how[0]}.png", full_page=True)


def assert_sound(driven: Driven, name: str) -> None:
    shoot(driven, name)
    axe.load(driven.page)
    assert axe.violations(driven.page) == []
    assert not driven.page.evaluate(WIDE)


def test_a_gap_comes_among_the_marks_by_itself_and_takes_no_words_from_who_edits_one(driven: Driven) -> None:
    task = uuid.uuid4().hex
    record = driven.server.ask(ON_THE_AIR.format(task=task)).splitlines()[-1]
    page = opened(driven, f"/transcripts/{record}/")
    marks = page.locator("#marks")
    link = marks.get_by_role("link", name="Here")
    link.focus()
    driven.server.ask(IS_AWAY.format(record=record, at_ms=90))
    marks.get_by_text("90 seconds missing").wait_for()
    assert link.evaluate("(link) => link === document.activeElement")
    marks.get_by_label("Edit Here at 0:00").click()
    note = marks.get_by_label("Note at 0:00").first
    note.fill("Here and")
    driven.server.ask(IS_AWAY.format(record=record, at_ms=95))
    for _ in range(2):
        with page.expect_response("**/state/**"):
            pass
    page.keyboard.type(" there")
    assert note.input_value() == "Here and there"
    assert marks.get_by_text("95 seconds missing").count() == 0
    marks.get_by_label("Edit Here at 0:00").click()
    marks.get_by_text("95 seconds missing").wait_for()
    opened(driven, "/settings/")
    driven.server.ask(FORGOTTEN.format(task=task, record=record))  # the other tests count what there is


def test_every_callback_and_what_came_of_it_can_be_read(driven: Driven) -> None:
    page = opened(driven, "/settings/callbacks/")
    assert page.locator(".seq > li").count() == 6
    assert_sound(driven, "callbacks")
    page.get_by_role("link", name="Not understood").click()
    page.wait_for_url("**state=unreadable**")
    assert page.locator(".seq > li").count() == 1
    page.get_by_role("link", name="As it came").click()
    page.get_by_role("heading", name="Callback of").wait_for()
    assert_sound(driven, "callback")
    page.get_by_role("link", name="Back to all").click()
    page.get_by_role("link", name="New address").click()
    assert_sound(driven, "callbacks-address")
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="No task yet").click()
    page.wait_for_url("**state=unclaimed**")
    page.get_by_role("button", name="Apply again").click()
    page.get_by_text("is being applied again").wait_for()
    assert "state=unclaimed" in page.url
    page.get_by_text("None of this kind").wait_for()
    driven.server.ask("from transcripts.callbacks import applying\nprint(applying.apply_waiting())")
    page.get_by_role("button", name="Apply again").wait_for()


def test_panels_come_by_themselves_and_lead_into_the_text(driven: Driven, prepared: tuple[RunningServer, str]) -> None:
    page = opened(driven, f"/transcripts/{prepared[1]}/")
    chapters = page.locator("details.panel", has_text="Chapters")
    chapters.wait_for()
    for _ in range(2):  # the second time the address has it already
        chapters.get_by_role("link", name="Go to 0:01").click()
        wait(lambda: abs(page.evaluate(NOW) - 1.5) < 0.2, "the moment", lambda: str(page.evaluate(NOW)))
        page.get_by_role("slider", name="Position").press("Home")
        wait(lambda: page.evaluate(NOW) == 0, "the beginning")
    page.locator("details.panel summary", has_text="Names, places and things").click()
    page.get_by_text("<script>alert(1)</script>").wait_for()
    assert_sound(driven, "panels")
    opened(driven, f"/transcripts/{prepared[1]}/panels/")
    assert_sound(driven, "panels-alone")
    page.locator(".came a").first.click()
    page.get_by_role("link", name="Indented").click()
    page.locator("pre", has_text='  "').wait_for()
    assert_sound(driven, "result")
    page.get_by_role("link", name="Back to A greeting").click()
    chapters.wait_for()


def test_streams_are_listed_and_a_bad_address_is_told(driven: Driven) -> None:
    page = opened(driven, "/streams/")
    page.get_by_text("Council radio, evening").wait_for()
    assert_sound(driven, "streams")
    page.get_by_label("Address").fill("ftp://radio.example/evening")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("alert").first.wait_for()
    assert page.get_by_label("Address").input_value() == "ftp://radio.example/evening"
    assert_sound(driven, "streams-refused")
    for label, wrong in (("Address", "ftp://radio.example/evening"), ("Stop after", "0")):
        page.get_by_label("Address").fill("rtsp://radio.example/evening")
        page.get_by_label(label).fill(wrong)
        with page.expect_navigation():
            page.get_by_role("button", name="Start").click()
        assert page.evaluate(MARKED) == [True], f"the field of {label} looks as if it were right"
        assert page.evaluate(GAP) == [6]
