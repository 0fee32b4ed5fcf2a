"""Every page that a person can reach, with what stands on it: it says its sentence, axe finds nothing, nothing is wider
than the window, light and dark, on a desk and on a phone.

A page without an entry here fails the first test. What other modules look at is in ELSEWHERE.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, ViewportSize, expect

from tests.browser import axe
from tests.browser.driving import Driven, browser
from tests.house.guarded import HTTP
from tests.house.test_every_route_is_guarded import PREPARE
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

SIZES = ViewportSize(width=1280, height=940), ViewportSize(width=390, height=844)
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
ELSEWHERE = {
    "": "dictation: test_accessibility",
    "upload/": "test_files_and_streams_are_accessible",
    "streams/": "test_files_and_streams_are_accessible",
    "streams/<uuid:record_id>/again/": "test_a_browser_watches_streams",
    "settings/callbacks/": "test_files_and_streams_are_accessible",
    "settings/callbacks/address/": "test_a_browser_shows_what_gateways_say",
    "settings/callbacks/<int:pk>/": "test_files_and_streams_are_accessible",
}
"""Whole pages that a module of their own looks at, by route, as the resolver spells it."""
MAKE = """
import json
from tests.browser import contents
print(json.dumps(contents.make()))
"""
RECORD = "/transcripts/{talk}/"


@dataclass(frozen=True)
class Made:
    """A server with everything on it."""

    server: RunningServer
    ids: dict[str, Any]
    sessions: dict[str, str]


@dataclass(frozen=True)
class Sight:
    """What is looked at: who goes where, what they do there, and a sentence that must then be seen."""

    route: str
    """As the resolver spells it; empty for what comes of a deed, or has no address."""
    path: str
    says: str
    who: str = "ann"
    then: Callable[[Page], object] = lambda page: None
    part: str = ""
    """What lies over the page, by selector: it alone is looked at where the page beneath has an entry of its own."""


# --- what is done on a page before it is looked at ---------------------------------------------------------


def open_menu(page: Page, name: str) -> None:
    page.locator("summary:visible", has_text=name).first.click()


def open_row_menu(page: Page) -> None:
    page.locator(".item details.acts summary").nth(3).click()


def choose_some(page: Page, menu: str = "") -> None:
    boxes = page.locator(".pick .check")
    for place in (1, 2, 4):
        boxes.nth(place).check()
    if menu:
        page.get_by_role("region", name="Selected records").locator("summary", has_text=menu).click()


def find_from_anywhere(page: Page, words: str = "") -> None:
    page.locator("h1").first.click()
    page.keyboard.press("Control+k")
    page.locator("#find").wait_for()
    if words:
        page.keyboard.type(words)
        page.locator("#found a").first.wait_for()


def say_farewell(page: Page) -> None:
    page.locator(".binned .check").first.check()
    page.get_by_role("button", name="Delete for good…").click()


def hear(page: Page) -> None:
    """The words have their places and the player its length, half way through."""
    page.locator(".w").first.wait_for()
    page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    page.get_by_role("slider", name="Position").press("PageUp")
    page.locator(".w.at").wait_for()


def edit(page: Page) -> None:
    page.locator(".w").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.locator("textarea:visible").wait_for()


def rename(page: Page) -> None:
    page.get_by_label("Rename").click()
    page.get_by_role("textbox", name="Title").wait_for()


def open_marks(page: Page) -> None:
    page.locator("#marks summary").first.click()
    page.locator("#marks summary").last.click()


def find_in_it(page: Page) -> None:
    page.locator(".w").first.wait_for()
    page.keyboard.press("Control+h")
    page.get_by_role("searchbox", name="Find in this transcript").fill("ferry")
    page.locator(".finder [role=status]", has_text="of").wait_for()


def press_key(page: Page, key: str, dialog: str) -> None:
    page.locator(".w").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press(key)
    page.get_by_role("dialog", name=dialog).wait_for()


def open_sheet(page: Page, link: str) -> None:
    page.get_by_role("link", name=link, exact=True).click()
    page.get_by_role("dialog", name=link).get_by_role("heading", name=link).wait_for()


def open_export(page: Page, name: str) -> None:
    page.get_by_role("link", name="More…").click()
    dialog = page.get_by_role("dialog", name="Export")
    dialog.get_by_role("radio", name=re.compile(f"^{name} ")).check()
    dialog.get_by_role("button", name=f"Save {name}").wait_for()


def refuse_number(page: Page) -> None:
    open_export(page, "SRT")
    page.get_by_label("Letters a line").fill("7")


def bring_in_what_is_none(page: Page) -> None:
    page.locator("#bring summary").click()
    file = FilePayload(name="notes.srt", mimeType="text/plain", buffer=b"\x00\x01no captions")
    page.get_by_label("SRT, VTT, JSON or text file").set_input_files(file)
    page.get_by_role("button", name="Add as a version").click()


def open_panels(page: Page) -> None:
    page.locator("details.panel").first.wait_for()
    page.locator("details.panel").evaluate_all("(panels) => { for (const panel of panels) panel.open = true; }")


def send(page: Page, button: str, **fields: str) -> None:
    """Fill in by label, send, and wait for the page that answers."""
    for label, value in fields.items():
        page.get_by_label(re.compile("^" + label.replace("_", " "))).first.fill(value)
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def choose_gateway(page: Page, address: str, button: str) -> None:
    section = page.locator("#gateway")
    section.get_by_role("radio", name="Another address").check()
    section.get_by_label("Address").last.fill(address.format(url=page.evaluate("location.origin")))
    section.get_by_label("Key").last.fill("sk-mem-wrong")
    section.get_by_role("button", name=button, exact=True).click()


def sign_in_wrongly(page: Page, times: int = 1) -> None:
    for _ in range(times):
        send(page, "Sign in", Name="bea" if times == 1 else "nobody", Password="not-this-one")


def as_somebody_else(page: Page, made: Made) -> None:
    """The page is the owner's still, and whoever sends it is not."""
    page.context.add_cookies([{"name": "sessionid", "value": made.sessions["other"], "url": made.server.url}])
    send(page, "Add", Add_somebody="Carol")


def without_token(page: Page) -> None:
    page.context.clear_cookies(name="csrftoken")
    send(page, "Sign in", Name="bea", Password="not-this-one")


def by_another_name(page: Page) -> None:
    page.goto(page.url.replace("localhost", "elsewhere.localhost"))


def break_it(page: Page, made: Made) -> None:
    """A table that is not there, as after an update that nobody migrated."""
    sql = "from django.db import connection\nconnection.cursor().execute('ALTER TABLE transcripts_tag{} RENAME TO {}')"
    made.server.ask(sql.format("", "transcripts_tag_away"))
    try:
        page.goto(f"{made.server.url}/transcripts/choices/tag/")
    finally:
        made.server.ask(sql.format("_away", "transcripts_tag"))


def guess_links(page: Page) -> None:
    for number in range(20):
        page.request.get(page.url.replace("nothing", f"nothing-{number}"))
    page.reload()


# --- the pages ---------------------------------------------------------------------------------------------

DIALOG, MENU = "dialog[open]", "details[open]"
LIBRARY = {
    "library-empty": Sight("transcripts/", "/transcripts/", "Nothing here yet", "other"),
    "library-put-away": Sight("transcripts/", "/transcripts/", "1 record lies in the archive", "bea"),
    "library-rich": Sight("transcripts/", "/transcripts/", "The harbour archive: a conversation of three"),
    "library-filtered": Sight("transcripts/", "/transcripts/?source=dictation&tag=radio", "Clear filters"),
    "library-unpassed": Sight("transcripts/", "/transcripts/?source=stream", "No record passes these filters."),
    "library-archive": Sight("transcripts/", "/transcripts/?shelf=archive", "Letter to the council"),
    "library-archive-empty": Sight(
        "transcripts/", "/transcripts/?shelf=archive", "Nothing is in the archive.", "other"
    ),
    "library-selected": Sight("transcripts/", "/transcripts/", "3 selected", then=choose_some),
    "library-selected-export": Sight(
        "transcripts/", "/transcripts/", "In one zip", then=partial(choose_some, menu="Export"), part=".bulk"
    ),
    "library-selected-tag": Sight(
        "transcripts/", "/transcripts/", "Take off", then=partial(choose_some, menu="Tag"), part=".bulk"
    ),
    "library-menu-row": Sight("transcripts/", "/transcripts/", "Move to the bin", then=open_row_menu, part=MENU),
    "library-menu-date": Sight(
        "transcripts/", "/transcripts/", "Any date", then=partial(open_menu, name="Any date"), part=MENU
    ),
    "library-menu-speaker": Sight(
        "transcripts/", "/transcripts/", "Kwame", then=partial(open_menu, name="Speaker"), part=MENU
    ),
    "library-menu-order": Sight(
        "transcripts/", "/transcripts/", "Oldest", then=partial(open_menu, name="Newest"), part=MENU
    ),
    "search-words": Sight("transcripts/", "/transcripts/?q=ferry+run", "best first"),
    "search-phrase": Sight("transcripts/", "/transcripts/?q=%22on+the+stairs%22", "on the stairs"),
    "search-speaker": Sight("transcripts/", "/transcripts/?q=speaker:kwame+ferry", "On the ferry"),
    "search-title": Sight("transcripts/", "/transcripts/?q=harbour", "In titles"),
    "search-arabic": Sight("transcripts/", "/transcripts/?q=الميناء", "بدأنا بتسجيل أصوات"),
    "search-none": Sight("transcripts/", "/transcripts/?q=zeppelin", "Nothing recorded here says"),
    "search-none-by-speaker": Sight("transcripts/", "/transcripts/?q=zeppelin&speaker=Maya", "has not said"),
    "search-unclosed": Sight("transcripts/", "/transcripts/?q=speaker:+%22ferry+-", "ferry"),
    "find-empty": Sight("", "/settings/", "Esc", then=find_from_anywhere, part=DIALOG),
    "find-words": Sight(
        "",
        "/settings/",
        "Everything found, in the library",
        then=partial(find_from_anywhere, words="ferry"),
        part=DIALOG,
    ),
    "find-none": Sight(
        "", "/settings/", "What else may find it", then=partial(find_from_anywhere, words="zeppelin"), part=DIALOG
    ),
    "choices-tag": Sight("transcripts/choices/<str:name>/", "/transcripts/choices/tag/", "#radio"),
    "choices-none": Sight(
        "transcripts/choices/<str:name>/", "/transcripts/choices/speaker/", "Choose by speaker", "bea"
    ),
    "moments": Sight("transcripts/<uuid:record_id>/moments/", RECORD + "moments/?q=ferry", "Found in one record"),
    "bin-rich": Sight("transcripts/bin/", "/transcripts/bin/", "3 records"),
    "bin-empty": Sight("transcripts/bin/", "/transcripts/bin/", "Nothing is in the bin.", "other"),
    "bin-farewell": Sight("", "/transcripts/bin/", "Nobody can bring them back", then=say_farewell),
}
RECORDS = {
    "record-conversation": Sight("transcripts/<uuid:record_id>/", RECORD, "Compare the two", then=hear),
    "record-renaming": Sight("", RECORD, "Save", then=rename),
    "record-marking": Sight("", RECORD, "A chapter begins here", then=open_marks),
    "record-found": Sight("", RECORD + "?at=3500&q=ferry", "Moment"),
    "record-editing": Sight("", RECORD, "next paragraph", then=edit),
    "record-finding": Sight("", RECORD, "Whole words", then=find_in_it),
    "record-speaker": Sight(
        "", RECORD, "Somebody else", then=partial(press_key, key="Alt+s", dialog="Who says this?"), part=DIALOG
    ),
    "record-keys": Sight(
        "",
        RECORD,
        "Press a key's button, then the new key.",
        then=partial(press_key, key="?", dialog="Keyboard"),
        part=DIALOG,
    ),
    "record-sharing": Sight("", RECORD, "Whoever has the link", then=partial(open_sheet, link="Share"), part=DIALOG),
    "record-again": Sight("", RECORD, "Who listens", then=partial(open_sheet, link="Transcribe again"), part=DIALOG),
    "export-refused": Sight("", RECORD, "a whole number from 16 to 100", then=refuse_number, part=DIALOG),
    "export-page-refused": Sight("", RECORD + "export/?format=srt&columns=5", "a whole number from 16 to 100"),
    "export-page": Sight("transcripts/<uuid:record_id>/export/", RECORD + "export/", "Save"),
    "record-bringing-refused": Sight("", "/transcripts/{interview}/", "notes.srt:", then=bring_in_what_is_none),
    "record-second-version": Sight("", RECORD + "?version=2", "Always show this version"),
    "record-arabic": Sight("", "/transcripts/{arabic}/", "من يتكلّم هنا"),
    "record-silent": Sight("", "/transcripts/{silent}/", "Nothing was heard."),
    "record-live": Sight("", "/transcripts/{live}/", "So the index is done"),
    "record-failed": Sight("", "/transcripts/{failed}/", "Retry"),
    "record-panelled": Sight("", "/transcripts/{panelled}/", "They greet.", then=open_panels),
    "record-binned": Sight("", "/transcripts/{binned}/", "is in the bin"),
    "panels": Sight(
        "transcripts/<uuid:record_id>/panels/", "/transcripts/{panelled}/panels/", "Two people", then=open_panels
    ),
    "result": Sight(
        "transcripts/<uuid:record_id>/results/<int:connection>/", "/transcripts/{panelled}/results/1/", "as it came"
    ),
    "result-indented": Sight("", "/transcripts/{panelled}/results/1/?indented", "As it came"),
    "panels-none": Sight("", "/transcripts/{silent}/panels/", "Nothing was said besides the text."),
    "paragraph": Sight("transcripts/<uuid:record_id>/text/", RECORD + "text/?segment=1-1", "Edit the paragraph at"),
    "journal": Sight("transcripts/<uuid:record_id>/changes/", RECORD + "changes/", "Put back"),
    "journal-empty": Sight("", "/transcripts/{silent}/changes/", "Nobody has changed anything here."),
    "comparison": Sight(
        "transcripts/<uuid:record_id>/comparison/<int:left>/<int:right>/",
        RECORD + "comparison/2/1/",
        "Comparing two versions",
    ),
    "marks": Sight("transcripts/<uuid:record_id>/marks/", RECORD + "marks/", "How it began"),
    "shares": Sight("transcripts/<uuid:record_id>/shares/", RECORD + "shares/", "Whoever has the link"),
    "shares-live": Sight("", "/transcripts/{unfinished}/shares/", "Live captions show the last lines"),
    "again": Sight("transcripts/<uuid:record_id>/again/", RECORD + "again/", "What is heard becomes a version"),
    "again-impossible": Sight("", "/transcripts/{silent}/again/", "Transcribe again"),
    "shared-text": Sight("shared/<str:token>/", "/shared/{plain}/", "Eleven kilos, with the batteries.", ""),
    "shared-sound": Sight("", "/shared/{sound}/", "Eleven kilos, with the batteries.", "", hear),
    "shared-arabic": Sight("", "/shared/{of_arabic}/", "من يتكلّم هنا", ""),
    "shared-long": Sight("", "/shared/{of_long}/", "An address.", ""),
    "shared-ended": Sight("", "/shared/{late}/", "This link does not work any more.", ""),
    "captions": Sight("captions/<str:token>/", "/captions/{captions}/", "Good evening, everybody.", ""),
}
SETTINGS = {
    "settings-owner": Sight("settings/", "/settings/", "Everybody has a library of their own."),
    "settings-user": Sight("settings/", "/settings/", "Choices are saved as you make them.", "other"),
    "settings-gateway-refused": Sight(
        "", "/settings/", "Write the address as", then=partial(choose_gateway, address="not an address", button="Save")
    ),
    "settings-gateway-tried": Sight(
        "", "/settings/", "does not accept this key", then=partial(choose_gateway, address="{url}", button="Test")
    ),
    "settings-gateway-saved": Sight(
        "", "/settings/", "Saved", "bea", partial(choose_gateway, address="{url}", button="Save")
    ),
    "settings-person-link": Sight(
        "", "/settings/", "It works once, within 15 minutes", then=partial(send, button="New link for bea")
    ),
    "settings-person-refused": Sight(
        "", "/settings/", "Somebody already has this name.", then=partial(send, button="Add", Add_somebody="bea")
    ),
    "settings-password-refused": Sight(
        "", "/settings/", "Current password", "new-here", partial(send, button="Change", New_password="short")
    ),
    "keys-none": Sight("settings/keys/", "/settings/keys/", "A key opens the gateway in your name.", "new-here"),
    "keys-some": Sight("settings/keys/", "/settings/keys/", "Revoked"),
    "keys-made": Sight(
        "", "/settings/keys/", "It is shown once", "bea", partial(send, button="Create", Create_a_key="Laptop")
    ),
    "webhook-none": Sight("settings/webhook/", "/settings/webhook/", "memweb posts each result", "other"),
    "webhook-some": Sight("settings/webhook/", "/settings/webhook/", "Last deliveries"),
    "webhook-secret": Sight(
        "",
        "/settings/webhook/",
        "For a day deliveries are signed",
        then=partial(send, button="Replace the signing secret"),
    ),
    "webhook-refused": Sight(
        "",
        "/settings/webhook/",
        "The URL must begin with",
        "bea",
        partial(send, button="Save", Address="ftp://hook.example/"),
    ),
    "deliveries-none": Sight("settings/webhook/deliveries/", "/settings/webhook/deliveries/", "Deliveries", "other"),
    "deliveries-some": Sight(
        "settings/webhook/deliveries/",
        "/settings/webhook/deliveries/",
        "No answer within 15 s.",
        then=lambda page: [one.click() for one in page.locator(".tries summary").all()],
    ),
    "usage-none": Sight("settings/usage/", "/settings/usage/", "Nothing was used in this month.", "other"),
    "usage-some": Sight("settings/usage/", "/settings/usage/", "Together", then=partial(open_menu, name="Day by day")),
    "usage-balance-refused": Sight(
        "",
        "/settings/usage/",
        "Save",
        then=lambda page: (
            page.locator("#accounts input.input").last.fill("a lot"),
            send(page, page.locator("#accounts button").last.get_attribute("aria-label") or ""),
        ),
    ),
    "archive-none": Sight("settings/archive/", "/settings/archive/", "There is nothing in your library yet.", "other"),
    "archive-some": Sight("settings/archive/", "/settings/archive/", "With the recordings"),
    "reference-start": Sight("reference/", "/reference/", "Your first transcript", ""),
    **{
        f"reference-{part}": Sight("reference/<slug:part>/", f"/reference/{part}/", says, "")
        for part, says in {
            "live": "How a session ends",
            "clients": "Official clients",
            "files": "Bring a file",
            "streams": "When a start is refused",
            "callbacks": "Receive and verify",
            "limits": "Limits and errors",
            "operations": "Every operation",
        }.items()
    },
}
DOOR = {
    "sign-in": Sight("sign-in/", "/sign-in/", "With your name and password", ""),
    "sign-in-wrong": Sight("", "/sign-in/", "do not belong together", "", sign_in_wrongly),
    "sign-in-waiting": Sight("", "/sign-in/", "Five wrong passwords", "", partial(sign_in_wrongly, times=5)),
    "sign-in-link-used": Sight("sign-in/link/<str:token>", "/sign-in/link/{used}", "Each works once", ""),
    "sign-up": Sight("sign-up/", "/sign-up/", "A name to sign in with", ""),
    "sign-up-refused": Sight(
        "",
        "/sign-up/",
        "Somebody already has this name.",
        "",
        partial(send, button="Make the account", Name="bea", Password="short"),
    ),
    "welcome-owner": Sight("welcome/", "/welcome/", "This memweb is yours"),
    "welcome-user": Sight("welcome/", "/welcome/", "Welcome to memweb", "other"),
    "wrong-400": Sight("", "/sign-in/", "asked for something memweb cannot read", "", by_another_name),
    "wrong-403-csrf": Sight("", "/sign-in/", "This page had grown old", "", without_token),
    "wrong-404": Sight("", "/nothing-here/", "There is nothing at this address"),
    "wrong-404-stranger": Sight("", "/nothing-here/", "There is nothing at this address", ""),
}
OF_THE_SERVER: dict[str, tuple[Sight, Callable[[Page, Made], object]]] = {
    "wrong-403": (Sight("", "/settings/", "This is not open to you"), as_somebody_else),
    "wrong-500": (Sight("", "/transcripts/", "Something broke here"), break_it),
}
AT_LAST = {"shared-too-many": Sight("", "/shared/nothing/", "Wait a minute.", "", guess_links)}
"""After it no link that does not work says so from here."""
SIGHTS = {**LIBRARY, **RECORDS, **SETTINGS, **DOOR, **AT_LAST}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    env = {"MEMWEB_OPEN_REGISTRATION": "true", "MEMWEB_ALLOW_PRIVATE_URLS": "127.0.0.1,localhost"}
    with RunningServer(tmp_path_factory.mktemp("pages"), env=env) as server:
        ids = json.loads(server.ask(MAKE).splitlines()[-1])
        sessions = {name: server.sign_in(name)["sessionid"] for name in ("ann", "bea", "other", "new-here", "owner")}
        yield Made(server, ids, sessions)


@pytest.fixture(scope="module")
def driven(made: Made) -> Iterator[Driven]:
    with browser(made.server, None, viewport=SIZES[0], reduced_motion="reduce") as driven:
        yield driven


def see(driven: Driven, made: Made, sight: Sight, then: Callable[[Page], object]) -> None:
    """Come as who it is, go there, do what is done there, and see the sentence."""
    page = driven.page
    driven.context.clear_cookies()
    if sight.who:
        # Playwright does not export the type of a cookie that is set.
        cookies: list[Any] = [{"name": "sessionid", "value": made.sessions[sight.who], "url": made.server.url}]
        driven.context.add_cookies(cookies)
    page.set_viewport_size(SIZES[0])
    page.emulate_media(color_scheme="light")
    page.goto(made.server.url + sight.path.format(**made.ids))
    page.evaluate("document.fonts.ready.then(() => null)")
    then(page)
    expect(page.get_by_text(sight.says).locator("visible=true").first).to_be_visible()
    page.wait_for_load_state()
    axe.load(page)


def look(driven: Driven, name: str, part: str = "") -> None:
    """At both sizes and in both schemes, without loading it again: the page must bear a window that is turned."""
    for size in SIZES:
        driven.page.set_viewport_size(size)
        for scheme in SCHEMES:
            driven.page.emulate_media(color_scheme=scheme)
            axe.check(driven.page, name, scheme, part=part)


def test_every_whole_page_has_an_entry(made: Made) -> None:
    """Whatever answers GET with a document of its own, to its owner or to a stranger."""
    ids = json.loads(made.server.ask(PREPARE).splitlines()[-1])["ids"]
    pages = set()
    for session in ({"sessionid": made.sessions["owner"]}, {}):
        with httpx.Client(base_url=made.server.url, cookies=session, timeout=30) as client:
            for route, door in HTTP.items():
                answer = client.get(door.path.format(**ids)) if door.verb == "GET" else None
                if answer is not None and answer.headers.get("Content-Type", "").startswith("text/html"):
                    pages |= {route} if "<html" in answer.text[:200] else set()
    assert len(pages) > 25
    assert pages == {sight.route for sight in SIGHTS.values() if sight.route} | set(ELSEWHERE)


@pytest.mark.parametrize("name", [name for name in SIGHTS if name not in AT_LAST])
def test_a_page_has_no_violation(driven: Driven, made: Made, name: str) -> None:
    see(driven, made, SIGHTS[name], SIGHTS[name].then)
    look(driven, name, SIGHTS[name].part)


def test_no_format_of_an_export_has_a_violation(driven: Driven, made: Made) -> None:
    """In one dialog, as a person would choose between them."""
    page = driven.page
    see(driven, made, Sight("", RECORD, "The beginning of it"), partial(open_export, name="PDF"))
    for name in ("Word", "PDF", "Text", "Markdown", "SRT", "VTT", "CSV", "JSON", "HTML"):
        page.get_by_role("radio", name=re.compile(f"^{name} ")).check()
        expect(page.get_by_role("button", name=f"Save {name}")).to_be_visible()
        look(driven, f"export-{name.lower()}", DIALOG)


@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_what_went_wrong_is_told_without_violation(driven: Driven, made: Made, name: str) -> None:
    sight, then = OF_THE_SERVER[name]
    see(driven, made, sight, lambda page: then(page, made))
    look(driven, name)


@pytest.mark.parametrize("name", AT_LAST)
def test_who_guesses_is_told_without_violation(driven: Driven, made: Made, name: str) -> None:
    see(driven, made, SIGHTS[name], SIGHTS[name].then)
    look(driven, name, SIGHTS[name].part)


def test_a_page_with_faults_would_be_found(driven: Driven, made: Made) -> None:
    page, sight = driven.page, SIGHTS["settings-owner"]
    for fault, found in {
        "for (const one of document.querySelectorAll('label')) one.remove()": "label:",
        "document.querySelector('h1').setAttribute('class', 'sub'); document.documentElement.dataset.theme = 'dark';"
        "document.body.style.background = '#888'": "color-contrast:",
        "document.querySelector('h1').replaceChildren(Object.assign(document.createElement('pre'), "
        "{ textContent: 'w'.repeat(400) }))": "settings-broken is wider",
    }.items():
        see(driven, made, sight, sight.then)
        page.evaluate(fault)
        with pytest.raises(AssertionError, match=found):
            look(driven, "settings-broken")
