"""The door and the settings in a real Chromium: saved as they are changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.driving import chromium
from tests.running import RunningServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("settings")) as running:
        yield running


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light desk", "dark phone"])
def page(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Page]:
    scheme, width = request.param
    cookies = [{"name": name, "value": value, "url": server.url} for name, value in server.sign_in().items()]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(
            base_url=server.url, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
        )
        context.add_cookies(cookies)  # type: ignore[arg-type]
        yield context.new_page()
        browser.close()


def test_a_switch_and_a_choice_are_saved_as_they_are_made(page: Page) -> None:
    page.goto("/settings/")
    switch = page.get_by_role("switch", name="Remove background noise")
    was = switch.is_checked()
    switch.click()
    expect(page.locator("form", has=switch).get_by_text("Saved")).to_be_visible()
    page.get_by_label("Spoken language").select_option("fr")
    expect(page.locator("#language").get_by_text("Saved")).to_be_visible()
    page.reload()
    assert page.get_by_role("switch", name="Remove background noise").is_checked() != was
    expect(page.get_by_label("Spoken language")).to_have_value("fr")


def test_a_notice_of_any_length_stays_within_the_window(page: Page) -> None:
    page.goto("/settings/")
    page.context.set_offline(True)
    page.get_by_role("switch", name="Cancel echo").click()
    words = page.locator("#notices p")
    words.wait_for()
    words.evaluate("(said) => { said.textContent = 'Nothing was lost on the way. '.repeat(9); }")
    box = page.locator("#notices").bounding_box()
    assert box is not None
    assert 0 < box["x"] < box["x"] + box["width"] < page.evaluate("window.innerWidth")


def test_a_switch_that_is_not_saved_goes_back_and_says_why(page: Page) -> None:
    page.goto("/settings/")
    switch, notices = page.get_by_role("switch", name="Cancel echo"), page.locator("#notices")
    was = switch.is_checked()
    page.context.set_offline(True)
    switch.click()
    expect(notices).to_contain_text("No answer: not saved. Try again.")
    assert switch.is_checked() == was
    page.context.set_offline(False)
    page.context.clear_cookies(name="sessionid")
    switch.click()
    expect(notices.locator("p")).to_have_text(["You are signed out: not saved."])
    assert switch.is_checked() == was
    page.get_by_role("link", name="Sign in again").click()
    page.wait_for_url("**/sign-in/?next=/settings/")


def test_a_gateway_is_saved_and_tried(page: Page, server: RunningServer) -> None:
    page.goto("/settings/")
    section = page.locator("#gateway")
    section.get_by_role("radio", name="Another address").check()
    section.get_by_label("Address").last.fill(server.url)
    section.get_by_label("Key").last.fill("sk-mem-wrong")
    section.get_by_role("button", name="Save", exact=True).click()
    expect(section.get_by_text("Saved")).to_be_visible()
    section.get_by_role("button", name="Test").click()
    expect(section.get_by_text("does not accept this key")).to_be_visible(timeout=30_000)
    section.get_by_label("Key").last.fill(server.key())
    section.get_by_role("button", name="Save", exact=True).click()
    expect(section.get_by_text("Saved")).to_be_visible()
    section.get_by_role("button", name="Test").click()
    expect(section.get_by_text("It works.")).to_be_visible(timeout=30_000)


def test_a_refused_address_is_told_beside_it(page: Page) -> None:
    page.goto("/settings/")
    section = page.locator("#gateway")
    section.get_by_role("radio", name="Another address").check()
    section.get_by_label("Address").last.fill("not an address")
    section.get_by_role("button", name="Save", exact=True).click()
    alert = section.get_by_role("alert")
    expect(alert).to_contain_text("Write the address as")
    colours = "([one, other]) => [one, other].map((name) => getComputedStyle(document.querySelector(name)).color)"
    refused, saved = page.evaluate(colours, [".saved.bad", "#language .saved"])
    assert refused != saved, "a refusal does not look like what was kept"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_key_is_copied_while_it_is_shown(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/settings/keys/")
    page.get_by_label("Create a key").fill("Lecture room")
    page.get_by_role("button", name="Create").click()
    page.wait_for_load_state()  # the button is there before the script that makes it copy
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#secret").inner_text()


def test_the_first_page_asks_for_the_microphone_and_says_what_came(page: Page) -> None:
    page.goto("/welcome/")
    page.get_by_role("button", name="Allow").click()
    expect(page.locator("mem-permission [role=status]")).not_to_have_text("your browser will ask")
