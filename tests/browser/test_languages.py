"""The words on the page tell their language, and stand in its direction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import browser
from tests.running import RunningServer

pytestmark = pytest.mark.browser

SHOW = (Path(__file__).parent / "show_state.js").read_text()
SAID = """
import json
from memweb.dictation import fragments
from memweb.speech.transcript import Segment
said = [("1", False, {first!r}), ("2", False, {second!r}), ("2", True, {second!r})]
made = [(Segment(key, 0, 900, text, language={language!r}), again) for key, again, text in said]
print(json.dumps([fragments.final(segment, again=again) for segment, again in made]))
"""
ARABIC = ("هذا هو السطر الأول", "وهذا هو الثاني", "والآن")
ENGLISH = ("This is the first line,", "and this is the second", "and now")
LEFT = "(one) => one.getBoundingClientRect().left"


def say(page: Page, server: RunningServer, words: tuple[str, str, str], language: str | None) -> None:
    """Two finals as the server makes them, the second of them twice, and words that are not settled."""
    page.evaluate(SHOW, {"more": {}})  # an empty log, and the language that is chosen
    first, second, interim = words
    for html in json.loads(server.ask(SAID.format(first=first, second=second, language=language))):
        page.evaluate("(html) => window.testsView.html(html)", html)
    page.evaluate("(text) => window.testsView.partial({ text, start_ms: 1000 })", interim)


def test_words_are_read_aloud_in_the_language_they_are_said_in(shared_server: RunningServer) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        log, interim, phrases = page.locator("#log"), page.locator("#interim"), page.locator("#log p")
        choice = page.get_by_role("combobox", name="Language")
        expect(log).to_have_attribute("lang", choice.input_value())
        choice.select_option("de")
        say(page, shared_server, ENGLISH, None)
        for place in (log, interim):
            expect(place).to_have_attribute("lang", "de")
        assert phrases.evaluate_all("(all) => all.map((one) => one.getAttribute('lang'))") == [None, None]
        choice.select_option(label="Detect the language")
        say(page, shared_server, ENGLISH, "fr")
        for place in (log, interim):
            expect(place).to_have_attribute("lang", "")  # not known, and not English as the page is
        assert phrases.evaluate_all("(all) => all.map((one) => one.getAttribute('lang'))") == ["fr", "fr"]


def test_words_stand_in_the_direction_of_their_letters(shared_server: RunningServer) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        phrases, interim = page.locator("#log p"), page.locator("#interim")
        for words, rightmost in ((ARABIC, True), (ENGLISH, False)):
            say(page, shared_server, words, None)
            lefts = [place.evaluate(LEFT) for place in (phrases.first, phrases.last, interim)]
            assert lefts == sorted(lefts, reverse=rightmost), words
            edge = "right" if rightmost else "left"
            box = f"(one) => Math.round(one.getBoundingClientRect().{edge})"
            assert phrases.first.evaluate(box) == page.locator(".prose").first.evaluate(box), edge
