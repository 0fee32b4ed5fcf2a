"""Exporting in a real Chromium: the dialog by keys alone, copies, no scripts at all, many records as one zip."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import Driven, browser, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

INTERVIEW = """
from memweb.accounts.models import Preferences
from transcripts.models import Record
Preferences.objects.update(export_options={})
print(Record.objects.get(title__startswith='Interview').pk)
"""
MARKS = """
from transcripts.editor import marking
from transcripts.models import Record
record = Record.objects.get(title__startswith='Interview')
for at_ms, note, is_chapter in (
    (760_000, "The first finding", True), (770_000, "Ask for the paper", False), (790_000, "", False),
    (800_000, "=What it cost", True),
):
    marking.add(record_id=record.pk, at_ms=at_ms, note=note, is_chapter=is_chapter)
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("exporting")) as server:
        server.manage("seed", "--user", "owner", "--many", "5")
        yield server


@pytest.fixture(scope="module")
def driven(seeded: RunningServer) -> Iterator[Driven]:
    with browser(seeded, None, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as driven:
        driven.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield driven
        assert driven.errors == []


@pytest.fixture
def page(driven: Driven, seeded: RunningServer) -> Page:
    """The interview, with nothing chosen before."""
    driven.page.goto(f"{seeded.url}/transcripts/{seeded.ask(INTERVIEW).strip()}/")
    return driven.page


def opened(page: Page) -> Page:
    page.get_by_role("link", name="More…").click()
    expect(page.get_by_role("dialog", name="Export")).to_be_visible()
    return page


def preview(page: Page) -> str:
    return page.get_by_role("region", name="The beginning of it").inner_text()


def saved(page: Page, deed: Callable[[], object]) -> tuple[str, Path]:
    """The name and the file of what this downloads."""
    with page.expect_download() as download:
        deed()
    return download.value.suggested_filename, download.value.path()


def test_keys_alone_choose_a_format_and_save_it(page: Page) -> None:
    page.get_by_role("link", name="More…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Export")
    expect(dialog.get_by_role("radio", name="Word to edit and send")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("radio", name="SRT captions")).to_be_checked()
    expect(dialog.get_by_role("button", name="Save SRT")).to_be_visible()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("checkbox", name="Speakers")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Letters a line")).to_be_focused()
    page.keyboard.type("30")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(dialog.get_by_role("region", name="The beginning of it")).not_to_contain_text("Maya:")
    wait(lambda: max(map(len, preview(page).split("\n"))) <= 30, "lines of thirty", lambda: preview(page))
    shown = preview(page)
    assert "00:12:39,000 --> " in shown
    dialog.get_by_role("button", name="Save SRT").focus()
    name, file = saved(page, lambda: page.keyboard.press("Enter"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d Interview, Dr Osei — second half\.srt", name)
    written = file.read_text()
    assert written.startswith(shown.removesuffix("…").rstrip())
    expect(dialog).to_be_hidden()
    opened(page)
    expect(dialog.get_by_role("radio", name="SRT captions")).to_be_checked()
    expect(dialog.get_by_role("checkbox", name="Speakers")).not_to_be_checked()
    expect(dialog.get_by_label("Letters a line")).to_have_value("30")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="More…")).to_be_focused()


def test_each_format_offers_what_it_has_a_place_for(page: Page) -> None:
    dialog = opened(page).get_by_role("dialog", name="Export")
    for name, has in {
        "Word": ["Title", "Speakers", "Times", "Paragraphs"],
        "SRT": ["Speakers", "Times always"],
        "VTT": ["Speakers", "Times of words", "Times always"],
        "JSON": ["Everything always"],
        "HTML": ["Title", "Speakers", "Times", "Paragraphs", "Times of words"],
    }.items():
        dialog.get_by_role("radio", name=re.compile(f"^{name} ")).check()
        expect(dialog.get_by_role("button", name=f"Save {name}")).to_be_visible()
        shown = [label.strip() for label in dialog.locator(".tog label:visible:has(.check)").all_inner_texts()]
        assert [re.sub(r"\s+", " ", label) for label in shown] == has
        assert dialog.get_by_label("Letters a line").is_visible() == (name in ("SRT", "VTT"))


def test_a_number_that_cannot_be_is_told_and_loses_nothing(page: Page) -> None:
    dialog = opened(page).get_by_role("dialog", name="Export")
    dialog.get_by_role("radio", name="VTT").check()
    dialog.get_by_label("Letters a line").fill("7")
    expect(dialog.get_by_role("alert")).to_have_text("Letters a line: a whole number from 16 to 100.")
    expect(dialog.get_by_role("button", name="Save VTT")).to_be_disabled()
    expect(dialog.get_by_role("radio", name="VTT")).to_be_checked()
    dialog.get_by_label("Letters a line").fill("70")
    expect(dialog.get_by_role("region", name="The beginning of it")).to_contain_text("WEBVTT")
    expect(dialog.get_by_role("button", name="Save VTT")).to_be_enabled()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_words_are_copied_with_and_without_times(page: Page) -> None:
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    bare = page.evaluate("navigator.clipboard.readText()")
    assert bare.startswith("Maya: So when did you first realise")
    page.get_by_role("button", name="Copy with times").click()
    expect(page.get_by_role("button", name="Copied").nth(1)).to_be_visible()
    timed = page.evaluate("navigator.clipboard.readText()")
    assert timed.startswith("[12:39] Maya: So when did you first realise")
    assert re.sub(r"\[[0-9:]+\] ", "", timed) == bare
    dialog = opened(page).get_by_role("dialog", name="Export")
    dialog.get_by_role("radio", name="CSV").check()
    expect(dialog.get_by_role("button", name="Save CSV")).to_be_visible()
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert '"start","end","speaker","text"' in page.evaluate("navigator.clipboard.readText()")
    dialog.get_by_role("radio", name="PDF").check()
    expect(dialog.get_by_role("button", name="Copy")).to_have_count(0)


def test_the_form_works_without_scripts(driven: Driven, page: Page) -> None:
    assert driven.context.browser
    bare = driven.context.browser.new_context(java_script_enabled=False)
    try:
        bare.add_cookies(driven.context.cookies())  # type: ignore[arg-type]
        plain = bare.new_page()
        plain.goto(page.url)
        expect(plain.get_by_role("button", name="Copy all")).to_be_hidden()
        plain.get_by_role("link", name="More…").click()
        expect(plain.get_by_role("heading", name="Export")).to_be_visible()
        plain.get_by_role("radio", name="Markdown").check()
        plain.get_by_role("checkbox", name="Times", exact=True).check()
        plain.get_by_role("button", name="Show").click()
        assert "**Maya** 12:39" in preview(plain)
        expect(plain.get_by_role("radio", name="Markdown")).to_be_checked()
        name, file = saved(plain, lambda: plain.get_by_role("button", name="Save Markdown").click())
        assert name.endswith(".md")
        assert "**Maya** 12:39" in file.read_text()
    finally:
        bare.close()


def test_chosen_records_come_as_one_zip(page: Page, seeded: RunningServer) -> None:
    page.goto(f"{seeded.url}/transcripts/")
    boxes = page.locator(".pick .check")
    boxes.nth(2).check()
    boxes.nth(3).check()
    bar = page.get_by_role("region", name="Selected records")
    bar.locator("summary", has_text="Export").click()
    bar.get_by_role("checkbox", name="Text").check()
    name, file = saved(page, lambda: bar.get_by_role("button", name="Save zip").click())
    assert re.fullmatch(r"memweb \d{4}-\d\d-\d\d\.zip", name)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        kinds = sorted(entry.rpartition(".")[2] for entry in archive.namelist())
    assert kinds == ["docx", "docx", "txt", "txt"]
    # Enter in the field of a tag still adds a tag.
    bar.locator("summary", has_text="Export").click()
    bar.locator("summary", has_text="Tag").click()
    bar.get_by_role("textbox", name="Tag").fill("zipped")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 records tagged.")).to_be_visible()


@pytest.fixture
def marked(page: Page, seeded: RunningServer) -> Iterator[Page]:
    """The interview with chapters, a note and a mark."""
    seeded.ask(MARKS)
    page.reload()
    yield page
    seeded.ask("from transcripts.models import Mark\nMark.objects.all().delete()")


def test_chapters_marks_and_notes_are_shown_and_can_be_left_out(marked: Page) -> None:
    dialog = opened(marked).get_by_role("dialog", name="Export")
    choice = dialog.get_by_role("checkbox", name="Chapters, marks and notes")
    expect(choice).to_be_checked()
    shown = preview(marked)
    assert "== The first finding ==" in shown
    assert shown.index("Maya:") < shown.index("== Marks and notes ==") < shown.index("[12:50] Ask for the paper")
    for name in ("VTT", "CSV", "JSON"):
        dialog.get_by_role("radio", name=re.compile(f"^{name} ")).check()
        expect(dialog.get_by_role("button", name=f"Save {name}")).to_be_visible()
        expect(choice).to_be_hidden()
    dialog.get_by_role("radio", name="Markdown").check()
    expect(dialog.get_by_role("region", name="The beginning of it")).to_contain_text("## The first finding")
    choice.uncheck()
    expect(dialog.get_by_role("region", name="The beginning of it")).not_to_contain_text("## The first finding")
    name, file = saved(marked, lambda: dialog.get_by_role("button", name="Save Markdown").click())
    assert name.endswith(".md")
    assert "Ask for the paper" not in file.read_text()
    opened(marked)
    expect(choice).not_to_be_checked()
    choice.check()
    dialog.get_by_role("radio", name="Word to edit and send").check()
    expect(dialog.get_by_role("button", name="Save Word")).to_be_visible()
    _, file = saved(marked, lambda: dialog.get_by_role("button", name="Save Word").click())
    headings = [one.text for one in docx.Document(str(file)).paragraphs if one.style and one.style.name == "Heading 1"]
    assert headings == ["The first finding", "=What it cost", "Marks and notes"]
