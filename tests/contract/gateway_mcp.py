"""The gateway before a town, and the SDK's own client over real HTTP: what test_gateway_mcp*.py share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.contract.gateway_fakes import TOKEN, Clock, Door, door
from tests.contract.gateway_town import Town

BUDGET = {"wallClockSeconds": 600, "requests": 100}
ACCEPT = {"Accept": "application/json, text/event-stream"}
READING = [
    ("list_resources", {"resource": "pods"}),
    ("get_resource", {"resource": "pods", "name": "cart-1"}),
    ("describe_resource", {"resource": "pods", "name": "cart-1"}),
    ("logs", {"pod": "cart-1"}),
    ("events", {"namespace": "*"}),
    ("alerts", {}),
    ("query_metrics", {"query": "up"}),
    ("query_metrics_range", {"query": "up", "step_seconds": 3600}),
    ("search_traces", {"service": "frontend"}),
    ("get_trace", {"trace_id": "abc1"}),
    ("trace_errors", {"service": "frontend"}),
    ("topology_neighbours", {"entity": "Deployment/cart"}),
    ("topology_path", {"source": "App/frontend", "target": "ConfigMap/settings"}),
    ("recent_changes", {"namespace": "*"}),
    ("attempt", {}),
]


@pytest.fixture
def town() -> Town:
    return Town.with_attempt(budgets=BUDGET)


@pytest.fixture
async def gate(tmp_path: Path, town: Town) -> AsyncIterator[Door]:
    async with door(tmp_path, town, Clock(), town.backends()) as made:
        yield made


@asynccontextmanager
async def client(gate: Door, mode: str = "auto", token: str = TOKEN) -> AsyncIterator[Client]:
    url = str(gate.http.make_url("/mcp"))
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as made,
    ):
        yield made


async def call(gate: Door, tool: str, **arguments: Any) -> tuple[bool, str]:
    """Whether it is an error, and the text."""
    async with client(gate) as agent:
        result = await agent.call_tool(tool, arguments)
    (content,) = result.content
    return bool(result.is_error), content.text  # type: ignore[union-attr]


async def text(gate: Door, tool: str, **arguments: Any) -> str:
    is_error, found = await call(gate, tool, **arguments)
    assert not is_error, found
    return found


async def problem(gate: Door, tool: str, **arguments: Any) -> str:
    is_error, found = await call(gate, tool, **arguments)
    assert is_error, found
    return found


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
