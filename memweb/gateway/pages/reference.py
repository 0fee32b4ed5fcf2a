"""The reference for programs: how to speak to this gateway, with examples that run as they stand.

Open to everybody, as the OpenAPI document is: whoever writes a program may have a key and no account. It says nothing
of this installation but its address.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from memweb.gateway import courier
from memweb.gateway.reference import amounts, live, operations, providers
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.openai import transcriptions

PARTS = {
    "start": ("Start here", {"first": "Your first transcript", "address": "The address", "keys": "Keys"}),
    "live": (
        "Live speech",
        {
            "open": "Open a session",
            "elevenlabs": "In ElevenLabs' dialect",
            "assemblyai": "In AssemblyAI's dialect",
            "end": "How a session ends",
            "refusals": "When a handshake is refused",
            "tokens": "From a browser",
        },
    ),
    "clients": ("Official clients", {"elevenlabs": "ElevenLabs", "assemblyai": "AssemblyAI", "openai": "OpenAI"}),
    "files": (
        "Files",
        {
            "upload": "Bring a file",
            "signed": "Let somebody else bring it",
            "words": "Its words, as a provider gives them",
            "whisper": "Its words, by Whisper",
            "speakers": "Its voices",
            "later": "Later, by callback",
            "keeping": "Look, fetch, delete",
        },
    ),
    "streams": (
        "Streams",
        {"start": "Start", "stop": "Stop", "told": "What is posted", "refused": "When a start is refused"},
    ),
    "callbacks": (
        "Callbacks",
        {
            "set": "Say where to",
            "receive": "Receive and verify",
            "shapes": "What is posted",
            "try": "Try it, and look back",
        },
    ),
    "limits": ("Limits and errors", {"errors": "Errors", "money": "Money", "limits": "Limits"}),
    "operations": ("Every operation", {}),
}
"""The pages by the last part of their address, which the first does not have: the name of each, and its sections."""


@require_safe
def reference(request: HttpRequest, part: str = "start") -> HttpResponse:
    """One page of the reference."""
    if part not in PARTS:
        raise Http404
    secure = "s" if request.is_secure() else ""
    context = {
        "part": part,
        "name": PARTS[part][0],
        "parts": [(slug, name, sections.items()) for slug, (name, sections) in PARTS.items()],
        "address": f"http{secure}://{request.get_host()}",
        "ws_address": f"ws{secure}://{request.get_host()}",
        **_tables(part),
    }
    return render(request, f"gateway/reference/{part}.html", context)


def _tables(part: str) -> dict[str, Any]:
    """What the page takes from what the gateway itself goes by."""
    if part == "live":
        return {"parameters": live.PARAMETERS, "lacking": live.LACKING, "ends": live.ends()}
    if part == "clients":
        lacking = {
            "ElevenLabs": scribe.LACKING,
            "AssemblyAI": transcripts.LACKING,
            "OpenAI": transcriptions.LACKING,
        }
        told = {"addresses": providers.ADDRESSES, "honoured": providers.HONOURED, "lacking": lacking}
        return told | {"models": transcriptions.MODELS}
    if part == "callbacks":
        return {"tries": len(courier.SCHEDULE_S) + 1, "timeout_s": int(courier.TIMEOUT_S)}
    if part == "limits":
        return {"prices": amounts.prices(), "limits": amounts.limits()}
    if part == "operations":
        return {"groups": operations.operations()}
    return {}
