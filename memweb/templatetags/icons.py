"""Icons in every template, without loading anything."""

from __future__ import annotations

from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
@cache
def icon(name: str, look: str = "") -> SafeString:
    """A drawing of the sprite, for the eye alone: what it means is said beside it. `look` is one more CSS class."""
    classes, drawing = f"i {look}".strip(), f"{static('icons/sprite.svg')}#{name}"
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, drawing)
