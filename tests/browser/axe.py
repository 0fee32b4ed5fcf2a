"""axe in a page of the browser's tests: what it finds there, and what each state of a page must pass."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SHOTS = os.environ.get("BROWSER_SCREENSHOTS", "")
"""A folder for photographs; empty: none are taken."""
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
# What breaks a rule is all that is asked for: to describe what keeps them takes axe half of its time.
_RUN = """([part, only]) => axe.run(part ? document.querySelector(part) : document, {
  resultTypes: ['violations'], selectors: false, runOnly: only,
}).then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' | ')}`))"""
_RIGHT = """Math.max(0, document.documentElement.scrollWidth,
  ...[...document.querySelectorAll('.player, .player *')]
    .map((one) => Math.round(one.getBoundingClientRect().right)))"""
"""How far to the right the page goes, its player too, which hides what does not fit."""
_EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that look at colours: the dark scheme changes nothing else."""


def load(page: Page) -> None:
    """Put axe into the page, once after each time it is opened and when its styles are there."""
    page.wait_for_load_state()
    page.evaluate(_AXE.read_text())


def violations(page: Page, scheme: str = "light", *, part: str = "") -> Any:
    """Each rule that is broken, with what breaks it. In dark, only those of colours; `part`: a selector."""
    return page.evaluate(_RUN, [part, _EVERYTHING if scheme == "light" else _COLOURS])


def check(page: Page, name: str, scheme: str, *, part: str = "", full_page: bool = False) -> None:
    """axe finds nothing, and nothing is wider than the window."""
    if SHOTS:
        width = page.viewport_size["width"] if page.viewport_size else 0
        # The caret is hidden by a style in the page, which the content policy of these pages stops and reports.
        page.screenshot(path=f"{SHOTS}/{name}-{scheme}-{width}.png", full_page=full_page, caret="initial")
    found = violations(page, scheme, part=part)
    assert not found, f"{name}: {found}"
    assert page.evaluate(f"{_RIGHT} <= innerWidth"), f"{name} is wider than the window"
