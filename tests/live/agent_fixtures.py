"""What tests of agents share: an endpoint of a model, a snapshot to replay, how agents are asked for."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Kubectl, delete_run, state_dir, wait_finished
from tests.live.model_endpoint import MODEL, SECRET_KEY, Endpoints, endpoints

SCENARIO = "frontend-unreachable"
# Its name comes from the run's seed, which is 0.
CAUSE = "NetworkPolicy/allow-frontend"
PRICES = {MODEL: {"input": 10, "cached": 1, "output": 100}}
USAGE = {"prompt": 1000, "completion": 10, "cached": 800}
ALERTS = (
    'curl -sS --cacert "$CA_FILE" -H "Authorization: Bearer $(cat "$TOKEN_FILE")" "$GATEWAY_URL/alerts" '
    "| jq -r '.[].labels.alertname'"
)


def call(tool: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"calls": [{"tool": tool, "arguments": arguments}], "usage": USAGE, **more}


def investigation(cause: str) -> list[dict[str, Any]]:
    """A model that looks twice, makes a mistake in form, and finishes."""
    entity = {"name": cause, "reasoning": "nothing but the gateway may come in"}
    return [
        call(
            "shell",
            {"cmd": "kubectl get networkpolicies -o name", "justification": "who may call?"},
            text="Hm.",
        ),
        call("shell", {"cmd": ALERTS}),
        call("finish", "{malformed"),
        call("finish", {"entities": [entity], "summary": "nobody reaches the frontend"}),
    ]


@pytest.fixture(scope="module")
def models(kubectl: Kubectl) -> Iterator[Endpoints]:
    with endpoints(kubectl) as made:
        yield made


@pytest.fixture(scope="module")
def shell_image(kubectl: Kubectl) -> str:
    """The image of agents with a shell, as the operator was told."""
    deployment = json.loads(kubectl("get", "deployment", "operator", "-n", "reprise-system", "-o", "json"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: str = next(e["value"] for e in container["env"] if e["name"] == "REPRISE_AGENT_SHELL_IMAGE")
    return found


def stirrup(models: Endpoints, endpoint: str, **variables: str) -> dict[str, Any]:
    """`spec.agent` of a model in Stirrup."""
    given = {"MODEL_RETRIES": "1", "MODEL_PRICES": json.dumps(PRICES), **variables}
    secret = {"name": models.secret, "key": SECRET_KEY}
    return {
        "kind": "stirrup",
        "model": {"endpoint": endpoint, "name": MODEL, "secretRef": secret},
        "env": [{"name": name, "value": value} for name, value in given.items()],
    }


def command(image: str, text: str) -> dict[str, Any]:
    """`spec.agent` of a shell script."""
    return {"kind": "command", "image": image, "command": ["sh", "-c", text]}


@pytest.fixture(scope="module")
def snapshot(kubectl: Kubectl) -> Iterator[Path]:
    """A snapshot of the incident, its private part beside it."""
    folder = state_dir() / "data" / "snapshots"
    if named := os.environ.get("REPRISE_TEST_SNAPSHOT"):
        yield folder / named
        return
    found = [path.parent for path in folder.glob("*/manifest.json") if _is_of_the_incident(path.parent)]
    if found:
        yield max(found, key=lambda path: (path / "manifest.json").stat().st_mtime)
        return
    manifest = run_manifest("agents-record", scenario=SCENARIO, agent={"kind": "none"})
    kubectl("create", "-f", "-", stdin=manifest)
    status = wait_finished(kubectl, "agents-record")
    delete_run(kubectl, "agents-record")
    yield folder / Path(status["snapshot"]["path"]).name


def cause_in(snapshot: Path) -> str:
    """Its root cause; the application's namespace is that of the copy that was recorded."""
    return f"{json.loads((snapshot / 'manifest.json').read_text())['namespace']}/{CAUSE}"


def _is_of_the_incident(snapshot: Path) -> bool:
    private = snapshot.with_name(snapshot.name + ".private") / "private.json"
    return private.is_file() and json.loads(private.read_text())["scenario"].get("name") == SCENARIO


def run_manifest(name: str, **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "reprise.dev/v1alpha1",
            "kind": "BenchmarkRun",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
    )


def replay_of(snapshot: Path, agent: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"mode": "replay", "snapshot": {"source": snapshot.name}, "agent": agent, **more}
