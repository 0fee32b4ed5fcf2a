"""One server and one simulated gateway for all drills that leave both as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dictation.evidence import environment
from tests.running import RunningServer
from tests.upstream_simulator import Simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture(scope="session")
def heard_server(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[RunningServer]:
    """A server whose gateway is the simulator."""
    with RunningServer(tmp_path_factory.mktemp("heard"), env=environment(simulator)) as running:
        yield running


@pytest.fixture(scope="session")
def owner(heard_server: RunningServer) -> dict[str, str]:
    """The owner's session on that server."""
    return heard_server.sign_in()


@pytest.fixture(autouse=True)
def _no_fault_is_left(request: pytest.FixtureRequest) -> None:
    if "simulator" in request.fixturenames:
        request.getfixturevalue("simulator").faults.clear()
