"""What every page knows of uploads, since every page takes them."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def uploads(request: HttpRequest) -> dict[str, int]:
    """`upload_piece`: bytes a page sends at once."""
    return {"upload_piece": settings.UPLOAD_PIECE_KB * 1024}
