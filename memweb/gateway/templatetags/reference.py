"""Blocks of code on the pages of the reference, with this very server's address in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from memweb.gateway.reference import blocks
from memweb.gateway.reference.blocks import Block, Frame

register = template.Library()
_CODE = SafeString("<code>"), SafeString("</code>")


def _here(context: template.Context, block: Block) -> Block:
    request = context["request"]
    text = blocks.addressed(block.text.rstrip("\n"), request.get_host(), secure=request.is_secure())
    return replace(block, text=text)


@register.inclusion_tag("gateway/reference/_example.html", takes_context=True)
def example(context: template.Context, name: str, title: str) -> dict[str, Any]:
    """An example in each of its languages, and what is answered to it."""
    programs = [_here(context, block) for block in blocks.programs(name)]
    answer = blocks.answer(name)
    return {"name": name, "title": title, "programs": programs, "answer": answer and _here(context, answer)}


@register.inclusion_tag("gateway/reference/_frames.html", takes_context=True)
def frames(context: template.Context, kind: str, sender: str) -> dict[str, Any]:
    """The messages of a dialect that this side sends."""
    told: list[Frame] = [frame for frame in blocks.frames(kind) if frame.sender == sender]
    return {"kind": kind, "frames": told}


@register.filter
def coded(text: str) -> SafeString:
    """What stands between backticks, as code."""
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}{}{}", ((_CODE[0], piece, _CODE[1]) if at % 2 else ("", piece, "") for at, piece in pieces)
    )
