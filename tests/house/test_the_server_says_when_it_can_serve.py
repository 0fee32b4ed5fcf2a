"""`/healthz` is what supervisors and proxies go by."""

from __future__ import annotations

import httpx
import pytest

from tests.running import RunningServer

pytestmark = pytest.mark.process


def test_a_running_server_says_it_can_serve(shared_server: RunningServer) -> None:
    answer = httpx.get(shared_server.url + "/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
