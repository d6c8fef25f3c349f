"""A gateway in front of two pods, for the modules test_gateway_*."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.gateway_fakes import TOKEN, Clock, Cluster, Door, attempt, door, pod

from reprise.gateway import registry as registries


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster(pods=[pod("a"), pod("b")])
    made.put(attempt(TOKEN))
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway tries again, and stores, at once."""
    monkeypatch.setattr(registries, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr("reprise.gateway.session.PERSIST_SECONDS", 0.05)


@pytest.fixture
async def gate(tmp_path: Path, cluster: Cluster) -> AsyncIterator[Door]:
    async with door(tmp_path, cluster, Clock()) as made:
        yield made
