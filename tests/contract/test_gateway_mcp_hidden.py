"""The tools over MCP: what they hide."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.gateway_fakes import Clock, Door, door
from tests.contract.gateway_mcp import READING, gate, problem, text, town
from tests.contract.gateway_town import Town

from reprise.domain import redaction

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize(("tool", "arguments"), READING, ids=[name for name, _ in READING])
async def test_no_tool_shows_what_is_hidden(gate: Door, tool: str, arguments: dict[str, Any]) -> None:
    found = (await text(gate, tool, **arguments)).lower()
    words = (*redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS, "c2vjcmv0", "managedfields", "operator-1")
    assert [word for word in words if word in found] == []


HIDDEN: list[tuple[str, dict[str, Any]]] = [
    *[
        (tool, {**arguments, "namespace": namespace})
        for namespace in ("reprise-system", "chaos-mesh")
        for tool, arguments in (
            ("list_resources", {"resource": "pods"}),
            ("get_resource", {"resource": "pods", "name": "operator-1"}),
            ("describe_resource", {"resource": "pods", "name": "operator-1"}),
            ("logs", {"pod": "operator-1"}),
            ("events", {}),
            ("topology_neighbours", {"entity": "Pod/operator-1"}),
            ("topology_path", {"source": "Pod/operator-1", "target": "Node/n1"}),
            ("recent_changes", {}),
        )
    ],
    *[
        (tool, {"resource": resource, **more})
        for resource in ("secrets", "Secret", "networkchaos.chaos-mesh.org", "agentattempts")
        for tool, more in (
            ("list_resources", {}),
            ("get_resource", {"name": "token"}),
            ("describe_resource", {"name": "token"}),
        )
    ],
    ("recent_changes", {"resources": ["secrets"]}),
    ("list_resources", {"resource": "pods", "field_selector": "metadata.namespace=reprise-system"}),
    ("list_resources", {"resource": "pods", "label_selector": "reprise.dev/run"}),
    ("get_resource", {"resource": "namespaces", "name": "reprise-system"}),
    ("query_metrics", {"query": 'up{namespace="reprise-system"}'}),
    ("query_metrics_range", {"query": 'up{namespace="chaos-mesh"}', "step_seconds": 3600}),
    ("search_traces", {"service": "reprise-operator"}),
    ("get_trace", {"trace_id": "abc3"}),
    ("trace_errors", {"service": "reprise-operator"}),
    ("topology_neighbours", {"entity": "App/reprise-operator"}),
]


@pytest.mark.parametrize(("tool", "arguments"), HIDDEN)
async def test_asking_for_what_is_hidden_gives_nothing(
    gate: Door, town: Town, tool: str, arguments: dict[str, Any]
) -> None:
    found = await problem(gate, tool, **arguments)
    asked = json.dumps(arguments).lower()
    words = [word for word in (*redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS) if word not in asked]
    assert [word for word in words if word in found.lower()] == []
    assert not any(
        "reprise-system" in path or "secrets" in path for path in town.seen if "Attempt" not in path
    )


async def test_hidden_and_missing_things_answer_alike(gate: Door) -> None:
    for one, other in (("reprise-system", "reprise-sistem"), ("chaos-mesh", "chaos-mash")):
        hidden = await problem(gate, "list_resources", resource="pods", namespace=one)
        assert hidden == (await problem(gate, "list_resources", resource="pods", namespace=other)).replace(
            other, one
        )
    secret = await problem(gate, "get_resource", resource="secrets", name="token")
    assert secret == (await problem(gate, "get_resource", resource="sekrets", name="token")).replace(
        "sek", "sec"
    )


async def test_nothing_from_before_the_window(gate: Door, town: Town) -> None:
    town.objects["Event"].append({**town.objects["Event"][0], "lastTimestamp": "2026-01-02T11:59:00Z"})
    assert "1 events" in await text(gate, "events", since="2026-01-01T00:00:00Z")
    await text(gate, "logs", pod="cart-1", since="9000h")
    assert any("sinceTime=2026-01-02T12%3A00%3A00" in path or "12:00:00" in path for path in town.seen)
    await text(gate, "query_metrics_range", query="up", start="2020-01-01T00:00:00Z", step_seconds=3600)
    assert town.telemetry[-1][1]["start"] == "2026-01-02T12:00:00.000Z"


async def test_what_the_attempt_may_see_of_the_injector_its_tools_see(tmp_path: Path) -> None:
    town = Town.with_attempt(injector="visible")
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        assert "delay" in await text(gate, "list_resources", resource="networkchaos")
        assert "chaos-daemon-x" in await text(gate, "list_resources", resource="pods", namespace="chaos-mesh")
