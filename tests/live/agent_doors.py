"""An incident's door as an external agent gets it, and the agents that come to it: each looks, then hands in.

What they look for is the one NetworkPolicy of the application's namespace: nothing that is told to them.
"""

import asyncio
import base64
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from reprise.agents.standin import script
from reprise.agents.standin.server import StandIn

ROOT = Path(__file__).parents[2]
REPRISE = [sys.executable, "-c", "from reprise.cli.main import main; main()"]
# Made by `make inspect-venv`; it cannot share an environment with the product.
INSPECT_PYTHON = Path(os.environ.get("REPRISE_INSPECT_PYTHON") or ROOT / ".venv-inspect" / "bin" / "python")
# An agent of a few lines, with curl and jq.
SCRIPT = """
set -eu
ask() { curl -sS --fail-with-body --cacert "$CA_FILE" -H "Authorization: Bearer $(cat "$TOKEN_FILE")" "$@"; }
namespace=$(ask "$GATEWAY_URL/attempt" | jq -r .namespace)
ask -H "X-Turn: 1" "$GATEWAY_URL/apis/networking.k8s.io/v1/namespaces/$namespace/networkpolicies" |
  jq '{entities: [.items[] | {name: "\\(.metadata.namespace)/NetworkPolicy/\\(.metadata.name)"}]}' \
    > answer.json
"""
HAND_IN = 'ask -H "X-Turn: 2" -H "Content-Type: application/json" -d @answer.json "$GATEWAY_URL/submit"\n'


@dataclass(frozen=True)
class Door:
    """What `reprise attach` or `reprise replay` gives. `snapshot` is the incident's, with its private part
    beside it; `folder` is the agent's own."""

    kubeconfig: Path
    snapshot: Path
    folder: Path

    @property
    def url(self) -> str:
        return str(self._config["clusters"][0]["cluster"]["server"])

    @property
    def token(self) -> str:
        return str(self._config["users"][0]["user"]["token"])

    @property
    def namespace(self) -> str:
        return str(self._config["contexts"][0]["context"]["namespace"])

    @property
    def ca_pem(self) -> str:
        return base64.b64decode(self._config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()

    @property
    def _config(self) -> Any:
        return json.loads(self.kubeconfig.read_text())

    def files(self) -> dict[str, str]:
        """The environment of an agent: token and authority as files."""
        (self.folder / "token").write_text(self.token)
        (self.folder / "ca.crt").write_text(self.ca_pem)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "HOME": str(self.folder),
            "GATEWAY_URL": self.url,
            "TOKEN_FILE": str(self.folder / "token"),
            "CA_FILE": str(self.folder / "ca.crt"),
            "KUBECONFIG": str(self.kubeconfig),
        }

    def run(self, *words: str, stdin: str | None = None, cwd: Path | None = None, **environ: str) -> str:
        """Run a program as the agent, in its folder unless told otherwise; returns its standard output."""
        done = subprocess.run(
            words,
            input=stdin,
            env={**self.files(), **environ},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def replayed(snapshot: Path, folder: Path) -> Iterator[tuple[Door, list[dict[str, Any]]]]:
    """`reprise replay` with one attempt. The list is filled in the end: what it says of its attempts."""
    process = subprocess.Popen(
        [*REPRISE, "replay", str(snapshot), "--port", "0", "--out", str(folder / "out"), "-o", "json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ended: list[dict[str, Any]] = []
    try:
        line = process.stdout.readline()
        assert line, "the replay ended before it served"
        (attempt,) = json.loads(line)["attempts"]
        (folder / "agent").mkdir()
        yield Door(Path(attempt["kubeconfig"]), snapshot, folder / "agent"), ended
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    ended += json.loads(out)["attempts"]


# -- the agents ---------------------------------------------------------------------------------------------


def kubectl(door: Door) -> None:
    """Stock kubectl, as a person would."""
    names = door.run("kubectl", "get", "networkpolicies", "-o", "name").split()
    door.run("kubectl", "describe", *names)
    entities = [f"{door.namespace}/NetworkPolicy/{name.partition('/')[2]}" for name in names]
    door.run("kubectl", "create", "--raw", "/submit", "-f", "-", stdin=json.dumps({"entities": entities}))


def shell_script(door: Door) -> None:
    """curl and jq."""
    door.run("sh", "-c", SCRIPT + HAND_IN)


def mcp_http(door: Door) -> None:
    """A client of the official SDK at the gateway's /mcp."""

    async def work() -> None:
        context = ssl.create_default_context(cadata=door.ca_pem)
        headers = {"Authorization": f"Bearer {door.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, verify=context, timeout=60) as http,
            Client(streamable_http_client(f"{door.url}/mcp", http_client=http)) as agent,
        ):
            await _over_mcp(agent)

    asyncio.run(work())


def mcp_stdio(door: Door) -> None:
    """The same client, which starts `reprise mcp`."""

    async def work() -> None:
        given = StdioServerParameters(
            command=REPRISE[0],
            args=[*REPRISE[1:], "mcp", "--kubeconfig", str(door.kubeconfig)],
            env={"PYTHONPATH": str(ROOT / "operator")},
        )
        async with Client(stdio_client(given)) as agent:
            await _over_mcp(agent)

    asyncio.run(work())


async def _over_mcp(agent: Client) -> None:
    tools = {tool.name for tool in (await agent.list_tools()).tools}
    assert {"alerts", "list_resources", "submit"} <= tools

    async def call(tool: str, **arguments: Any) -> str:
        answer = await agent.call_tool(tool, arguments)
        text = str(answer.content[0].text)  # type: ignore[union-attr]
        assert not answer.is_error, text
        return text

    name = await _only(call)
    found = json.loads(await call("get_resource", resource="networkpolicies", name=name, format="json"))
    assert "HighRequestErrorRate" in await call("alerts")
    await call("submit", entities=[f"{found['metadata']['namespace']}/NetworkPolicy/{name}"])


async def _only(call: Callable[..., Any]) -> str:
    """The name of the one NetworkPolicy, from the table that kubectl would print."""
    listed = await call("list_resources", resource="networkpolicies", justification="who may call whom?")
    rows = [line.split() for line in listed.splitlines() if line.split()]
    head = [row[0] for row in rows].index("Name")
    return rows[head + 1][0]


def inspect(door: Door) -> None:
    """`inspect eval` with the example's task and a model with a script behind an OpenAI-compatible API."""
    look = {"api_version": "networking.k8s.io/v1", "plural": "networkpolicies", "namespace": door.namespace}
    private = door.snapshot.with_name(door.snapshot.name + ".private")
    wanted = json.loads((private / "private.json").read_text())["truth"][0]["entity"]
    answers = [
        {"calls": [{"tool": "list_objects", "arguments": look}]},
        {"calls": [{"tool": "submit", "arguments": {"entities": [wanted]}}]},
    ]
    environ = door.files()
    snapshots = door.folder / "snapshots"
    snapshots.mkdir()
    (snapshots / "incident").symlink_to(door.snapshot)
    (snapshots / "incident.private").symlink_to(private)
    given = {"url": door.url, "token_file": environ["TOKEN_FILE"], "ca_file": environ["CA_FILE"]}
    (door.folder / "gateways.json").write_text(json.dumps({"incident": [given]}))
    with StandIn(script.parse({"answers": answers, "key": "sk-inspect"})) as model:
        door.run(
            str(INSPECT_PYTHON), "-m", "inspect_ai", "eval", "examples/inspect/incidents.py",
            "--model", "openai-api/standin/some-model",
            "-T", f"snapshots={snapshots}", "-T", f"gateways={door.folder / 'gateways.json'}",
            "--log-dir", str(door.folder / "logs"), "--log-format", "json", "--display", "none",
            cwd=ROOT,
            STANDIN_API_KEY="sk-inspect",
            STANDIN_BASE_URL=model.url,
        )  # fmt: skip
    (log,) = (door.folder / "logs").glob("*.json")
    said = json.loads(log.read_text())
    assert said["status"] == "success", said.get("error")
    assert said["samples"][0]["scores"]["root_causes"]["value"]["score"] == 1.0


EXTERNAL = {
    "kubectl": kubectl,
    "shell script": shell_script,
    "mcp": mcp_http,
    "mcp over stdio": mcp_stdio,
    "inspect": inspect,
}
