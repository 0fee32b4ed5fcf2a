"""Whose socket it is: checked when it opens, and again while it lasts."""

from __future__ import annotations

import pytest

from tests.page_client import PageClient
from tests.running import RunningServer

pytestmark = pytest.mark.process


async def test_nobody_enters_without_signing_in(heard_server: RunningServer) -> None:
    async with PageClient(heard_server, {}) as page:
        await page.until(lambda: page.refused == 4401, "being sent to sign in")
        assert page.last("error")["action"] == "sign-in"  # type: ignore[index]


async def test_a_stranger_learns_nothing_of_a_dictation(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(7)
        await page.until(lambda: page.acked == 7, "seven acks")
        async with PageClient(heard_server, heard_server.sign_in("other"), page.record_id) as stranger:
            await stranger.until(lambda: stranger.refused == 4404, "being sent away")
        assert [message["t"] for message in stranger.messages] == ["error"]
        # the owner's own page was not disturbed
        await page.record(7)
        await page.ended()
    async with PageClient(heard_server, heard_server.sign_in("other"), page.record_id) as late:
        await late.until(lambda: late.refused == 4404, "being sent away from a finished one too")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost", "https://localhost:{port}", "http://localhost:1", "null"]
)
async def test_a_page_of_another_origin_gets_no_socket(
    heard_server: RunningServer, owner: dict[str, str], origin: str
) -> None:
    async with PageClient(heard_server, owner) as good:
        await good.until(lambda: good.connections == 1, "the good origin to get in")
    foreign = PageClient(heard_server, owner, origin=origin.format(port=heard_server.port))
    async with foreign:
        await good_enough(foreign)
    assert foreign.connections == 0


async def good_enough(page: PageClient) -> None:
    """Give it time for two tries."""
    with pytest.raises(AssertionError, match="a connection"):
        await page.until(lambda: page.connections > 0, "a connection", 1.0)


async def test_signing_out_ends_the_socket_within_seconds(heard_server: RunningServer) -> None:
    session = heard_server.sign_in()
    async with PageClient(heard_server, session) as page:
        await page.record(7)
        await page.until(lambda: page.acked == 7, "seven acks")
        heard_server.ask(
            "from django.contrib.sessions.models import Session\n"
            f"Session.objects.get(pk={session['sessionid']!r}).delete()"
        )
        await page.until(lambda: page.refused == 4401, "the socket to be closed", 15)
        page.make()
    again = page.reloaded()
    again.cookies = heard_server.sign_in()
    async with again:
        await again.ended()
    assert again.acked == 8
