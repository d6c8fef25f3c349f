"""`reprise mcp` as a client over stdio starts it: a process of its own before a gateway over HTTP."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from tests.contract.gateway_fakes import TOKEN, Clock, Door, door
from tests.contract.gateway_town import Town

from reprise.cli import mcp as bridge
from reprise.domain import errors, kubeconfig

ROOT = Path(__file__).parents[2]
MAIN = ["-c", "from reprise.cli.main import main; main()", "mcp"]
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "operator")}


def server(*arguments: str, **environment: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=[*MAIN, *arguments], env={**ENVIRONMENT, **environment}
    )


def url(gate: Door) -> str:
    return str(gate.http.make_url("/")).rstrip("/")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_over_stdio_completes_an_attempt(tmp_path: Path, mode: str) -> None:
    town = Town.with_attempt()
    (tmp_path / "token").write_text(TOKEN + "\n")
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        given = server("--url", url(gate) + "/", "--token-file", str(tmp_path / "token"))
        async with Client(stdio_client(given), mode=mode) as agent:
            assert "tool `attempt`" in (agent.instructions or "")
            tools = (await agent.list_tools()).tools
            asked = {"resource": "pods", "justification": "are they up?"}
            listed = await agent.call_tool("list_resources", asked)
            refused = await agent.call_tool("list_resources", {"resource": "secrets"})
            with pytest.raises(MCPError, match="list_resources"):
                await agent.call_tool("shell", {})
            done = await agent.call_tool("submit", {"entities": ["otel-demo/Deployment/cart"]})
        stored = await gate.stored(phase="Submitted", requests=3)
    assert {"logs", "submit"} < {tool.name for tool in tools}
    assert tools[0].annotations is not None
    assert tools[0].annotations.read_only_hint
    assert "cart-1" in listed.content[0].text  # type: ignore[union-attr]
    assert (refused.is_error, done.is_error) == (True, False)
    assert stored["submission"] == {"entities": ["otel-demo/Deployment/cart"]}
    lines = [json.loads(line) for line in (tmp_path / "audit" / "uid-1.jsonl").read_text().splitlines()]
    assert [line["justification"] for line in lines if line["resource"] == "list_resources"] == [
        "are they up?",
        "",
    ]


async def test_the_attempts_kubeconfig_is_enough(tmp_path: Path) -> None:
    town = Town.with_attempt()
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        config = tmp_path / "config"
        config.write_text(json.dumps(kubeconfig.build(url(gate), "", TOKEN, "otel-demo")))
        async with Client(stdio_client(server(KUBECONFIG=str(config)))) as agent:
            assert not (await agent.call_tool("attempt", {})).is_error


@pytest.mark.parametrize(
    ("place", "token", "words"),
    [
        ("http://127.0.0.1:9", TOKEN, "http://127.0.0.1:9/mcp does not answer"),
        ("", "wrong", "one that no attempt has"),
    ],
)
async def test_what_keeps_it_from_the_gateway_is_said_and_does_not_end_it(
    tmp_path: Path, place: str, token: str, words: str
) -> None:
    town = Town.with_attempt()
    (tmp_path / "token").write_text(token)
    async with door(tmp_path, town, Clock(), town.backends()) as gate:
        given = server("--token-file", str(tmp_path / "token"), GATEWAY_URL=place or url(gate))
        async with Client(stdio_client(given)) as agent:
            for _ in range(2):
                with pytest.raises(MCPError, match=words):
                    await agent.call_tool("alerts", {})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "expected --url with --token-file, or --kubeconfig"),
        (["--url", "https://x"], 2, "expected --url with --token-file"),
        (["--url", "https://x", "--token-file", "nowhere"], 1, "expected a readable text file"),
        (["--kubeconfig", "nowhere"], 1, "expected a readable text file"),
    ],
)
def test_wrong_usage_is_told_before_it_serves(arguments: list[str], code: int, words: str) -> None:
    environment = {**{key: item for key, item in os.environ.items() if key != "KUBECONFIG"}, **ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, *MAIN, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_kubeconfig_gives_server_token_and_authority() -> None:
    made = kubeconfig.build("https://g:8443", "PEM", "secret", "otel-demo")
    assert bridge.from_kubeconfig(json.dumps(made)) == bridge.Door("https://g:8443", "secret", "PEM")


def _changed(**user: Any) -> str:
    made = kubeconfig.build("https://g:8443", "PEM", "secret", "otel-demo")
    made["users"][0]["user"] = user
    return json.dumps(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "{}",
        "[]",
        _changed(**{"client-certificate-data": base64.b64encode(b"x").decode()}),
        json.dumps({**kubeconfig.build("https://g", "PEM", "s", "d"), "current-context": "other"}),
    ],
)
def test_another_kubeconfig_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(errors.InvalidInput, match="reprise attach RUN"):
        bridge.from_kubeconfig(text)
