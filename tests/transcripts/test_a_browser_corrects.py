"""Correcting in a real Chromium: by keys alone, never lost, seen by whoever comes second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.driving import Driven, browser, wait
from tests.running import RunningServer
from tests.transcripts.test_a_browser_reads_and_plays import SEAL

pytestmark = [pytest.mark.browser, pytest.mark.process]

# Four paragraphs of the sealed tale, two voices, real word times; one word is uncertain.
READ = """
from memweb.speech.transcript import Segment, Word
from transcripts import services
from transcripts.models import Record
def said(key, start, text, speaker, unsure=''):
    words = tuple(Word(w, start + i * 250, start + i * 250 + 200, 0.2 if w == unsure else 0.9, speaker)
                  for i, w in enumerate(text.split()))
    return Segment(key, start, start + 250 * len(words), text, words, speaker=speaker, language='en')
record = Record.objects.get(title__startswith='A Tale')
lines = [
    said('a', 0, 'So when did you first realise that the recordings mattered?', 'A'),
    said('b', 6000, 'Not at the time, certainly. The machine belonged to the harper office.', 'B', 'harper'),
    said('c', 13000, 'And you carried it up the hill yourselves?', 'A'),
    said('d', 18000, 'Eleven kilos, with the batteries. She counted to sixty.', 'B', 'sixty.'),
]
version = services.add_version(record_id=record.pk, kind='second_pass', model='test', language='en', segments=lines)
services.show_version(record_id=record.pk, number=version.number)
print(f'{record.pk}?version={version.number}')
"""
TEXTS = """
from transcripts.models import Version
version = Version.objects.get(record__title__startswith='A Tale', number={number})
print(' | '.join(row.text for row in version.segments.shown()))
"""
# What sticks out of a part of the text is not painted.
OUTLINE_FITS = """(turn) => {
  const [prose, part] = [turn.querySelector('.prose'), turn.parentElement].map((one) => one.getBoundingClientRect());
  const { outlineOffset, outlineWidth, outlineStyle } = getComputedStyle(turn.querySelector('.prose'));
  const room = parseFloat(outlineOffset) + parseFloat(outlineWidth);
  const gaps = [prose.left - part.left, part.right - prose.right, prose.top - part.top, part.bottom - prose.bottom];
  return outlineStyle !== 'none' && gaps.every((gap) => gap >= room);
}"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("correcting")) as server:
        server.manage("seed", "--user", "owner")
        server.ask(SEAL)
        yield server


@pytest.fixture
def record(told: RunningServer) -> str:
    """A fresh version for each test: the record's address below /transcripts/."""
    record, _, query = told.ask(READ).partition("?")
    return f"/transcripts/{record}/?{query}"


@pytest.fixture
def driven(told: RunningServer) -> Iterator[Driven]:
    with browser(told, None, viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as driven:
        yield driven
        assert driven.errors == []


@pytest.fixture
def page(driven: Driven, record: str) -> Page:
    driven.page.goto(f"{driven.server.url}{record}")
    driven.page.wait_for_selector(".w")
    return driven.page


def said(told: RunningServer, record: str) -> list[str]:
    return told.ask(TEXTS.format(number=record.rpartition("=")[2])).split(" | ")


def paragraphs(page: Page) -> list[str]:
    return page.locator(".turn .prose > p").all_inner_texts()


def test_a_transcript_is_corrected_with_keys_only(page: Page, told: RunningServer, record: str) -> None:
    keys = page.keyboard
    keys.press("j")
    keys.press("u")
    keys.press("e")
    keys.type("harbour")
    keys.press("Enter")
    expect(page.locator(".tools .kept")).to_have_text("Saved")
    keys.press("u")
    keys.press("Enter")
    keys.type("sixteen.")
    keys.press("Shift+Tab")
    expect(page.locator(".turn").nth(2).locator("textarea")).to_be_focused()
    keys.press("Control+End")
    keys.type(" Really?")
    keys.press("Enter")
    expect(page.locator(".turn").nth(2)).to_be_focused()
    for turn in page.locator(".turn").all():
        turn.focus()
        assert turn.evaluate(OUTLINE_FITS), "its outline is cut off"
    page.locator(".turn").nth(2).focus()
    wait(lambda: "Really?" in said(told, record)[2], "the last word on the server")
    assert said(told, record) == [
        "So when did you first realise that the recordings mattered?",
        "Not at the time, certainly. The machine belonged to the harbour office.",
        "And you carried it up the hill yourselves? Really?",
        "Eleven kilos, with the batteries. She counted to sixteen.",
    ]
    assert page.locator(".w", has_text="harbour").count() == 0  # its time is estimated: it has no place to click
    assert page.locator(".w", has_text="belonged").count() == 1


@pytest.mark.parametrize(("width", "height"), [(1280, 520), (390, 600)])
def test_what_the_keys_choose_is_not_behind_the_player(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    player = page.get_by_role("region", name="Player")
    for _ in range(4):
        page.keyboard.press("j")
        chosen, dock = page.locator(".turn:focus .prose").bounding_box(), player.bounding_box()
        assert chosen is not None
        assert dock is not None
        assert chosen["y"] + chosen["height"] <= dock["y"]


def test_the_field_is_as_tall_as_its_text(page: Page) -> None:
    field = page.locator("textarea")
    page.keyboard.press("j")
    page.keyboard.press("e")

    def height(what: str, taller_than: int, shorter_than: int) -> int:
        def heights() -> list[int]:
            found: list[int] = field.evaluate("(field) => [field.clientHeight, field.scrollHeight]")
            return found

        wait(lambda: heights()[0] == heights()[1] and taller_than < heights()[0] < shorter_than, what, str)
        return heights()[0]

    short = height("as it was", 0, 1000)
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" and so on" * 40)
    page.keyboard.type(" to its end")
    long = height("the longer text", short, 2000)
    page.set_viewport_size({"width": 500, "height": 800})
    height("a narrower field", long, 5000)
    page.set_viewport_size({"width": 1280, "height": 800})
    height("a wider one", short, long + 1)
    page.keyboard.press("Control+a")
    page.keyboard.type("No.")
    height("the shorter text", 0, short + 1)


def test_a_letter_takes_no_walk_through_the_page(page: Page) -> None:
    page.evaluate("""() => {
      window.walks = 0;
      for (const name of ['querySelector', 'querySelectorAll']) {
        const ask = Document.prototype[name];
        Document.prototype[name] = function (asked) { window.walks += 1; return ask.call(this, asked); };
      }
    }""")
    page.keyboard.press("j")
    page.keyboard.press("e")
    assert page.evaluate("() => walks") > 0
    page.keyboard.type("a")
    page.evaluate("() => { walks = 0; }")
    page.keyboard.type("bc")
    assert page.evaluate("() => walks") == 0


def test_paragraphs_are_split_joined_and_put_back_with_keys(page: Page, told: RunningServer, record: str) -> None:
    keys, before = page.keyboard, paragraphs(page)
    keys.press("j")
    keys.press("e")
    keys.press("Control+Home")
    for _ in range(len("Not at the time, certainly. ")):
        keys.press("ArrowRight")
    held: list[Route] = []
    page.route("**/paragraph/**", lambda route: held.append(route))
    keys.press("Shift+Enter")
    wait(lambda: page.evaluate("0") or held, "the split on its way")
    expect(page.locator("textarea")).not_to_be_editable()
    keys.type("This would be lost.")
    keys.press("Shift+Enter")
    held[0].continue_()
    expect(page.locator(".turn")).to_have_count(5)
    assert len(held) == 1
    page.unroute("**/paragraph/**")
    assert page.evaluate("() => document.querySelector('mem-editor').drafts.all") == {}
    expect(page.locator(".turn").nth(2).locator("textarea")).to_be_focused()
    assert page.locator(".turn").nth(2).locator("textarea").input_value().startswith("The machine")
    keys.press("Backspace")
    expect(page.locator(".turn")).to_have_count(4)
    keys.press("Control+z")
    expect(page.locator(".turn")).to_have_count(5)
    keys.press("Control+z")
    expect(page.locator(".turn")).to_have_count(4)
    assert paragraphs(page) == before
    keys.press("Control+Shift+Z")
    expect(page.locator(".turn")).to_have_count(5)


def test_the_speaker_is_changed_with_keys(page: Page) -> None:
    keys = page.keyboard
    keys.press("j")
    keys.press("Alt+s")
    page.get_by_role("dialog", name="Who says this?").wait_for()
    keys.press("1")
    expect(page.locator(".turn").first.locator(".sp b")).to_have_text("A")
    expect(page.locator(".turn").nth(1).locator(".sp b")).to_have_text("A")


def test_a_speaker_is_renamed_once_and_everywhere(page: Page) -> None:
    page.get_by_label("Name of B").fill("Dr Osei")
    with page.expect_navigation():
        page.get_by_label("Name of B").press("Enter")
    assert page.locator(".turn .sp b").all_inner_texts() == ["A", "Dr Osei", "A", "Dr Osei"]


def test_what_is_typed_while_the_server_is_away_is_sent_when_it_is_back(
    page: Page, driven: Driven, told: RunningServer, record: str
) -> None:
    page.context.set_offline(True)
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Offline.")
    page.keyboard.press("Enter")
    expect(page.locator(".tools .kept")).to_have_text("Not saved yet. Kept in this browser")
    expect(page.locator("textarea")).to_have_count(0)
    page.keyboard.press("e")  # closed without having been saved, it is opened again
    page.keyboard.press("Control+End")
    page.keyboard.type(" Twice.")
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_have_count(0)
    page.context.set_offline(False)
    wait(lambda: said(told, record)[1].endswith(" Offline. Twice."), "the words on the server")
    expect(page.locator(".tools .kept")).to_have_text("Saved")
    assert page.evaluate("() => Object.keys(localStorage).filter((name) => name.includes('draft'))") == []
    driven.errors.clear()  # the browser's own words about the lost network


def test_what_was_typed_and_never_sent_is_there_after_a_reload(
    page: Page, driven: Driven, told: RunningServer, record: str
) -> None:
    page.context.set_offline(True)
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Kept.")
    page.goto("about:blank")
    page.context.set_offline(False)
    # A browser may still send it while the page goes; what it does not send waits for the next visit.
    page.goto(f"{told.url}{record}")
    wait(lambda: "Kept." in " ".join(said(told, record)), "the draft on the server")
    driven.errors.clear()


def test_two_people_never_overwrite_each_other(page: Page, told: RunningServer, record: str) -> None:
    other = page.context.new_page()
    other.goto(f"{told.url}{record}")
    other.wait_for_selector(".w")
    for one, words in ((page, "First."), (other, "Second.")):
        one.keyboard.press("j")
        one.keyboard.press("e")
        one.keyboard.press("Control+a")
        one.keyboard.type(words)
        one.keyboard.press("Enter")
        wait(lambda: "First." in said(told, record), "the first")
    expect(other.locator(".theirs .now")).to_have_text("First.")
    assert "Second." not in said(told, record)
    keys = other.keyboard
    expect(other.locator("textarea")).to_be_focused()
    for name in ("Save", "Keep mine", "Keep theirs"):
        keys.press("Tab")
        expect(other.get_by_role("button", name=name, exact=True)).to_be_focused()
    expect(other.locator("textarea")).to_have_value("Second.")
    keys.press("Shift+Tab")
    keys.press("Enter")
    wait(lambda: "Second." in said(told, record), "the second, now that it was seen")
    expect(other.locator("textarea")).to_be_focused()
    keys.press("Tab")  # nothing is asked any more: the next paragraph
    expect(other.locator(".turn").nth(2).locator("textarea")).to_be_focused()
    other.close()


def test_an_emptied_paragraph_goes_when_it_is_left_and_never_takes_another_with_it(
    page: Page, told: RunningServer, record: str
) -> None:
    before = page.locator(".turn .prose > p").all_text_contents()
    other = page.context.new_page()
    other.goto(f"{told.url}{record}")
    other.wait_for_selector(".w")
    for one in (page, other):
        one.keyboard.press("j")
        one.keyboard.press("e")
        one.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    expect(page.locator(".turn .prose > p")).to_have_text([before[0], *before[2:]])
    expect(page.locator(".turn").nth(1)).to_be_focused()
    other.keyboard.type("Mine.")
    other.keyboard.press("Enter")
    expect(other.locator(".theirs .now")).to_have_text("These words were taken out.")
    other.get_by_role("button", name="Keep mine").click()
    expect(other.locator(".tools .kept")).to_contain_text("Copy them")
    expect(other.locator("textarea")).to_have_value("Mine.")
    other.get_by_role("button", name="Keep theirs").click()
    expect(other.locator("textarea")).to_have_count(0)
    expect(other.locator(".turn .prose > p")).to_have_text([before[0], *before[2:]])
    other.close()
    page.keyboard.press("Control+z")
    expect(page.locator(".turn .prose > p")).to_have_text(before)


def test_drafts_that_cannot_be_saved_wait_with_the_reason(page: Page) -> None:
    before = page.locator(".turn .prose > p").all_text_contents()
    seen = "[...document.querySelectorAll('.s')].map((one) => one.dataset.rev ?? 0)"
    page.evaluate(f"""() => {{
      const revisions = {seen};
      const {{ drafts }} = document.querySelector('mem-editor');
      drafts.keep('a', {{ segments: ['a:77'], text: 'Mine.' }});
      drafts.keep('b', {{ segments: [`b:${{revisions[1]}}`], text: 'long '.repeat(5000) }});
      drafts.keep('c', {{ segments: ['c:77'], text: 'Mine too.' }});
    }}""")
    fields = page.locator("textarea")
    for _ in range(2):
        page.reload()
        expect(fields).to_have_count(3)
        expect(page.locator(".theirs:visible .now")).to_have_text([before[0], before[2]])
        for place in (2, 0, 1):
            with page.expect_response("**/text/**"):  # whichever was left is sent, and refused again
                fields.nth(place).click()
                page.get_by_label("Name of A").click()
        theirs = "Somebody changed these words meanwhile. Yours are kept here; see theirs first."
        long = "A paragraph may have 20000 characters. Split it first."
        expect(page.locator(".turn .kept")).to_have_text([theirs, long, theirs])  # each its own, in whatever order
        kept = page.evaluate("() => Object.keys(document.querySelector('mem-editor').drafts.all)")
        assert sorted(kept) == ["a", "b", "c"]
    fields.nth(0).click()
    page.get_by_role("button", name="Keep mine").first.click()
    expect(page.locator(".turn").first.locator(".kept")).to_have_text("Saved")
    page.get_by_role("button", name="Keep theirs").click()
    expect(page.locator(".theirs:visible")).to_have_count(0)
    page.evaluate("() => document.querySelector('mem-editor').drafts.keep('b', null)")
    page.reload()
    page.wait_for_selector(".w")
    assert page.locator(".turn .prose > p").all_text_contents() == ["Mine.", *before[1:]]


def test_what_was_typed_in_another_version_is_saved_there_and_in_the_one_shown_and_that_is_said(
    page: Page, told: RunningServer, record: str
) -> None:
    page.evaluate("""() => {
      const { drafts } = document.querySelector('mem-editor');
      drafts.keep('b', { segments: ['b:0'], text: 'Typed without a network.' });
      drafts.keep('c', { segments: ['c:77'], text: 'Typed over what somebody changed.' });
    }""")
    newer = told.ask(READ.replace("second_pass", "retranscribed")).partition("?")[2]
    page.goto(f"{told.url}{record.partition('?')[0]}?{newer}")
    said_here = page.locator(".earlier p")
    expect(said_here).to_have_text([
        "What you typed before: Saved in “Second pass” and in “Transcribed again”. “Transcribed again” is shown"
        " and shared: reload the page to go on there. Compare the two",
        "What you typed before in “Second pass” is not saved yet. It is kept in this browser. Show it",
    ])  # fmt: skip
    assert said(told, record)[1] == said(told, newer)[1] == "Typed without a network."
    expect(page.locator("textarea")).to_have_count(0)
    page.get_by_role("link", name="Show it").click()
    expect(page.locator("textarea")).to_have_value("Typed over what somebody changed.")
    page.get_by_role("button", name="Keep mine").click()
    wait(lambda: said(told, record)[2] == "Typed over what somebody changed.", "the other draft, now that it was seen")
    page.goto(f"{told.url}{record.partition('?')[0]}?{newer}")
    page.wait_for_selector(".w")
    assert page.evaluate("() => Object.keys(localStorage).filter((name) => name.includes('draft'))") == []
    expect(said_here).to_have_count(0)


def test_words_are_found_and_replaced_everywhere(page: Page, told: RunningServer, record: str) -> None:
    page.keyboard.press("Control+f")
    page.keyboard.type("the")
    expect(page.locator(".finder [role=status]")).to_have_text("1 of 6")
    page.keyboard.press("Enter")
    expect(page.locator(".finder [role=status]")).to_have_text("2 of 6")
    for button, place in (("Next", "3 of 6"), ("Previous", "2 of 6")):
        page.locator(".finder").get_by_role("button", name=button).click()
        expect(page.locator(".finder [role=status]")).to_have_text(place)
    page.locator(".finder").get_by_role("button", name="Close").click()
    expect(page.locator(".finder")).to_be_hidden()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+f")
    page.locator(".finder summary").click()
    page.get_by_label("Replace with").fill("that")
    with page.expect_navigation():
        page.get_by_role("button", name="Replace all").click()
    assert "belonged to that harper" in said(told, record)[1]
    page.wait_for_selector(".w")
    page.get_by_role("button", name="Undo").click()
    wait(lambda: "belonged to the harper" in said(told, record)[1], "all of it put back")


def test_the_next_uncertain_word_is_found_though_its_text_is_not_there_yet(
    page: Page, told: RunningServer, record: str
) -> None:
    lines = "lines = [said(str(n), n * 250, f'It{n}.', 'AB'[n % 2], 'It149.') for n in range(150)]"
    long = READ.replace("version =", f"{lines}\nversion =", 1)
    page.goto(f"{told.url}{record.partition('?')[0]}?{told.ask(long).partition('?')[2]}")
    page.wait_for_selector(".w")
    assert page.locator(".s").count() == 40
    page.keyboard.press("u")
    expect(page.locator(".w.chosen")).to_have_text("It149.")
    page.keyboard.press("u")
    expect(page.locator(".tools .kept")).to_have_text("No uncertain word after this one")


def test_it_plays_from_the_word_at_the_caret(page: Page) -> None:
    page.evaluate("""() => {
      window.sought = [];
      const player = document.querySelector('mem-player');
      player.seek = (seconds) => window.sought.push(Math.round(seconds * 1000));
    }""")
    page.keyboard.press("j")
    page.keyboard.press("e")
    field = page.locator("textarea")
    for words, start in (("belonged", 7_750), ("the harper", 8_250), ("harper", 8_500)):
        field.evaluate("(field, at) => field.setSelectionRange(at, at)", field.input_value().index(words))
        page.keyboard.press("Control+Enter")
        assert page.evaluate("() => sought.at(-1)") == start
        page.keyboard.type("Now, ")  # what follows is said when it was
    field.evaluate("(field, at) => field.setSelectionRange(at, at)", field.input_value().index("office"))
    page.keyboard.press("Control+Enter")
    assert page.evaluate("() => sought.at(-1)") == 8_750


def test_keys_can_be_others(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_role("button", name="Next paragraph: J Change").click()
    page.keyboard.press("n")
    page.get_by_role("button", name="Next paragraph: N Change").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator(".turn").nth(1)).to_be_focused()


def test_on_a_phone_the_sheet_of_keys_says_what_to_press(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.keyboard.press("?")
    expect(page.locator("#keymap-said")).to_be_visible()
    page.get_by_role("button", name="Next paragraph: J Change").click()
    expect(page.locator("#keymap-said")).to_contain_text("Press the new key")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_change_is_in_the_journal_and_can_be_put_back(page: Page, told: RunningServer, record: str) -> None:
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Something else.")
    page.keyboard.press("Enter")
    expect(page.locator(".tools .kept")).to_have_text("Saved")
    page.get_by_role("link", name="Changes").click()
    assert page.locator(".journal ins").first.inner_text() == "Something else."
    page.get_by_role("button", name="Put back").first.click()
    wait(lambda: said(told, record)[1].startswith("Not at the time"), "the words of before")
