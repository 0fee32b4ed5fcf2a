"""Recordings: sealing a spool into FLAC."""

from __future__ import annotations

from transcripts.jobs import Lease


def seal(lease: Lease) -> None:
    raise NotImplementedError
