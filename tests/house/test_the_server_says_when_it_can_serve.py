"""`/healthz` is what supervisors and proxies go by."""

from __future__ import annotations

import httpx
import pytest

from memweb import health
from tests.running import RunningServer

pytestmark = pytest.mark.process


def test_a_running_server_says_it_can_serve(shared_server: RunningServer) -> None:
    answer = httpx.get(shared_server.url + "/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_an_older_database_is_told(shared_server: RunningServer) -> None:
    said = shared_server.ask(
        "from django.db import connection\n"
        "from memweb import health\n"
        "from django.db.migrations.recorder import MigrationRecorder\n"
        "from django.db.migrations.loader import MigrationLoader\n"
        "newest = next(key for key in MigrationLoader(connection).graph.leaf_nodes() if key[0] == 'accounts')\n"
        "MigrationRecorder(connection).record_unapplied(*newest)\n"
        "print(health.trouble())\n"
        "MigrationRecorder(connection).record_applied(*newest)\n"
        "print(health.trouble() or 'fine')\n"
    )
    assert said.splitlines() == [health.BEHIND, "fine"]


def test_a_server_that_is_going_away_says_so(shared_server: RunningServer) -> None:
    said = shared_server.ask("from memweb import health\nhealth.drain()\nprint(health.trouble())")
    assert said == "This server is going away."


def test_a_database_that_does_not_answer_is_told(shared_server: RunningServer) -> None:
    said = shared_server.ask(
        "from unittest import mock\n"
        "from django.db import OperationalError, connection\n"
        "from memweb import health\n"
        "with mock.patch.object(connection, 'cursor', side_effect=OperationalError):\n"
        "    print(health.trouble())\n"
    )
    assert said == "The database does not answer."
