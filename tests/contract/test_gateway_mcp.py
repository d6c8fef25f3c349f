"""The tools over MCP, the protocol: who may come, what is taken for a message, how the tools describe
themselves."""

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from tests.contract.gateway_fakes import OTHER_TOKEN, TOKEN, Door
from tests.contract.gateway_mcp import ACCEPT, READING, client, gate, message, town

from reprise.domain import redaction

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")


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
