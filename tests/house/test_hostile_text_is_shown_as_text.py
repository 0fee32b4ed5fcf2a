"""Markup, direction marks, NUL and broken surrogates, in every field a person or a provider can fill: shown as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.running import RunningServer

pytestmark = pytest.mark.process

PAYLOADS = [
    "<script>alert(1)</script><mw-evil>",
    "<img src=x onerror=alert(1)><mw-evil>",
    "<svg onload=alert(1)><mw-evil></svg>",
    '"><mw-evil autofocus onfocus=alert(1) x="',
    "'><mw-evil onmouseover='alert(1)",
    "</textarea></title></style><mw-evil>",
    "<!--<mw-evil>--><![CDATA[<mw-evil>]]>",
    "<a href=javascript:alert(1)>mw</a><mw-evil>",
    "{{ 7|add:7 }}{% include 'base.html' %}<mw-evil>",
    "<template hx-get=/settings/ hx-trigger=load><mw-evil></template>",
    "<div hx-swap-oob=innerHTML:body hx-on:click=alert(1)><mw-evil></div>",
    "\u202e<mw-evil>\u2066reversed\u2069",
    "nul\x00 <mw-evil>",
    "half \ud800 \udfff <mw-evil>",
    "\u2028\u2029<mw-evil>\ufeff\u200b",
    '=HYPERLINK("http://evil.example")<mw-evil>',
    "a --> b\n\n1\n00:00:00,000 --> 00:00:01,000\n<mw-evil>",
]

# Stored as a provider's words and as a person's title; through services, since those are what every way in calls.
STORE = """
import json, uuid
from django.utils import timezone
from memweb.speech.transcript import Segment
from transcripts import services
from transcripts.models import Record
owner = User.objects.get(username="owner")
made = []
for text in json.loads({payloads!r}):
    now = timezone.now()
    record = services.open_record(id=uuid.uuid4(), owner_id=owner.pk, title=text, language="en", started_at=now)
    services.save_final(record_id=record.pk, segment=Segment("1-0", 0, 900, text, speaker=text))
    Record.objects.filter(pk=record.pk).update(status=Record.Status.READY, duration_ms=900)
    made.append(str(record.pk))
print(json.dumps(made))
"""


class Tags(HTMLParser):
    """Which elements and event attributes a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.made: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made |= {tag} | {name for name, _ in attrs if name.startswith(("on", "hx-on"))}


def is_clean(page: str) -> None:
    made = Tags(page).made
    assert "mw-evil" not in made
    assert not {name for name in made if name.startswith(("on", "hx-on"))}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, list[str]]]:
    with RunningServer(tmp_path_factory.mktemp("hostile")) as server:
        yield server, json.loads(server.ask(STORE.format(payloads=json.dumps(PAYLOADS))).splitlines()[-1])


@contextmanager
def visitor(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, cookies=server.sign_in(), timeout=30, follow_redirects=True) as client:
        client.get("/settings/")
        client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
        yield client


def test_what_was_said_and_named_is_shown_as_text(stored: tuple[RunningServer, list[str]]) -> None:
    server, records = stored
    with visitor(server) as client:
        parts = ("", "export/", "export/html")
        of_records = [f"/transcripts/{record}/{part}" for record in records for part in parts]
        for path in ("/", "/transcripts/", *of_records):
            page = client.get(path)
            assert page.status_code == 200
            is_clean(page.text)
        shown = "".join(client.get(f"/transcripts/{record}/").text for record in records)
    assert shown.count("&lt;mw-evil") >= len(PAYLOADS)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_typed_into_a_field_is_shown_as_text_or_refused(
    stored: tuple[RunningServer, list[str]], payload: str
) -> None:
    server, records = stored
    sent = payload.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    fields = [
        (f"/transcripts/{records[0]}/title/", {"title": sent}),
        ("/settings/people/", {"name": sent}),
        ("/settings/keys/", {"name": sent}),
        ("/settings/gateway/", {"where": "other", "url": sent, "key": sent}),
        ("/settings/preference/", {"field": "language", "language": sent}),
        ("/settings/password/", {"old": sent, "password": sent[:3]}),
    ]
    with visitor(server) as client:
        for path, data in fields:
            answer = client.post(path, data=data)
            assert answer.status_code in (200, 422), f"{path} answered {answer.status_code}"
            is_clean(answer.text)
        for path in ("/settings/", "/settings/keys/", "/transcripts/"):
            is_clean(client.get(path, params={"next": sent, "q": sent}).text)
    with httpx.Client(base_url=server.url) as stranger:
        stranger.get("/sign-in/")
        token = {"X-CSRFToken": stranger.cookies["csrftoken"]}
        answer = stranger.post("/sign-in/", data={"username": sent, "password": sent, "next": sent}, headers=token)
        assert answer.status_code in (422, 429)
        is_clean(answer.text)
        is_clean(stranger.get("/sign-in/", params={"next": sent}).text)


@pytest.mark.browser
def test_a_browser_runs_none_of_it(stored: tuple[RunningServer, list[str]]) -> None:
    from tests.browser.driving import chromium as find_chromium

    server, records = stored
    told: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = chromium.new_page()
        page.context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in server.sign_in().items()])
        page.on("dialog", lambda dialog: (told.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda said: told.append(said.text) if "Content Security Policy" in said.text else None)
        for path in ("/", "/transcripts/", *(f"/transcripts/{record}/" for record in records), "/settings/"):
            page.goto(server.url + path)
            assert page.locator("mw-evil").count() == 0
        chromium.close()
    assert told == []


def test_without_escaping_the_search_would_find_it() -> None:
    """The twin: what this file looks for is found where a page does not escape."""
    with pytest.raises(AssertionError):
        is_clean(f"<p>{PAYLOADS[0]}</p>")
    with pytest.raises(AssertionError):
        is_clean("<p onclick=x>")
