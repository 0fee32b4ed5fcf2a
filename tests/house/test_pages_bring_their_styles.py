"""A class that a page uses is styled by a sheet it loads: rules that move to another sheet take their pages along."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.running import ROOT

TEMPLATES = ROOT / "templates"
PAGES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if not path.name.startswith("_") and re.search(r"{% extends|<html", path.read_text())
)


@cache
def parts(name: str) -> frozenset[str]:
    """A template with all it extends and includes by name."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in found or not (TEMPLATES / one).is_file():
            continue
        found.add(one)
        waiting += re.findall(r'{% (?:include|extends) "([^"]+)"', (TEMPLATES / one).read_text())
    return frozenset(found)


@cache
def selectors(sheet: str) -> tuple[str, ...]:
    """All of a sheet's, each by itself."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "static/css" / sheet).read_text(), flags=re.S)
    several = re.findall(r"([^{};]+){", text)
    return tuple(one.strip() for group in several for one in group.split(",") if not one.strip().startswith("@"))


def classes(text: str) -> set[str]:
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", text))


@cache
def named(sheet: str) -> frozenset[str]:
    """The classes a sheet has any rule about."""
    return frozenset(classes(" ".join(selectors(sheet))))


@cache
def styled(sheet: str) -> frozenset[str]:
    """The classes a sheet has rules of their own for: `.a .b` is about what stands in an `.a`."""
    return frozenset(classes(" ".join(re.split(r"[\s>+~]", one)[0] for one in selectors(sheet))))


SHEETS = sorted(path.name for path in (ROOT / "static/css").glob("*.css"))


@pytest.mark.parametrize("page", PAGES)
def test_each_class_has_its_rules(page: str) -> None:
    text = " ".join((TEMPLATES / one).read_text() for one in parts(page))
    loaded = set(re.findall(r"css/([\w-]+\.css)", text))
    used = {
        name for value in re.findall(r'class="([^"]*)"', text) for name in re.sub(r"{[{%].*?[%}]}", " ", value).split()
    }
    here = frozenset[str]().union(*(named(sheet) for sheet in loaded))
    elsewhere = {name: [sheet for sheet in SHEETS if name in styled(sheet)] for name in used - here}
    assert {name: sheets for name, sheets in elsewhere.items() if sheets} == {}
