"""axe in a page of the browser's tests: what it finds there, and what each state of a page must pass."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SHOTS = os.environ.get("BROWSER_SCREENSHOTS", "")
"""A folder for photographs; empty: none are taken."""
_RUN = """() => axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations'], selectors: false,
}).then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' | ')}`))"""


def load(page: Page) -> None:
    """Put axe into the page: once after each time it is opened."""
    page.evaluate(AXE.read_text())


def violations(page: Page) -> Any:
    """Each rule that is broken, with what breaks it."""
    return page.evaluate(_RUN)


def check(page: Page, name: str, scheme: str, *, full_page: bool = False) -> None:
    """axe finds nothing, and nothing is wider than the window."""
    if SHOTS:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=f"{SHOTS}/{name}-{scheme}-{width}.png", full_page=full_page)
    assert violations(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"
