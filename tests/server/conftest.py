"""Servers for proofs about servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.serving import Process


@pytest.fixture(scope="module", params=["memweb", "uvicorn"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server memweb starts, and the one operators may choose instead."""
    with Process(request.param, tmp_path_factory.mktemp(request.param)) as process:
        yield process


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Process("memweb", tmp_path_factory.mktemp("repaired")) as process:
        yield process


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Daphne as it comes: the proofs must fail on it."""
    with Process("daphne", tmp_path_factory.mktemp("stock")) as process:
        yield process
