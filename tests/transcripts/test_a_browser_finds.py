"""The search and the library in a real Chromium: keys, moments, choosing many."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import Driven, browser, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

RECORD = r"/transcripts/[0-9a-f-]{36}"
SAY = """
from memweb.speech.transcript import Segment
from transcripts import services
from transcripts.models import Record
record = Record.objects.get(title__startswith='Notes for')
services.save_final(record_id=record.pk, segment=Segment('9-9', 90000, 91000, 'A zeppelin went by.', ()))
"""

TAG = """
from transcripts import shelving
from transcripts.models import Record
owner = User.objects.get(username='owner')
ids = list(Record.objects.in_list().filter(owner=owner, status='ready').values_list('pk', flat=True)[:31])
shelving.tag(owner_id=owner.pk, ids=ids, name='radio')
"""
OUT_OF_THE_ARCHIVE = """
from transcripts import shelving
from transcripts.models import Record
owner = User.objects.get(username='owner')
ids = list(Record.objects.filter(owner=owner, tags__name='radio').values_list('pk', flat=True))
shelving.archive(owner_id=owner.pk, ids=ids, archived=False)
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("finding")) as server:
        server.manage("seed", "--user", "owner", "--many", "40")
        yield server


@pytest.fixture(scope="module")
def driven(seeded: RunningServer) -> Iterator[Driven]:
    with browser(seeded, None, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as driven:
        yield driven
        assert driven.errors == []


@pytest.fixture
def page(driven: Driven) -> Page:
    driven.page.goto(f"{driven.server.url}/transcripts/")
    return driven.page


def test_a_slash_finds_as_one_types_and_a_moment_opens_at_its_time(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("ferr")
    expect(page.locator(".moments a").first).to_be_visible()
    assert "q=ferr" in page.url
    page.keyboard.type("y bor")
    expect(page.locator("#shelf .group [role=status]")).to_have_text("1 moment in 1 record, best first")
    assert page.locator(".moments mark").all_text_contents() == ["borrow", "ferry"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/transcripts/[^/?]+/\?at=\d+&q="))
    expect(page.locator(".s.found")).to_contain_text("They let us borrow it on Sundays")
    expect(page.locator(".s.found")).to_be_in_viewport()


def test_the_other_moments_of_a_record_are_one_key_away(page: Page) -> None:
    page.fill(".search input >> nth=0", "the ")
    page.locator(".moments a", has_text="They let us borrow").first.click()
    page.wait_for_selector(".s.found")
    first = page.locator(".s.found").get_attribute("id")
    before = page.evaluate("location.hash")
    page.keyboard.press("n")
    wait(lambda: page.locator(".s.found").get_attribute("id") != first, "the next moment")
    assert page.evaluate("location.hash") != before
    page.keyboard.press("Shift+N")
    wait(lambda: page.locator(".s.found").get_attribute("id") == first, "the former moment again")


def test_from_any_page_the_search_opens_by_key_and_closes_by_escape(page: Page, seeded: RunningServer) -> None:
    page.goto(f"{seeded.url}/settings/")
    page.keyboard.press("Control+k")
    page.keyboard.type("footbridge")
    expect(page.locator("#found a").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#find")).to_be_hidden()
    page.locator("h1").first.click()
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_visible()
    page.keyboard.type(" ferry")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(RECORD))


def test_what_was_just_said_is_found(page: Page, seeded: RunningServer) -> None:
    seeded.ask(SAY)
    page.locator(".search input").first.fill("zeppelin")
    expect(page.locator(".moments a")).to_have_count(1)
    expect(page.locator(".moments time")).to_have_text("1:30")


def chosen(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('.pick .check:checked').length"))


def test_many_are_chosen_by_keys_and_by_shift_and_the_deed_is_done(page: Page) -> None:
    expect(page.locator(".bulk")).to_be_hidden()
    page.locator("h1").first.click()
    page.keyboard.press("Control+a")
    assert chosen(page) == 30
    expect(page.locator("[data-chosen]")).to_have_text("30 selected")
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("[data-chosen]")).to_contain_text("also those further down")
    expect(page.get_by_role("button", name="Leave selection")).to_be_focused()
    page.keyboard.press("Enter")
    assert chosen(page) == 0
    expect(page.locator(".item h3 a").first).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.press("Escape")
    assert chosen(page) == 0
    expect(page.locator(".bulk")).to_be_hidden()
    boxes = page.locator(".pick .check")
    boxes.nth(10).click()
    boxes.nth(13).click(modifiers=["Shift"])
    expect(page.locator("[data-chosen]")).to_have_text("4 selected")
    page.get_by_role("button", name="Archive").click()
    expect(page.locator(".notice")).to_contain_text("4 records in the archive")


def test_select_all_after_a_search_means_what_the_search_found(page: Page, seeded: RunningServer) -> None:
    seeded.ask(TAG)
    page.keyboard.press("/")
    page.keyboard.type("tag:radio ")
    page.wait_for_url(re.compile("radio"))
    page.locator("h1").first.click()
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.locator(".notice")).to_contain_text("31 records in the archive")
    assert "radio" in page.url
    seeded.ask(OUT_OF_THE_ARCHIVE)  # the other tests look at the same library


def test_the_focus_stays_where_a_row_was_renamed_or_binned(page: Page, seeded: RunningServer) -> None:
    row, beside = page.locator(".item").nth(3), page.locator(".item").nth(4)
    row.locator("details.acts summary").focus()
    page.keyboard.press("Enter")
    row.get_by_role("textbox", name="Title").fill("Named by keys")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row.locator("h3")).to_have_text("Named by keys")
    expect(row.locator("details.acts summary")).to_be_focused()
    after = beside.locator("h3").inner_text()
    page.keyboard.press("Enter")
    row.get_by_role("button", name="Move to the bin").press("Enter")
    expect(page.locator(".notice")).to_contain_text("is in the bin")
    expect(page.get_by_role("link", name=after, exact=True)).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url("**/transcripts/")


def test_a_chip_narrows_and_stands_until_it_is_taken_off(page: Page) -> None:
    page.locator("summary", has_text="Source").click()
    page.get_by_role("link", name="Import", exact=True).click()
    expect(page.locator(".item h3")).to_have_count(1)
    page.locator("summary", has_text="Speaker").click()
    expect(page.locator("details[open] .drop")).to_contain_text("There is no speaker to choose yet.")
    page.locator(".search input").first.fill("ferry")
    expect(page.locator(".moments a")).to_have_count(2)
    assert "source=import" in page.url
    page.locator("a.filter.on").click()
    expect(page.locator(".item").nth(1)).to_be_visible()


def test_on_a_phone_menus_hang_below_their_chips_and_a_title_opens_its_record(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        chips = page.locator(".filters").bounding_box()
        page.locator("summary", has_text="Any date").click()
        menu = page.locator("details[open] .drop").bounding_box()
        assert chips is not None
        assert menu is not None
        assert menu["y"] >= chips["y"] + chips["height"]
        assert menu["x"] >= 0
        page.keyboard.press("Escape")
        page.locator(".item h3 a").nth(3).click(position={"x": 2, "y": 5})
        page.wait_for_url(re.compile(RECORD))
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_on_a_phone_the_search_opens_from_the_bar_and_closes_by_its_cross(page: Page, seeded: RunningServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        page.goto(f"{seeded.url}/settings/")
        page.get_by_role("link", name="Search", exact=True).click()
        expect(page.get_by_role("searchbox", name="Search the library")).to_be_focused()
        page.get_by_role("button", name="Esc: close the search").click()
        expect(page.locator("#find")).to_be_hidden()
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_word_without_end_widens_no_page(page: Page, seeded: RunningServer) -> None:
    seeded.ask(SAY.replace("9-9", "9-8").replace("A zeppelin", f"A {'w' * 200} airship"))
    page.goto(f"{seeded.url}/transcripts/?q=airship")
    expect(page.locator(".moments mark")).to_have_text("airship")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_field_is_emptied_by_its_cross_and_keeps_its_filters(page: Page, seeded: RunningServer) -> None:
    page.goto(f"{seeded.url}/transcripts/?q=ferry&source=import")
    page.get_by_role("link", name="Clear the search").click()
    expect(page.locator(".item h3")).to_have_text(["Interview, Dr Osei — second half"])
    expect(page.locator(".search input").first).to_be_focused()
    expect(page.locator(".filter.on")).to_contain_text("Import")
