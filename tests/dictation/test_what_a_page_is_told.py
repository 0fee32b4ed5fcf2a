"""A page's messages: in order, what is out of date left out, and all that waits in one write."""

from __future__ import annotations

from typing import Any

from memweb.dictation.page import Page


class Line:
    """A server that sends at once while it is open."""

    def __init__(self) -> None:
        self.is_open = True
        self.writes: list[tuple[str, ...]] = []

    def at_once(self, *texts: str) -> bool:
        if self.is_open:
            self.writes.append(texts)
        return self.is_open


async def never(message: dict[str, Any]) -> None:
    raise AssertionError("nobody speaks here")


async def test_what_was_noted_goes_with_the_next_words_in_one_write() -> None:
    line = Line()
    page = Page(never, 0.0, line.at_once)
    page.note("ack", "ack 1")
    page.note("ack", "ack 2")
    page.note("state", "state")
    assert line.writes == []
    page.update("partial", "words")
    page.update("partial", "more words")
    assert line.writes == [("ack 2", "state", "words"), ("more words",)]


async def test_what_a_page_does_not_take_at_once_is_sent_later_in_order_and_once() -> None:
    line, sent = Line(), []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("text", message["type"]))

    page = Page(send, 0.0, line.at_once)
    line.is_open = False
    page.say("one")
    page.update("partial", "old words")
    page.say("two")
    page.update("partial", "new words")
    page.close(1000)
    await page.speak()
    assert line.writes == []
    assert sent == ["one", "two", "new words", "websocket.close"]
