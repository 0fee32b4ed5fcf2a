"""The second pass: a sealed recording heard again by the stronger engine."""

from __future__ import annotations

from transcripts.jobs import Lease


def make(lease: Lease) -> None:
    raise NotImplementedError
