"""What a drill leaves behind, read from disk and database and not from what anybody said."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from uuid import UUID

from memweb.speech import frames
from tests.page_client import PageClient
from tests.running import ROOT, RunningServer
from tests.upstream_simulator import Simulator, numbers_in

DRILLS = int(os.environ.get("MEMWEB_DRILLS", "2"))
"""How often each random drill strikes; hundreds at night, few in the suite."""


def environment(simulator: Simulator, **more: str) -> dict[str, str]:
    """A server's settings that point it to the simulated gateway."""
    return {"MEMWEB_GATEWAY_URL": simulator.url, "MEMWEB_GATEWAY_KEY": simulator.key, **more}


def broken(folder: Path, code: str) -> dict[str, str]:
    """Settings that make a server run `code` first: how a guard is taken out for a broken twin."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}


def spooled(server: RunningServer, record_id: UUID) -> list[frames.Frame]:
    """The frames on the server's disk, in order; fails when anything else is in the file."""
    data = (server.data_dir / "spools" / f"{record_id}.mwspool").read_bytes()
    found, used = frames.read(data)
    assert used == len(data), "the spool has a torn tail"
    assert [frame.header.number for frame in found] == list(range(len(found)))
    return found


def spooled_sha256(server: RunningServer, record_id: UUID) -> str:
    return hashlib.sha256(b"".join(frame.pcm for frame in spooled(server, record_id))).hexdigest()


def kept_text(server: RunningServer, record_id: UUID) -> str:
    """The committed text of a record, from the database, in order of time."""
    return str(
        json.loads(
            server.ask(
                "import json\nfrom transcripts import queries\n"
                f"print(json.dumps(' '.join(row.text for row in queries.live_segments('{record_id}'))))"
            )
        )
    )


def record_of(server: RunningServer, record_id: UUID) -> dict[str, object]:
    """status, duration_ms, messages and connections of a record."""
    found: dict[str, object] = json.loads(
        server.ask(
            "import json\nfrom transcripts.models import Message, Record\n"
            f"r = Record.objects.get(pk='{record_id}')\n"
            "m = Message.objects.filter(record=r)\n"
            "print(json.dumps({'status': r.status, 'duration_ms': r.duration_ms, 'messages': m.count(),"
            "'connections': len(set(m.values_list('connection', flat=True))), 'owner': r.owner_id,"
            "'over': r.ended_at is not None}))"
        )
    )
    return found


def assert_whole(server: RunningServer, page: PageClient) -> None:
    """Every sample that was made is on disk, and every frame is in the text exactly once, there and on the page."""
    assert page.acked == page.made
    assert spooled_sha256(server, page.record_id) == page.sha256
    assert numbers_in(kept_text(server, page.record_id)) == list(range(page.made))
    assert numbers_in(page.text) == list(range(page.made))
    assert page.doubled == []
