"""What is told of a stream beside its words: where it comes from, who listens, at what price."""

from __future__ import annotations

from memweb.accounts.gateways import listener
from memweb.speech import meter
from memweb.upstream.address import Gateway
from transcripts.models import Job, Record
from transcripts.shown import wording
from transcripts.streams import ADDRESS


def address_of(job: Job | None) -> str:
    """Its address, without a password or a key in it."""
    return str(job.options.get(ADDRESS, "")) if job else ""


def listener_of(record: Record) -> str:
    """Who listens to it, or did."""
    return listener(Gateway(record.gateway, key="", built_in=not record.gateway), record.provider)


def cost_of(record: Record) -> str:
    """What it has cost at a hosted gateway; empty on this machine."""
    rate = meter.RATES.get(record.provider)
    if not record.gateway or rate is None:
        return ""
    so_far = " so far" if record.status == Record.Status.LIVE else ""
    return f"{wording.dollars(meter.cost(meter.units_of(record.duration_ms), rate))}{so_far}, ${rate} an hour"
