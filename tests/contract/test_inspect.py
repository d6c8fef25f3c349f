"""The Inspect task end to end: real Inspect with its mock model, the real gateway, a snapshot's truth."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract import agent_fakes
from tests.contract.agent_fakes import ROOT
from tests.contract.gateway_fakes import OTHER_TOKEN, TOKEN, Clock, Cluster, Door, attempt, door

# Made by `make inspect-venv`; it cannot share an environment with the product.
PYTHON = Path(os.environ.get("REPRISE_INSPECT_PYTHON") or ROOT / ".venv-inspect" / "bin" / "python")
CAUSE = "otel-demo/NetworkPolicy/frontend-ingress"
LOOK = {
    "tool": "list_objects",
    "arguments": {"api_version": "v1", "plural": "pods", "namespace": "otel-demo"},
}


def submit(*entities: str) -> dict[str, Any]:
    return {"tool": "submit", "arguments": {"entities": list(entities)}}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Door]:
    cluster = Cluster(pods=[{"metadata": {"name": "cart-1", "namespace": "otel-demo"}}])
    cluster.put(attempt(TOKEN))
    cluster.put(attempt(OTHER_TOKEN, "uid-2"))
    async with door(tmp_path, cluster, Clock()) as made:
        yield made


@pytest.fixture(autouse=True)
def inspect_python() -> None:
    if not PYTHON.exists():
        pytest.skip(f"no {PYTHON}: run `make inspect-venv`")


async def play(url: str, folder: Path, *outputs: Any, epochs: int = 1, tokens: int = 2) -> dict[str, Any]:
    (folder / "snapshots" / "one").mkdir(parents=True)
    (folder / "snapshots" / "one" / "manifest.json").write_text("{}")
    private = folder / "snapshots" / "one.private"
    private.mkdir()
    (private / "private.json").write_text(json.dumps({"truth": [{"entity": CAUSE, "equivalents": []}]}))
    given = []
    for index, token in enumerate((TOKEN, OTHER_TOKEN)[:tokens]):
        (folder / f"token-{index}").write_text(token)
        given.append({"url": url, "token_file": str(folder / f"token-{index}")})
    (folder / "gateways.json").write_text(json.dumps({"one": given}))
    done = await agent_fakes.execute(
        [
            str(PYTHON), str(ROOT / "tests" / "contract" / "inspect_play.py"),
            str(ROOT / "examples" / "inspect" / "incidents.py"), str(folder / "snapshots"),
            str(folder / "gateways.json"), str(folder / "logs"), json.dumps(outputs), str(epochs),
        ],
        url,
        folder,
    )  # fmt: skip
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return found


async def test_a_sample_is_a_whole_attempt(gate: Door, tmp_path: Path) -> None:
    found = await play(agent_fakes.url_of(gate), tmp_path, LOOK, "Hm.", submit(CAUSE))
    assert (found["status"], found["errors"]) == ("success", [""]), found
    assert found["values"] == [{"score": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}]
    assert {name: metrics["mean"] for name, metrics in found["metrics"].items()} == found["values"][0]
    said = found["messages"][0]
    assert 'namespace "otel-demo"' in said[0][1]
    assert "cart-1" in next(text for role, text in said if role == "tool")
    assert (await gate.stored(phase="Submitted"))["submission"] == {"entities": [CAUSE]}


@pytest.mark.parametrize(
    ("outputs", "score", "recall"),
    [
        ((submit("otel-demo/Deployment/cart"),), 0.0, 0.0),
        ((submit(CAUSE, "otel-demo/Deployment/cart"),), 0.5, 1.0),
        ((submit("nonsense"), submit(CAUSE)), 1.0, 1.0),
        (("I give up.",) * 4, 0.0, 0.0),
    ],
    ids=["wrong", "one too many", "malformed first", "never"],
)
async def test_scores(gate: Door, tmp_path: Path, outputs: Any, score: float, recall: float) -> None:
    found = await play(agent_fakes.url_of(gate), tmp_path, *outputs)
    assert [(value["score"], value["recall"]) for value in found["values"]] == [(score, recall)], found


async def test_every_epoch_is_an_attempt_of_its_own(gate: Door, tmp_path: Path) -> None:
    found = await play(agent_fakes.url_of(gate), tmp_path, submit(CAUSE), submit(CAUSE), epochs=2)
    assert [value["score"] for value in found["values"]] == [1.0, 1.0], found
    await gate.stored("uid-2", phase="Submitted")


async def test_an_epoch_without_an_attempt_is_an_error(gate: Door, tmp_path: Path) -> None:
    found = await play(agent_fakes.url_of(gate), tmp_path, submit(CAUSE), submit(CAUSE), epochs=2, tokens=1)
    assert sorted("epoch 2" in error for error in found["errors"]) == [False, True], found
    assert sum(value is None for value in found["values"]) == 1


async def test_a_gateway_that_fails_is_an_error_and_no_score(gate: Door, tmp_path: Path) -> None:
    gate.cluster.down = True
    found = await play(agent_fakes.url_of(gate), tmp_path, LOOK, submit(CAUSE))
    assert found["values"] == [None], found
    assert "503" in found["errors"][0]
