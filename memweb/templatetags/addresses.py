"""Addresses in every template, without loading anything."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_AFTER = re.compile(r"(?<=[\w/])([/?&=]+)(?=\w)|(?<=[^\W\d])(?=[.@]\w)")


@register.filter
def folding(text: str) -> SafeString:
    """An address that a narrow column folds where its parts meet, and nowhere else if it can."""
    parts = _AFTER.sub(lambda found: f"{found[0]}\n", str(text).replace("\n", " ")).split("\n")
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in parts))
