"""How long a request's body may be, by its address. The server holds to it while the body comes: it lies on the disk
from its first byte, before a page knows who sends. At the gateway's addresses who sends a long one is asked before that
(`asgi.ask`).
"""

from __future__ import annotations

from urllib.parse import unquote

from django.conf import settings

SLACK = 1 << 20
"""What a form is longer than its file; and so much more than an address takes is still refused in its own words."""
FILES = (
    "/upload/",
    "/uploads/",
    "/transcripts/import/",
    "/serve/api/v2/upload",
    "/v2/upload",
    "/v1/speech-to-text",
    "/v1/audio/transcriptions",
)
"""Where files are brought. A tus client may send one whole, too."""


def longest(path: str) -> int:
    """Bytes, for a path as it stands in the request line."""
    plain = unquote(path.partition("?")[0])
    if plain.startswith(FILES):
        return settings.MAX_UPLOAD_MB * 10**6 + SLACK
    if plain.startswith("/hooks/"):
        return settings.CALLBACK_LIMIT + SLACK
    return (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + SLACK
