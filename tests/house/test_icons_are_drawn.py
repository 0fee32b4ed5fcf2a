"""Every icon a template names is in the sprite, and is drawn for the eye alone."""

from __future__ import annotations

import re

from memweb.templatetags.icons import icon
from tests.running import ROOT


def test_every_icon_named_in_a_template_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons/sprite.svg").read_text()))
    named = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', path.read_text())
    }
    assert len(named) > 20
    assert named <= drawn


def test_an_icon_says_nothing_to_who_listens() -> None:
    assert icon("x") == '<svg class="i" aria-hidden="true"><use href="/static/icons/sprite.svg#x"/></svg>'
    assert 'class="i solid"' in icon("pause", "solid")
