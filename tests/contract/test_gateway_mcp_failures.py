"""The tools over MCP on bad days: what they read is down, something of ours fails, clients hang up."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.contract.gateway_fakes import Clock, Door, door, trail
from tests.contract.gateway_mcp import ACCEPT, gate, message, problem, text, town
from tests.contract.gateway_town import Town

from reprise.gateway import upstream
from reprise.gateway.session import MAX_TOOLS_AT_ONCE
from reprise.gateway.tools import call as calls

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")


async def test_what_is_down_is_said_without_its_address(gate: Door, town: Town) -> None:
    await text(gate, "attempt")
    town.down = True
    found = await problem(gate, "list_resources", resource="pods")
    assert "127.0.0.1" not in found
    assert "etcd" not in found
    town.down = False
    assert "cart-1" in await text(gate, "list_resources", resource="pods")


async def test_a_failure_of_ours_is_told_without_its_words(gate: Door, town: Town) -> None:
    town.objects["Service"][0]["metadata"]["ownerReferences"] = [{"name": "no kind"}]
    found = await problem(gate, "recent_changes", resources=["pods", "services"])
    assert found == "this could not be answered; asking again will not help"


async def test_more_than_a_tool_reads_is_refused_with_what_to_do(
    gate: Door, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_JSON_BYTES", 10_000)
    town.samples = 1000
    assert "a shorter range" in await problem(gate, "query_metrics_range", query="up")
    town.samples = 100
    assert "1 series" in await text(gate, "query_metrics_range", query="up")


async def test_what_a_tool_reads_counts_together(
    gate: Door, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_JSON_BYTES", 3000)
    assert "ask for less" in await problem(gate, "recent_changes")
    assert "changes since" in await text(gate, "recent_changes", resources=["services"])


async def test_a_submission_waits_for_no_tool_that_reads(gate: Door, town: Town) -> None:
    town.holds = True
    reading = [
        asyncio.create_task(
            gate.ask(
                "POST",
                "/mcp",
                headers=ACCEPT,
                json=message("tools/call", name="logs", arguments={"pod": "cart-1"}),
            )
        )
        for _ in range(MAX_TOOLS_AT_ONCE + 1)
    ]
    try:
        async with asyncio.timeout(10):
            for _ in range(MAX_TOOLS_AT_ONCE):
                await town.held.get()
            await text(
                gate, "submit", entities=[{"kind": "Deployment", "namespace": "otel-demo", "name": "cart"}]
            )
        assert town.held.empty()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_topology_does_without_traces(tmp_path: Path, town: Town) -> None:
    async with door(tmp_path, town, Clock()) as gate:
        found = await text(gate, "topology_neighbours", entity="Deployment/cart")
        assert "traces cannot be read now" in found
        assert "ConfigMap/settings" in found
        assert "does not answer" in await problem(gate, "alerts")


async def test_clients_that_hang_up_leave_nothing_behind(gate: Door, town: Town, tmp_path: Path) -> None:
    town.holds = True
    asked: list[tuple[str, dict[str, Any]]] = [
        ("get_resource", {"resource": "cm", "name": "settings"}),
        ("logs", {"pod": "cart-1"}),
    ]
    # More than may read at a time: were they not stopped, nobody could read any more.
    rounds = 2 * upstream.MAX_READS // MAX_TOOLS_AT_ONCE
    for _ in range(rounds):
        calls = [
            asyncio.create_task(
                gate.ask(
                    "POST", "/mcp", headers=ACCEPT, json=message("tools/call", name=name, arguments=given)
                )
            )
            for name, given in asked * (MAX_TOOLS_AT_ONCE // len(asked))
        ]
        async with asyncio.timeout(10):
            for _ in calls:
                await town.held.get()
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(10):
        assert "cart-1" in await text(gate, "list_resources", resource="pods")
        while [line["status"] for line in trail(tmp_path)].count(499) < rounds * MAX_TOOLS_AT_ONCE:
            assert "cart-1" in await text(gate, "list_resources", resource="pods")
    # What serves a message is gone with its client.
    assert [task for task in asyncio.all_tasks() if "run_stateless_server" in repr(task.get_coro())] == []
