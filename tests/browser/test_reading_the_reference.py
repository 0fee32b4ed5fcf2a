"""The pages of the reference in a real Chromium: one choice of language, copies of what is shown, no script needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.driving import chromium
from tests.running import RunningServer

pytestmark = pytest.mark.browser


@contextmanager
def reading(server: RunningServer, **options: Any) -> Iterator[Page]:
    """A page of somebody without an account."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(base_url=server.url, reduced_motion="reduce", **options)
        yield context.new_page()
        browser.close()


def test_one_choice_holds_for_every_example_and_page(shared_server: RunningServer) -> None:
    with reading(shared_server) as page:
        page.goto("/reference/")
        examples = page.locator(".ex")
        expect(examples.nth(0)).to_contain_text("curl http://")
        expect(examples.nth(0).get_by_text("import httpx")).to_be_hidden()
        examples.nth(1).get_by_role("radio", name="Python").check(force=True)
        expect(examples.nth(0).get_by_text("import httpx")).to_be_visible()
        expect(examples.nth(0).get_by_role("radio", name="Python")).to_be_checked()
        page.get_by_role("navigation", name="Reference").get_by_role("link", name="Streams").click()
        start = page.locator("#start .ex")
        expect(start.get_by_role("radio", name="Python")).to_be_checked()
        start.get_by_role("radio", name="Python").press("ArrowLeft")
        expect(start.get_by_role("radio", name="curl")).to_be_checked()
        expect(start.get_by_role("group", name="curl: Start a stream")).to_be_visible()
        expect(start.get_by_role("group", name="Python: Start a stream")).to_be_hidden()


def test_what_is_copied_is_what_is_shown(shared_server: RunningServer) -> None:
    with reading(shared_server, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto("/reference/")
        page.locator("#keys").get_by_role("radio", name="Python").check(force=True)
        page.get_by_role("button", name="Copy Transcribe a file").click()
        expect(page.locator("#first .exhead").get_by_text("Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator("#first [data-language=Python]").text_content()
        assert f'"{shared_server.url}/v1/audio/transcriptions"' in copied


def test_all_of_it_can_be_read_without_scripts(shared_server: RunningServer) -> None:
    with reading(shared_server, java_script_enabled=False) as page:
        page.goto("/reference/files/")
        example = page.locator("#upload .ex")
        expect(example.get_by_text("curl http://")).to_be_visible()
        example.get_by_role("radio", name="Python").check(force=True)
        expect(example.get_by_text("import httpx")).to_be_visible()
        expect(example.get_by_text("curl http://")).to_be_hidden()
        expect(example.get_by_role("button")).to_be_hidden()


def test_an_address_of_an_operation_opens_it(shared_server: RunningServer) -> None:
    with reading(shared_server) as page:
        page.goto("/reference/operations/#set-webhook")
        expect(page.locator("#set-webhook").get_by_role("table", name="Body of set-webhook")).to_be_visible()
        expect(page.locator("#get-webhook").get_by_role("table")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 320])
def test_only_blocks_of_code_scroll_sideways_on_a_phone(shared_server: RunningServer, width: int) -> None:
    with reading(shared_server, viewport={"width": width, "height": 800}) as page:
        for part in ("", "live/", "clients/", "files/", "streams/", "callbacks/", "limits/", "operations/"):
            page.goto(f"/reference/{part}")
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
        page.goto("/reference/")
        block = page.get_by_role("group", name="curl: Transcribe a file")
        block.focus()
        expect(block).to_be_focused()
        assert block.evaluate("(one) => one.scrollWidth > one.clientWidth")
