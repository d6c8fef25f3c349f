"""The tools over MCP: what a call costs, what ends an attempt, and what the door writes down."""

import asyncio
from pathlib import Path

import pytest
from tests.contract.gateway_fakes import OTHER_TOKEN, Clock, Door, attempt, door, trail
from tests.contract.gateway_mcp import ACCEPT, client, gate, message, text, town
from tests.contract.gateway_town import LOG, Town

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")


async def test_a_call_counts_once_however_much_it_reads(gate: Door, town: Town) -> None:
    async with client(gate, "legacy") as agent:
        await agent.list_tools()
        await agent.call_tool("topology_neighbours", {"entity": "Deployment/cart"})
        await agent.call_tool("attempt", {})
        await agent.call_tool("list_resources", {"nonsense": 1})
    assert len([path for path in town.seen if "/otel-demo/" in path]) == 5
    _, left = await gate.ask("GET", "/attempt")
    assert left["left"]["requests"] == 98


async def test_the_budget_ends_it_and_the_model_is_told(tmp_path: Path) -> None:
    town = Town.with_attempt(budgets={"wallClockSeconds": 600, "requests": 2})
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        async with client(gate) as agent:
            for _ in range(2):
                assert not (await agent.call_tool("alerts", {})).is_error
            result = await agent.call_tool("alerts", {})
            assert result.is_error
            assert "budget of 2 requests is spent" in result.content[0].text  # type: ignore[union-attr]
            late = await agent.call_tool("submit", {"entities": []})
            assert "too late" in late.content[0].text  # type: ignore[union-attr]
            assert len((await agent.list_tools()).tools) == 16
        await gate.stored(phase="TurnsExhausted")
        assert (await gate.ask("GET", "/alerts"))[0] == 429


async def test_the_wall_clock_ends_it(gate: Door) -> None:
    await text(gate, "alerts")
    gate.clock.forward(700)
    status, answer = await gate.ask(
        "POST", "/mcp", headers=ACCEPT, json=message("tools/call", name="alerts", arguments={})
    )
    assert (status, answer["result"]["isError"]) == (200, True)
    assert "600 s" in answer["result"]["content"][0]["text"]


async def test_a_submission_is_final_and_the_door_closes(gate: Door) -> None:
    assert '"phase": "Running"' in await text(gate, "attempt", justification="begin")
    given = ["otel-demo/netpol/a", {"kind": "Node", "name": "n1"}]
    assert (
        await text(gate, "submit", entities=given)
        == "accepted, and final: otel-demo/NetworkPolicy/a, Node/n1"
    )
    stored = gate.cluster.attempts["uid-1"]["status"]
    assert stored["submission"] == {"entities": ["otel-demo/NetworkPolicy/a", "Node/n1"]}
    calls = [message("tools/call", name=name, arguments={"entities": []}) for name in ("submit", "attempt")]
    answers = [await gate.ask("POST", "/mcp", headers=ACCEPT, json=body) for body in calls]
    texts = [answer["result"]["content"][0]["text"] for _, answer in answers]
    assert texts == [
        "a submission was accepted before; it stands",
        "the attempt is over: a submission was accepted",
    ]


async def test_every_call_leaves_a_line_with_what_and_why(gate: Door, tmp_path: Path) -> None:
    asked = {"resource": "pods", "justification": "are they up?"}
    headers = {**ACCEPT, "X-Turn": "3"}
    for name, arguments in (
        ("list_resources", asked),
        ("list_resources", {"resource": "pods", "namespace": "reprise-system"}),
        ("shell", {"command": "ls"}),
        ("get_resource", {"resource": "pods", "name": "nope"}),
        ("alerts", {"a": "\U0001f600" * 9000}),
    ):
        await gate.ask(
            "POST", "/mcp", headers=headers, json=message("tools/call", name=name, arguments=arguments)
        )
    await gate.ask("POST", "/mcp", headers=headers, json=message("tools/list"))
    lines = trail(tmp_path)
    assert [(one["verb"], one["path"], one["status"], one["decision"]) for one in lines] == [
        ("tools/call", "/mcp/list_resources", 200, "allow"),
        ("tools/call", "/mcp/list_resources", 403, "deny"),
        ("tools/call", "/mcp/unknown", 404, "deny"),
        ("tools/call", "/mcp/get_resource", 404, "allow"),
        ("tools/call", "/mcp/alerts", 400, "allow"),
        ("tools/list", "/mcp", 200, "allow"),
    ]
    assert (lines[0]["turn"], lines[0]["justification"], lines[0]["arguments"]) == (
        "3",
        "are they up?",
        {"tool": "list_resources", "resource": "pods"},
    )
    assert len(lines[4]["arguments"]["cut"]) == 4000
    stored = await gate.stored(requests=5)
    assert stored["denied"] == 1


async def test_a_restart_counts_on(tmp_path: Path, town: Town) -> None:
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        for tool in ("alerts", "attempt", "alerts"):
            await text(gate, tool)
        town.attempts["uid-1"]["status"]["requests"] = 0
    town.watchers.clear()
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        _, left = await gate.ask("GET", "/attempt")
        assert left["left"]["requests"] == 98


async def test_an_attempt_sees_its_own_budget_only(tmp_path: Path, town: Town) -> None:
    town.put(attempt(OTHER_TOKEN, "uid-2", budgets={"wallClockSeconds": 600, "requests": 50}))
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        async with client(gate) as one, client(gate, token=OTHER_TOKEN) as other:
            results = await asyncio.gather(
                *(agent.call_tool("attempt", {}) for agent in (one, other)),
                *(agent.call_tool("logs", {"pod": "cart-1"}) for agent in (one, other)),
            )
        texts = [result.content[0].text for result in results]  # type: ignore[union-attr]
        assert ['"requests": 100' in texts[0], '"requests": 50' in texts[1]] == [True, True]
        assert all(LOG[0][1] in found for found in texts[2:])
