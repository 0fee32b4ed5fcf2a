"""The library and a record in a real Chromium: click to hear, keys, renaming, the bin, search, long texts, axe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import Driven, browser, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

NOW = "() => document.querySelector('audio').currentTime"
MARKED = (
    "() => { const at = document.querySelector('.w.at'); return at && [at.textContent, Number(at.dataset.start)]; }"
)
STEP = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const start = Number(document.querySelector('.w.at')?.dataset.start ?? -1);
  done([document.querySelector('audio').currentTime * 1000, start]);
})))"""
# A second reading of the sealed tale: real word times, three hundred segments in its forty-four seconds.
READ_AGAIN = """
from memweb.speech.transcript import Segment, Word
from transcripts import services
from transcripts.models import Record
record = Record.objects.get(title__startswith='A Tale')
step = record.duration_ms // 300
segments = [
    Segment(str(i), i * step, i * step + step - 1, f'Word{i} end{i}.',
            (Word(f'Word{i}', i * step, i * step + 60, 0.9), Word(f'end{i}.', i * step + 70, i * step + 130, 0.3)),
            speaker='A' if i // 10 % 2 else 'B', language='en')
    for i in range(300)
]
version = services.add_version(
    record_id=record.pk, kind='second_pass', model='test', language='en', segments=segments)
services.show_version(record_id=record.pk, number=version.number)
print(record.pk)
"""
SEAL = """
from transcripts import jobs, recordings
from transcripts.models import Job
job = Job.objects.get(record__title__startswith='A Tale', kind='seal')
jobs.run(job_id=job.pk, work=recordings.seal)
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, str]]:
    """A server with the demo records, the tale sealed; and the tale's id."""
    with RunningServer(tmp_path_factory.mktemp("library")) as server:
        server.manage("seed", "--user", "owner", "--many", "40")
        server.ask(SEAL)
        yield server, server.ask(READ_AGAIN)


@pytest.fixture
def driven(seeded: tuple[RunningServer, str]) -> Iterator[Driven]:
    with browser(seeded[0], None, viewport={"width": 1280, "height": 700}, reduced_motion="reduce") as driven:
        yield driven
        assert driven.errors == []


@pytest.fixture
def page(driven: Driven, seeded: tuple[RunningServer, str]) -> Page:
    """The tale, ready to be played."""
    return open_record(driven, seeded[1])


def open_record(driven: Driven, record_id: str, fragment: str = "") -> Page:
    driven.page.goto(f"{driven.server.url}/transcripts/{record_id}/{fragment}")
    driven.page.wait_for_selector(".w")
    wait(lambda: driven.page.evaluate("() => document.querySelector('audio').readyState >= 1"), "the recording")
    return driven.page


def player(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.get_by_role("region", name="Player").get_by_role("button", name=name, exact=True)


def test_a_click_on_a_word_goes_to_that_word(page: Page) -> None:
    for number in (17, 3):
        word = page.locator(".w", has_text=f"end{number}.").first
        start = int(word.get_attribute("data-start") or 0)
        word.click()
        wait(lambda: abs(page.evaluate(NOW) * 1000 - start) < 2, f"{start} ms", lambda: str(page.evaluate(NOW)))  # noqa: B023
        wait(lambda: page.evaluate(MARKED) == [f"end{number}.", start], "the mark", lambda: str(page.evaluate(MARKED)))  # noqa: B023
    assert page.locator(".w.at").count() == 1


def test_words_that_nobody_timed_go_to_their_line(driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    page = open_record(driven, seeded[1], "?version=1")
    line = page.locator(".s").nth(2)
    line.click()
    start = int(line.get_attribute("data-start") or 0)
    wait(lambda: abs(page.evaluate(NOW) * 1000 - start) < 2, f"{start} ms", lambda: str(page.evaluate(NOW)))


def test_the_mark_keeps_step_with_the_sound(page: Page) -> None:
    page.get_by_role("button", name="Play from 0:00").first.click()
    wait(lambda: page.evaluate(NOW) > 2, "two seconds of sound")
    for _ in range(5):
        now, start = page.evaluate(STEP)
        assert 0 <= now - start < 500, (now, start)
    assert page.locator(".turn.now").count() == 1
    player(page, "Pause").click()
    player(page, "Play").wait_for()


def test_keys_play_skip_and_change_speed_and_the_speed_is_remembered(page: Page, driven: Driven) -> None:
    page.keyboard.press("Space")
    player(page, "Pause").wait_for()
    page.keyboard.press("Space")
    player(page, "Play").wait_for()
    before = page.evaluate(NOW)
    page.keyboard.press("ArrowRight")
    wait(lambda: abs(page.evaluate(NOW) - before - 5) < 0.1, "five seconds on")
    page.keyboard.press("ArrowLeft")
    wait(lambda: abs(page.evaluate(NOW) - before) < 0.1, "five seconds back")
    page.keyboard.press(".")
    page.keyboard.press(".")
    player(page, "Speed 1.5 times").wait_for()
    page.reload()
    player(page, "Speed 1.5 times").wait_for()
    page.keyboard.press(",")
    player(page, "Speed 1.25 times").wait_for()
    assert page.evaluate("() => document.querySelector('audio').playbackRate") == 1.25


def test_a_sample_of_each_voice_is_played_as_often_as_one_asks(page: Page) -> None:
    hear = page.get_by_role("link", name="Hear A")
    sample = int(hear.get_attribute("data-seek") or 0) / 1000
    assert sample > 1
    for _ in range(2):
        hear.click()
        player(page, "Pause").wait_for()
        wait(lambda: sample <= page.evaluate(NOW) < sample + 3, "the sample", lambda: str(page.evaluate(NOW)))
        player(page, "Pause").click()
        page.get_by_role("slider", name="Position").press("Home")
        wait(lambda: page.evaluate(NOW) == 0, "the beginning")


def test_a_paragraph_is_looped_and_said_again_by_hand(page: Page) -> None:
    loop, now = player(page, "Loop this paragraph"), lambda: page.evaluate(NOW) * 1000
    page.locator(".w", has_text="Word21").first.click()
    turn = page.locator(".turn.now", has_text="Word21")  # once the sound is there
    start = int(turn.get_attribute("data-start") or 0)
    end = int(turn.locator(".s").last.get_attribute("data-end") or 0)
    expect(loop).to_have_attribute("aria-pressed", "false")
    loop.click()
    expect(loop).to_have_attribute("aria-pressed", "true")
    seen = [now()]
    wait(lambda: seen.append(now()) or seen[-1] < seen[-2], "the beginning once more", lambda: str(seen[-3:]))
    assert start <= min(seen) <= max(seen) < end + 300
    player(page, "Pause").click()
    page.locator(".w", has_text="end0.").first.click()  # elsewhere: nobody wants the loop there
    expect(loop).to_have_attribute("aria-pressed", "false")
    page.locator(".w", has_text="end25.").first.click()
    turn.wait_for()
    player(page, "Say that again").click()
    wait(lambda: abs(now() - start) < 2, "the paragraph's beginning", lambda: str(now()))


def test_the_keys_of_keyboards_and_headsets_play_and_skip(driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    driven.page.add_init_script("""
      window.media = {};
      navigator.mediaSession.setActionHandler = (name, act) => { media[name] = act; };
    """)
    page = open_record(driven, seeded[1])
    page.evaluate("() => media.play()")
    player(page, "Pause").wait_for()
    page.evaluate("() => media.pause()")
    player(page, "Play").wait_for()
    before = page.evaluate(NOW)
    page.evaluate("() => media.seekforward()")
    wait(lambda: abs(page.evaluate(NOW) - before - 5) < 0.1, "five seconds on")
    page.evaluate("() => media.seekbackward()")
    wait(lambda: abs(page.evaluate(NOW) - before) < 0.1, "five seconds back")


def test_one_goes_on_listening_where_one_stopped(page: Page, driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    page.get_by_role("slider", name="Position").press("PageUp")
    wait(lambda: page.evaluate(NOW) == 30, "thirty seconds")
    page.goto(driven.server.url + "/transcripts/")
    open_record(driven, seeded[1])
    wait(lambda: page.evaluate(NOW) == 30, "the place of before", lambda: str(page.evaluate(NOW)))
    page.get_by_role("slider", name="Position").press("End")
    wait(lambda: page.evaluate(NOW) > 43, "the end")
    page.goto(driven.server.url + "/transcripts/")
    open_record(driven, seeded[1])
    assert page.evaluate(NOW) == 0  # who heard all of it begins anew


def test_names_given_before_are_offered(driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    page = open_record(driven, seeded[1])
    named = seeded[0].ask("""
from transcripts.models import Record, Speaker
Speaker.objects.create(record=Record.objects.exclude(title__startswith='A Tale').first(), label='x', name='Ωμέγα Lin')
""")
    assert not named
    page.reload()
    field = page.get_by_label("Name of A")
    offered = "(field) => [...field.list.options].map((option) => option.value)"
    assert "Ωμέγα Lin" in field.evaluate(offered)
    page.keyboard.press("j")
    page.keyboard.press("Alt+s")
    assert "Ωμέγα Lin" in page.get_by_label("Somebody else").evaluate(offered)


def test_keys_leave_a_text_field_alone(page: Page) -> None:
    page.get_by_label("Rename").click()
    page.get_by_role("textbox", name="Title").fill("")
    page.keyboard.type("k , .")
    assert page.get_by_role("textbox", name="Title").input_value() == "k , ."
    player(page, "Speed 1 times").wait_for()
    assert page.evaluate("() => document.querySelector('audio').paused")
    page.keyboard.press("Escape")
    assert not page.get_by_role("textbox", name="Title").is_visible()


def test_the_slider_says_where_it_is(page: Page) -> None:
    slider = page.get_by_role("slider", name="Position")
    slider.focus()
    page.keyboard.press("End")
    length = int(slider.get_attribute("aria-valuemax") or 0)
    assert length == 44
    wait(lambda: slider.get_attribute("aria-valuetext") in ("43 seconds", "44 seconds"), "the end")
    page.keyboard.press("Home")
    wait(lambda: slider.get_attribute("aria-valuetext") == "0 seconds", "the beginning")
    page.keyboard.press("PageUp")
    wait(lambda: slider.get_attribute("aria-valuetext") == "30 seconds", "thirty seconds")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait(lambda: slider.get_attribute("aria-valuetext") == "22 seconds", "the middle")


def test_the_waveform_is_drawn(page: Page) -> None:
    drawn = """() => { const c = document.querySelector('canvas');
      return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((n) => n > 0); }"""
    wait(lambda: page.evaluate(drawn), "bars")


def test_the_waveform_has_the_colours_of_who_speaks(page: Page) -> None:
    """Each voice has ten of the three hundred segments in a row, B first."""
    colours = """() => {
      const canvas = document.querySelector('canvas');
      const { width, height } = canvas;
      const row = canvas.getContext('2d').getImageData(0, Math.floor(height / 2), width, 1).data;
      const pixels = Array.from({ length: width }, (_, x) => [x / width, [...row.slice(x * 4, x * 4 + 4)]]);
      return pixels.filter(([, pixel]) => pixel[3] > 0).map(([share, pixel]) => [share * 30, pixel.join()]);
    }"""

    def of(run: int) -> str:
        """What most of a run's bars are painted in; the first and last of them may be another's."""
        found = Counter(colour for share, colour in page.evaluate(colours) if run + 0.25 < share < run + 0.75)
        return found.most_common(1)[0][0] if found else ""

    wait(lambda: of(2) and of(1) != of(2), "two colours", lambda: f"{of(1)} {of(2)}")
    assert [of(run) for run in range(1, 7)] == [of(1), of(2)] * 3


def scroll_on(page: Page) -> None:
    """Until the part after the first has come."""
    page.mouse.move(640, 300)
    page.mouse.wheel(0, 400)
    wait(lambda: page.locator(".s").count() == 140, "the next part", lambda: str(page.locator(".s").count()))


def test_a_part_that_comes_is_looked_through_once(page: Page) -> None:
    page.evaluate("""() => {
      const { reader } = document.querySelector('mem-text');
      const refresh = reader.refresh;
      window.looks = 0;
      reader.refresh = () => { window.looks += 1; refresh.call(reader); };
    }""")
    scroll_on(page)
    assert page.evaluate("() => looks") == 1


def test_following_yields_to_the_reader_and_offers_the_way_back(page: Page) -> None:
    scroll_on(page)
    page.locator(".w", has_text="Word60").first.click()
    wait(lambda: page.evaluate("() => scrollY") > 100, "the text to follow")
    player(page, "Play").click()
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -5000)
    back = page.get_by_role("button", name="Back to playback")
    back.wait_for()
    wait(lambda: page.evaluate("() => scrollY") == 0, "the reader's place")
    here = page.evaluate(NOW)
    wait(lambda: page.evaluate(NOW) > here + 1, "a second of sound")
    assert page.evaluate("() => scrollY") == 0
    back.click()
    wait(lambda: page.evaluate("() => scrollY") > 100, "the playback's place")
    assert not back.is_visible()


def test_a_moment_in_the_address_is_opened_though_its_text_is_not_there_yet(
    driven: Driven, seeded: tuple[RunningServer, str]
) -> None:
    page = open_record(driven, seeded[1], "#t=0:40")
    marked = """() => Number(document.querySelector('.w.at')?.dataset.start ?? 0)"""
    wait(lambda: abs(page.evaluate(marked) - 40_000) < 200, "the word at 0:40", lambda: str(page.evaluate(MARKED)))
    keys = page.evaluate("() => [...document.querySelectorAll('.s')].map((s) => s.id)")
    assert keys == [f"s-{i}" for i in range(300)]


def test_only_words_in_sight_have_places_of_their_own(page: Page) -> None:
    assert page.locator(".s").count() == 40
    scroll_on(page)
    assert 0 < page.locator(".s:has(.w)").count() < 140
    assert page.locator(".w.low").first.inner_text() == "end0."


def test_a_title_is_changed_in_place(driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    page = open_record(driven, seeded[1])
    page.get_by_label("Rename").click()
    page.get_by_role("textbox", name="Title").fill("A Tale, <b>renamed</b>")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="A Tale, <b>renamed</b>").wait_for()
    wait(lambda: page.evaluate("() => document.activeElement.id") == "title", "the focus on the title")
    page.reload()
    page.get_by_role("heading", level=1, name="A Tale, <b>renamed</b>").wait_for()


def test_all_of_it_is_copied_as_text(driven: Driven, seeded: tuple[RunningServer, str]) -> None:
    driven.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_record(driven, seeded[1], "?version=1")
    page.get_by_role("button", name="Copy all").click()
    page.get_by_role("button", name="Copied").wait_for()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert text.startswith("It was the best of times, it was the worst of times")
    assert text.strip().endswith("the winter of despair.")


def test_the_library_finds_as_one_types_and_goes_on(driven: Driven) -> None:
    page = driven.page
    page.goto(driven.server.url + "/transcripts/")
    page.get_by_role("heading", name="Now").wait_for()
    assert page.locator(".item").count() == 30
    page.get_by_role("link", name="More").click()
    wait(lambda: page.locator(".item").count() == 46, "the rest", lambda: str(page.locator(".item").count()))
    page.keyboard.press("/")
    page.keyboard.type("footbridge")
    page.locator(".moments mark", has_text="footbridge").first.wait_for()
    wait(lambda: "q=footbridge" in page.url, "its address", lambda: page.url)
    page.keyboard.type(" zeppelin")
    page.get_by_text("Nothing recorded here says").wait_for()


def test_a_row_is_renamed_and_a_deleted_one_comes_back(driven: Driven) -> None:
    page = driven.page
    page.goto(driven.server.url + "/transcripts/")
    row = page.locator(".item", has=page.get_by_role("link", name="Tuesday stand-up"))
    row.get_by_label("Select Tuesday stand-up").check()  # what its menu does is shown though it is chosen
    row.get_by_label("Actions for Tuesday stand-up").click()
    row.get_by_label("Title").fill("Wednesday stand-up")
    row.get_by_role("button", name="Rename").click()
    row = page.locator(".item", has=page.get_by_role("link", name="Wednesday stand-up"))
    expect(row.get_by_label("Select Wednesday stand-up")).to_be_checked()
    row.get_by_label("Actions for Wednesday stand-up").click()
    row.get_by_role("button", name="Move to the bin").click()
    page.get_by_text("“Wednesday stand-up” is in the bin.").wait_for()
    wait(lambda: row.count() == 0, "the row to go")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Wednesday stand-up").wait_for()


@pytest.mark.parametrize("size", [(1280, 600), (390, 600)])
def test_a_menu_that_opens_below_the_edge_is_brought_into_sight(driven: Driven, size: tuple[int, int]) -> None:
    page = driven.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(driven.server.url + "/transcripts/")
    for place in (3, 8):
        row = page.locator(".item").nth(place)
        row.get_by_label("Actions for").evaluate("button => button.scrollIntoView({ block: 'end' })")
        row.get_by_label("Actions for").click()
        expect(row.get_by_label("Title")).to_be_in_viewport(ratio=1)
        expect(row.get_by_role("button", name="Move to the bin")).to_be_in_viewport(ratio=1)
        page.keyboard.press("Escape")


def test_from_its_page_a_record_goes_to_the_bin_and_back(driven: Driven) -> None:
    page = driven.page
    page.goto(driven.server.url + "/transcripts/")
    page.get_by_role("link", name="Letter to the council about the footbridge").click()
    page.get_by_role("button", name="Bin").click()
    page.get_by_text("is in the bin.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Letter to the council about the footbridge").wait_for()


OVER = """() => {
  document.getElementById('notices').innerHTML = '<mem-notice class="notice">'
    + '<p>Something that is told in two lines of words, and stays until it is dismissed.</p>'
    + '<button class="link" type="button" data-dismiss>Dismiss</button></mem-notice>';
  const notice = document.querySelector('.notice').getBoundingClientRect();
  return [...document.querySelectorAll('h1, .meta, .title, #marks h2, .player, .dock')].filter((one) => {
    const box = one.getBoundingClientRect();
    const beside = box.left >= notice.right || notice.left >= box.right;
    return box.width && !beside && box.top < notice.bottom && notice.top < box.bottom;
  }).map((one) => one.outerHTML);
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_notice_covers_neither_the_head_of_a_page_nor_what_floats(
    driven: Driven, seeded: tuple[RunningServer, str], width: int
) -> None:
    page = driven.page
    page.set_viewport_size({"width": width, "height": 844})
    for path in ("/", f"/transcripts/{seeded[1]}/", "/transcripts/"):
        page.goto(seeded[0].url + path)
        page.locator("main").wait_for()
        assert page.evaluate(OVER) == [], path
        page.get_by_role("button", name="Dismiss").click()
        assert page.locator(".notice").count() == 0


MIDDLES = """() => ['.clock .rate', '.clock', '.ctl'].map((one) => {
  const box = document.querySelector(one).getBoundingClientRect();
  return Math.round((box.top + box.bottom) / 2);
})"""


@pytest.mark.parametrize("width", [320, 390])
def test_the_speed_stays_beside_a_long_clock(driven: Driven, seeded: tuple[RunningServer, str], width: int) -> None:
    page = driven.page
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{seeded[0].url}/transcripts/{seeded[1]}/")
    for clock in ("0:44", "10:00", "1:02:15"):
        page.evaluate(
            "(clock) => document.querySelectorAll('.clock b, [data-length]').forEach((one) => one.textContent = clock)",
            clock,
        )
        assert len({*page.evaluate(MIDDLES)}) == 1, clock
        assert page.evaluate("document.querySelector('.rate').getBoundingClientRect().right <= innerWidth - 12"), clock
