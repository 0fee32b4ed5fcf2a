"""axe finds nothing wrong with the page: in every state, light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import axe
from tests.browser.driving import Driven, browser
from tests.running import RunningServer

pytestmark = pytest.mark.browser

STATES = {
    "idle": {"phase": "idle"},
    "asking": {"phase": "asking"},
    "opening": {"phase": "opening", "awaits": "server", "late": True},
    "connecting": {"line": False, "everUp": False, "capturedMs": 1000},
    "listening": {},
    "silence": {"quietFrames": 40},
    "silent-microphone": {"quietFrames": 60, "heard": False},
    "reconnecting": {"line": False},
    "gateway-away": {"server": "reconnecting"},
    "catching_up": {"server": "catching_up", "lagMs": 6000},
    "paused": {"phase": "paused"},
    "finishing": {"phase": "finishing"},
    "denied": {"phase": "idle", "problem": {"code": "denied"}},
    "missing": {"phase": "idle", "problem": {"code": "missing"}},
    "insecure": {"phase": "idle", "problem": {"code": "insecure"}},
    "unplugged": {"phase": "paused", "problem": {"code": "unplugged"}},
    "taken": {"phase": "paused", "problem": {"code": "taken"}},
    "long_unsent": {"phase": "paused", "problem": {"code": "long_unsent"}},
    "unplugged-unkept": {"phase": "paused", "problem": {"code": "unplugged"}, "keeps": False},
    "signed-out-unkept": {"phase": "paused", "problem": {"code": "signed_out"}, "keeps": False},
    "stalled": {"stalled": True},
    "gap": {"gap": {"ms": 40000, "slept": True}},
    "resting": {"quietFrames": 5400, "restFrames": 5400, "restsInMs": 60000},
    "rested": {"phase": "paused", "restedMs": 600000},
    "unsafe": {"unsafeMs": 8000},
    "unsafe-unkept": {"unsafeMs": 8000, "keeps": False},
    "wordless": {"voicedMs": 18000},
    "signed-out": {"trouble": {"code": "signed_out", "message": "You are signed out. Recording goes on and is kept on "
                   "this device.", "action": "sign-in"}},
    "capacity": {"phase": "idle", "problem": {"code": "capacity", "message": "Every place on this machine is taken. "
                 "Try again when another dictation has ended.", "action": "retry"}},
    "funds": {"trouble": {"code": "funds", "message": "The gateway's balance is used up. Top it up, then retry.",
              "action": "settings"}},
    "disk": {"trouble": {"code": "disk_full", "message": "This server's disk takes no more. Your browser keeps the "
             "recording; free some space and it goes on by itself.", "action": "none"}},
}  # fmt: skip

SHOW = (Path(__file__).parent / "show_state.js").read_text()
WORDS = [
    "I want to open with the archive itself, before any of the tooling. Eleven boxes, most of them unlabelled, and "
    "about four hundred hours of tape that nobody had listened to since nineteen eighty-six.",
    "The first thing we learned is that people don’t search for words. They search for moments: the place where "
    "somebody laughs, the sentence that came just after the door closed.",
    "Then a short story about Dona Amélia’s kitchen,",
]


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[(1280, 940), (390, 844)], ids=["desk", "phone"])
def driven(request: pytest.FixtureRequest, shared_server: RunningServer, scheme: str) -> Iterator[Driven]:
    width, height = request.param
    shared_server.ask(_RECORDS)
    size = {"width": width, "height": height}
    with browser(shared_server, None, viewport=size, color_scheme=scheme, reduced_motion="reduce") as driven:
        driven.open()
        axe.load(driven.page)
        yield driven


_RECORDS = """
from django.utils import timezone
from transcripts.models import Record
owner = User.objects.get(username='owner')
ROWS = ('Tuesday stand-up', 'ready', 728000), ('', 'ready', 61000), ('Morning notes', 'live', 8000)
if not Record.objects.filter(title='Tuesday stand-up').exists():
    for title, status, length in ROWS:
        Record.objects.create(owner=owner, title=title, status=status, duration_ms=length, started_at=timezone.now())
"""


@pytest.mark.parametrize("name", STATES)
def test_a_state_has_no_violation(driven: Driven, scheme: str, name: str) -> None:
    driven.page.evaluate(SHOW, {"more": STATES[name], "words": WORDS})
    axe.check(driven.page, name, scheme)


@pytest.mark.parametrize("name", ["options", "keys", "ask", "help"])
def test_what_opens_over_the_page_has_no_violation(driven: Driven, scheme: str, name: str) -> None:
    driven.page.evaluate(SHOW, {"more": {}, "words": WORDS})
    shows, hides = ("showPopover", "hidePopover") if name == "options" else ("showModal", "close")
    driven.page.evaluate(f"document.getElementById('{name}').{shows}()")
    try:
        axe.check(driven.page, name, scheme)
    finally:
        driven.page.evaluate(f"document.getElementById('{name}').{hides}()")


def test_a_lost_label_would_be_found(driven: Driven) -> None:
    driven.page.evaluate("document.getElementById('title').removeAttribute('aria-label')")
    driven.page.evaluate("document.getElementById('title').removeAttribute('placeholder')")
    found = axe.violations(driven.page)
    driven.page.reload()
    driven.page.wait_for_selector("body[data-ready]")
    axe.load(driven.page)
    assert any(violation.startswith("label") for violation in found)
