"""The tools over MCP, with the SDK's own client, over real HTTP: what they answer, what they cost, what they
hide, and what the door writes down of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.contract.gateway_fakes import OTHER_TOKEN, TOKEN, Clock, Door, attempt, door
from tests.contract.gateway_town import LOG, NOON, Town

from reprise.domain import redaction
from reprise.gateway import registry as registries
from reprise.gateway import upstream

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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr("reprise.gateway.session.PERSIST_SECONDS", 0.05)


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


def trail(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "audit" / "uid-1.jsonl").read_text().splitlines()]


# -- the protocol -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_every_generation_of_clients_lists_and_calls(gate: Door, mode: str) -> None:
    async with client(gate, mode) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
        assert set(tools) == {name for name, _ in READING} | {"submit"}
        result = await agent.call_tool("list_resources", {"resource": "pods"})
    assert not result.is_error
    assert "cart-1" in result.content[0].text  # type: ignore[union-attr]


async def test_tools_describe_themselves(gate: Door) -> None:
    async with client(gate) as agent:
        tools = (await agent.list_tools()).tools
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (tool.name != "submit")
        assert tool.annotations.destructive_hint is False
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False
        for name, field in tool.input_schema["properties"].items():
            assert field.get("description") or field.get("examples") or len(name) > 3, (tool.name, name)
    told = json.dumps([tool.model_dump() for tool in tools]).lower()
    assert not any(word in told for word in (*redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS, "inject"))


async def test_one_connection_serves_many_messages(gate: Door) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", **ACCEPT}
    for number in range(3):
        async with gate.http.post("/mcp", headers=headers, json=message("ping")) as answer:
            assert (answer.status, (await answer.json())["id"]) == (200, 7), number
    assert gate.http.session.connector is not None
    assert len(gate.http.session.connector._conns) == 1


HTTP = [
    ("GET asks for a stream", "GET", {}, None, 405, ""),
    ("DELETE ends a session", "DELETE", {}, None, 405, ""),
    ("PUT", "PUT", {}, b"{}", 405, ""),
    ("not JSON", "POST", {}, b"{", 400, "JSON"),
    ("not UTF-8", "POST", {}, b"\xff", 400, "JSON"),
    ("half a character", "POST", {}, b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', 400, "JSON"),
    ("nested too deeply", "POST", {}, b"[" * 100_000, 400, "JSON"),
    ("empty", "POST", {}, b"", 400, "JSON"),
    ("a batch", "POST", {}, b"[]", 400, ""),
    ("no message", "POST", {}, b'{"a":1}', 400, ""),
    ("a session of elsewhere", "POST", {"Mcp-Session-Id": "x"}, b"{}", 404, "no sessions"),
    ("takes no JSON", "POST", {"Accept": "text/html"}, b'{"jsonrpc":"2.0","id":1,"method":"ping"}', 406, ""),
    (
        "an unknown version",
        "POST",
        {"MCP-Protocol-Version": "1999-01-01"},
        json.dumps(message("ping")),
        400,
        "",
    ),
    ("300 KiB", "POST", {}, b'"' + b"a" * 300_000 + b'"', 413, "262144"),
]


@pytest.mark.parametrize(
    ("method", "headers", "body", "status", "words"), [row[1:] for row in HTTP], ids=[row[0] for row in HTTP]
)
async def test_what_is_not_the_protocol_is_refused_and_costs_nothing(
    gate: Door, method: str, headers: dict[str, str], body: Any, status: int, words: str
) -> None:
    given = {**ACCEPT, "Content-Type": "application/json", **headers}
    found, answer = await gate.ask(method, "/mcp", headers=given, data=body)
    assert (found, words in json.dumps(answer)) == (status, True)
    _, left = await gate.ask("GET", "/attempt")
    assert left["left"]["requests"] == 100
    assert (await gate.ask("POST", "/mcp", headers=ACCEPT, json=message("ping")))[0] == 200


@pytest.mark.parametrize("token", ["", OTHER_TOKEN])
async def test_nobody_comes_without_a_token(gate: Door, token: str) -> None:
    for body in (message("tools/list"), message("tools/call", name="submit", arguments={"entities": []})):
        status, answer = await gate.ask("POST", "/mcp", token, headers=ACCEPT, json=body)
        assert (status, "Bearer" in answer["error"]["message"]) == (401, True)
    assert "submission" not in gate.cluster.attempts["uid-1"].get("status", {})


async def test_an_unknown_tool_is_an_error_of_the_protocol_that_names_the_known(gate: Door) -> None:
    async with client(gate) as agent:
        with pytest.raises(MCPError, match="list_resources"):
            await agent.call_tool("kubectl", {})


# -- what the tools answer --------------------------------------------------------------------------

ANSWERS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("list_resources", {"resource": "po"}, ["1 pods", "Name    Age", "cart-1  1h"], ["10.0.0.1"]),
    ("list_resources", {"resource": "Pod", "wide": True}, ["IP", "10.0.0.1"], []),
    ("list_resources", {"resource": "pods", "field_selector": "metadata.name=x"}, ["0 pods"], ["cart-1"]),
    ("list_resources", {"resource": "no"}, ["1 nodes in the cluster", "n1"], []),
    ("list_resources", {"resource": "events.events.k8s.io"}, ["events.events.k8s.io"], []),
    ("get_resource", {"resource": "deploy", "name": "cart"}, ["generation: 4", "configMapRef:"], []),
    ("get_resource", {"resource": "cm", "name": "settings", "format": "json"}, ['"a": "xxx'], []),
    (
        "describe_resource",
        {"resource": "pod", "name": "cart-1"},
        ["ReplicaSet/cart-rs <- Deployment/cart", "BackOff", "it failed", "exitCode: 137"],
        [],
    ),
    ("describe_resource", {"resource": "deploy", "name": "cart"}, ["MinimumReplicasUnavailable", "none"], []),
    ("logs", {"pod": "cart-1"}, ["4 lines", "GET /cart/1", "try 2"], []),
    ("logs", {"pod": "cart-1", "tail": 2}, ["1 lines", "try 2"], ["GET"]),  # the last one of two is hidden
    ("logs", {"pod": "cart-1", "grep": ["error"]}, ["2 of 2 matching lines of the 4", "try 1"], ["GET"]),
    ("logs", {"pod": "cart-1", "grep": ["error"], "ignore_case": False}, ["0 of 0 matching"], ["try"]),
    ("logs", {"pod": "cart-1", "grep": ["error"], "invert": True}, ["GET /cart/2"], ["try"]),
    ("logs", {"pod": "cart-1", "grep": ["(a+)+$"]}, ["0 of 0"], []),
    (
        "logs",
        {"pod": "cart-1", "dedupe": True},
        ["x2  2026-01-02T12:10:00", "x2  2026-01-02T12:10:01"],
        ["try 1"],
    ),
    ("events", {}, ["1 events", "BackOff", "otel-demo/Pod/cart-1", "x3"], []),
    ("events", {"since": f"{NOON}32:00Z"}, ["0 events"], ["BackOff"]),
    ("events", {"reason": "Killing"}, ["0 events"], ["BackOff"]),
    ("alerts", {}, ["1 alerts", "firing CartErrors", "too many errors", "expr: vector(1)"], []),
    ("alerts", {"state": "pending"}, ["0 alerts pending"], ["CartErrors"]),
    ("query_metrics", {"query": "up"}, ["1 samples", 'up{namespace="otel-demo", pod="cart-1"} 1'], []),
    (
        "query_metrics_range",
        {"query": "up", "step_seconds": 3600, "max_points": 3},
        ["decimated: up to 4 samples", "12:00:15.000Z 3 (0..3)", "12:00:35.000Z 0 (0..6)"],
        [],
    ),
    (
        "query_metrics_range",
        {"query": "up", "step_seconds": 3600},
        ["12:00:05.000Z 1\n"],
        ["decimated", ".."],
    ),
    ("search_traces", {"service": "frontend"}, ["2 of 2 traces", "abc1   9.0ms     4      3"], []),
    ("search_traces", {"service": "frontend", "errors_only": True}, ["1 of 2 traces", "abc1"], ["abc2"]),
    ("search_traces", {"service": "frontend", "limit": 2}, ["there may be more"], []),
    (
        "get_trace",
        {"trace_id": "abc1"},
        ["    cart do c [internal] +2.0ms 5.0ms  ERROR connection refused", "    currency do d"],
        [],
    ),
    ("get_trace", {"trace_id": "abc1", "format": "json"}, ['"spanID": "a"'], []),
    ("trace_errors", {"trace_id": "abc1"}, ["1 of 1 traces", "x1  cart do c: connection refused"], ["do d"]),
    ("trace_errors", {"service": "frontend"}, ["1 of 2 traces", "        cart do c"], []),
    (
        "topology_neighbours",
        {"entity": "otel-demo/Deployment/cart"},
        ["3 relations", "Deployment/cart --depends_on--> ConfigMap/settings"],
        ["Pod/cart-1"],
    ),
    ("topology_neighbours", {"entity": "Service/cart", "depth": 2}, ["(calls 5)", "ReplicaSet/cart-rs"], []),
    (
        "topology_path",
        {"source": "App/frontend", "target": "settings"},
        ["6 steps", "App/frontend --calls--> App/checkout  (calls 7)", "ConfigMap/settings"],
        ["Namespace/"],
    ),
    (
        "recent_changes",
        {},
        ["3 changes", "OOMKilled", "MinimumReplicasUnavailable (generation 4)", "settings  created"],
        [],
    ),
    ("recent_changes", {"resources": ["deploy"]}, ["1 changes", "Deployment/cart"], ["settings"]),
    ("recent_changes", {"limit": 1}, ["2 older ones left out", "settings"], ["OOMKilled"]),
    ("attempt", {}, ['"requests": 100', "Find the root causes", "with the tool `submit`"], []),
]


@pytest.mark.parametrize(("tool", "arguments", "there", "not_there"), ANSWERS)
async def test_answers(
    gate: Door, tool: str, arguments: dict[str, Any], there: list[str], not_there: list[str]
) -> None:
    found = await text(gate, tool, **arguments)
    assert [words for words in there if words not in found] == [], found
    assert [words for words in not_there if words in found] == [], found


PROBLEMS: list[tuple[str, dict[str, Any], str]] = [
    ("list_resources", {}, "resource: Field required"),
    ("list_resources", {"resource": "pods", "verb": "delete"}, "list_resources takes: justification, cursor"),
    ("list_resources", {"resource": "pods", "namespace": "../x"}, "namespace"),
    ("list_resources", {"resource": "gadgets"}, "there are: configmaps, deployments.apps"),
    ("list_resources", {"resource": "pods", "cursor": "nonsense"}, "call again without it"),
    ("list_resources", {"resource": "pods", "max_bytes": 1}, "greater than or equal to 1024"),
    ("get_resource", {"resource": "pods", "name": "a/log"}, "name"),
    ("get_resource", {"resource": "pods", "name": "nope"}, 'pods "nope" not found'),
    ("get_resource", {"resource": "pods", "name": "a", "namespace": "*"}, "expected one namespace"),
    ("list_resources", {"resource": "pods", "namespace": "nope"}, "there are: otel-demo"),
    ("logs", {"pod": "nope"}, 'pods "nope" not found'),
    ("logs", {"pod": "cart-1", "container": "other"}, "not valid for pod"),
    ("logs", {"pod": "cart-1", "tail": 0}, "tail"),
    ("logs", {"pod": "cart-1", "since": "yesterday"}, "how long ago is written '15m'"),
    ("logs", {"pod": "cart-1", "invert": True}, "expected texts in `grep`"),
    ("query_metrics", {"query": "up{"}, "parse error"),
    ("query_metrics", {"query": "up offset 9000h"}, "the window begins at"),
    ("query_metrics_range", {"query": "up", "step_seconds": 1}, "step_seconds: expected at least"),
    ("query_metrics_range", {"query": "up", "start": "1s", "end": "9h"}, "expected a time before the end"),
    ("get_trace", {"trace_id": "xyz"}, "trace_id"),
    ("get_trace", {"trace_id": "dead"}, "trace not found"),
    ("trace_errors", {}, "either trace_id or service, found none"),
    ("trace_errors", {"trace_id": "abc1", "service": "a"}, "found both"),
    ("topology_neighbours", {"entity": "cart"}, "there are"),
    ("topology_path", {"source": "Pod/x", "target": "Node/n1"}, "source: expected one node"),
    ("submit", {}, "entities: Field required"),
    ("submit", {"entities": ["otel-demo/Gadget/a"]}, "nothing was stored, the attempt goes on"),
]


@pytest.mark.parametrize(("tool", "arguments", "words"), PROBLEMS)
async def test_errors_say_what_to_change(
    gate: Door, tool: str, arguments: dict[str, Any], words: str
) -> None:
    assert words in await problem(gate, tool, **arguments)


# -- what stays hidden ------------------------------------------------------------------------------


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


# -- size -------------------------------------------------------------------------------------------


async def pages(gate: Door, tool: str, **arguments: Any) -> list[str]:
    found = [await text(gate, tool, **arguments)]
    while found[-1].endswith("narrower filter]"):
        cursor = found[-1].rpartition('cursor="')[2].partition('"')[0]
        found.append(await text(gate, tool, cursor=cursor, **arguments))
    return found


def joined(found: list[str]) -> str:
    return "".join(page.rpartition("[truncated:")[0] or page for page in found)


async def test_a_long_answer_comes_in_pages_that_make_it_up(gate: Door, town: Town) -> None:
    pods = town.objects["Pod"]
    pods += [{**pods[0], "metadata": {**pods[0]["metadata"], "name": f"web-{n}"}} for n in range(3000)]
    whole = await text(gate, "list_resources", resource="pods", max_bytes=256 * 1024)
    found = await pages(gate, "list_resources", resource="pods")
    assert len(found) == 2
    assert all(len(page.encode()) <= 33 * 1024 for page in found)
    assert joined(found) == whole
    assert "web-2999" in found[-1]


async def test_one_line_beyond_a_page_is_cut_between_characters(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:00.000000001Z", "ä" * 3000)]
    found = await pages(gate, "logs", pod="cart-1", max_bytes=1024)
    assert len(found) > 5
    assert joined(found).replace("\n", "").count("ä") == 3000


async def test_later_pages_of_a_log_are_those_of_the_same_lines(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:{n:02}.000000001Z", f"line {n:02} " + "x" * 100) for n in range(60)]
    first = await text(gate, "logs", pod="cart-1", tail=30, max_bytes=1024)
    town.log += [(f"{NOON}11:{n:02}.000000001Z", f"late {n}") for n in range(40)]
    cursor = first.rpartition('cursor="')[2].partition('"')[0]
    second = await text(gate, "logs", pod="cart-1", tail=30, max_bytes=256 * 1024, cursor=cursor)
    told = first.rpartition("[truncated:")[0] + second
    assert [line.split()[2] for line in told.splitlines() if " line " in line] == [
        f"{n:02}" for n in range(30, 60)
    ]
    assert "late" not in told
    assert "has changed" not in told


async def test_what_changed_between_two_pages_is_said(gate: Door, town: Town) -> None:
    town.objects["ConfigMap"][0]["data"] = {f"k{n:04}": "v" * 20 for n in range(200)}
    asked = {"resource": "cm", "name": "settings", "max_bytes": 1024}
    first = await text(gate, "get_resource", **asked)
    cursor = first.rpartition('cursor="')[2].partition('"')[0]
    town.objects["ConfigMap"][0]["data"]["k0000"] = "other"
    assert (await text(gate, "get_resource", cursor=cursor, **asked)).startswith("[this has changed")
    town.objects["ConfigMap"][0]["data"] = {}
    assert "has become shorter" in await text(gate, "get_resource", cursor=cursor, **asked)
    found = await problem(gate, "get_resource", cursor=cursor, resource="pods", name="cart-1")
    assert "call again without it" in found


async def test_a_log_beyond_what_is_read_says_how_to_ask_for_less(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:00.000000001Z", "x" * 500_000)] * 10
    assert "smaller `tail`" in await problem(gate, "logs", pod="cart-1", grep=["x"])
    assert "1 lines" in await text(gate, "logs", pod="cart-1", tail=1)


# -- what it costs, and what is written down --------------------------------------------------------


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


# -- bad days ---------------------------------------------------------------------------------------


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


async def test_topology_does_without_traces(tmp_path: Path, town: Town) -> None:
    async with door(tmp_path, town, Clock()) as gate:
        found = await text(gate, "topology_neighbours", entity="Deployment/cart")
        assert "traces cannot be read now" in found
        assert "ConfigMap/settings" in found
        assert "does not answer" in await problem(gate, "alerts")


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


async def test_clients_that_hang_up_leave_nothing_behind(gate: Door, town: Town, tmp_path: Path) -> None:
    town.holds = True
    # As many as may read at a time: were they not stopped, nobody could read any more.
    number = upstream.MAX_READS
    asked: list[tuple[str, dict[str, Any]]] = [
        ("get_resource", {"resource": "cm", "name": "settings"}),
        ("logs", {"pod": "cart-1"}),
    ]
    calls = [
        asyncio.create_task(
            gate.ask("POST", "/mcp", headers=ACCEPT, json=message("tools/call", name=name, arguments=given))
        )
        for name, given in asked * number
    ]
    async with asyncio.timeout(10):
        for _ in calls:
            await town.held.get()
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(10):
        assert "cart-1" in await text(gate, "list_resources", resource="pods")
        while [line["status"] for line in trail(tmp_path)].count(499) < len(calls):
            assert "cart-1" in await text(gate, "list_resources", resource="pods")
    # What serves a message is gone with its client.
    assert [task for task in asyncio.all_tasks() if "run_stateless_server" in repr(task.get_coro())] == []


async def test_what_the_attempt_may_see_of_the_injector_its_tools_see(tmp_path: Path) -> None:
    town = Town.with_attempt(injector="visible")
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        assert "delay" in await text(gate, "list_resources", resource="networkchaos")
        assert "chaos-daemon-x" in await text(gate, "list_resources", resource="pods", namespace="chaos-mesh")
