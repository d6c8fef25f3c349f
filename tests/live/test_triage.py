"""The triage agent through a real gateway: every fault in a small shop, and the healthy application."""

import datetime as dt
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.live import small_shop
from tests.live.gateway_harness import Agent, Gateway
from tests.live.test_faults import INCIDENTS, felt, serves, settle, until
from tests.support import triage_agent

from reprise.adapters.engine import Engine
from reprise.adapters.kube import Kube
from reprise.domain import scoring
from reprise.domain.entities import EntityId, ObjectRef

SERVICE_PROXY = "http://127.0.0.1:{port}/api/v1/namespaces/observability/services/{service}/proxy"
ATTEMPTS: list[str] = []

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def backends(kubeconfig: str) -> Iterator[Callable[[str], str]]:
    """URLs of the services in the observability namespace, through `kubectl proxy`."""
    process = subprocess.Popen(
        ["kubectl", "--kubeconfig", kubeconfig, "proxy", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip().rpartition(":")[2]
    yield lambda service: SERVICE_PROXY.format(port=port, service=service)
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def gateway(
    kubeconfig: str, backends: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    made = Gateway(
        tmp_path_factory.mktemp("gateway"), kubeconfig, backends("prometheus:9090"), backends("jaeger:16686")
    )
    made.start()
    yield made
    made.stop()
    for name in ATTEMPTS:
        made.admin("delete", "agentattempt", name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube(kubeconfig: str) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as connection:
        yield connection


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(kube: Kube) -> AsyncIterator[str]:
    """The namespace of a small shop that serves."""
    namespace = f"small-shop-{uuid4().hex[:6]}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        for manifest in small_shop.manifests(namespace, await image(kube)):
            await kube.create(manifest)
        await until(lambda: serves(kube, namespace), "the shop to serve")
        yield namespace
    finally:
        await kube.delete(ObjectRef("v1", "Namespace", "", namespace))


async def image(kube: Kube) -> str:
    """The application's image, as the application itself names it."""
    frontend = await kube.get(ObjectRef("apps/v1", "Deployment", "otel-demo", "frontend"))
    assert frontend is not None, "expected the application in otel-demo; run `reprise up`"
    found: str = frontend["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def triage(agent: Agent, directory: Path) -> list[dict[str, Any]]:
    """Run the agent as its image does; returns its journal."""
    token = directory / agent.name
    token.write_text(agent.token)
    done = triage_agent.run(agent.server, token, 120, CA_FILE=str(agent.ca_file))
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def attempt(gateway: Gateway, namespace: str, since: dt.datetime) -> Agent:
    start = since.isoformat(timespec="seconds").replace("+00:00", "Z")
    agent = gateway.agent(namespace, window={"start": start})
    ATTEMPTS.append(agent.name)
    return agent


def submitted(agent: Agent) -> list[str]:
    status = agent.wait_for_phase("Submitted")
    entities: list[str] = status["submission"]["entities"]
    return entities


def why(result: scoring.Score, journal: list[dict[str, Any]]) -> str:
    """What the agent suspected and why, a line each."""
    wrong = ", ".join(map(str, (*result.false_positives, *result.missed)))
    lines = [json.dumps(entry) for entry in journal if entry["event"] == "hypothesis"]
    return "\n".join([f"score {result.score}, wrong or missed: {wrong}", *lines])


@pytest.mark.parametrize("mechanism", sorted(INCIDENTS))
async def test_finds_the_cause(
    mechanism: str, kube: Kube, shop: str, gateway: Gateway, tmp_path: Path
) -> None:
    await until(lambda: serves(kube, shop), "the shop to serve before the fault")
    engine, since = Engine(kube), dt.datetime.now(dt.UTC)
    plan = await engine.plan(INCIDENTS[mechanism], shop, seed=11)
    try:
        await settle(engine.apply, plan)
        await until(lambda: felt(mechanism, kube, shop), f"users to feel {mechanism}")
        agent = attempt(gateway, shop, since)
        journal = triage(agent, tmp_path)
        entities = [EntityId.parse(text) for text in submitted(agent)]
        result = scoring.score(await engine.truth(plan), entities)
        assert result.score == 1.0, why(result, journal)
    finally:
        await settle(engine.revert, plan)
        await until(lambda: serves(kube, shop), "the shop to serve again")


async def test_names_nothing_in_a_healthy_shop(
    kube: Kube, shop: str, gateway: Gateway, tmp_path: Path
) -> None:
    since = dt.datetime.now(dt.UTC)
    await until(lambda: serves(kube, shop), "the shop to serve")
    agent = attempt(gateway, shop, since)
    journal = triage(agent, tmp_path)
    assert submitted(agent) == [], journal


async def test_names_nothing_in_the_healthy_application(kube: Kube, gateway: Gateway, tmp_path: Path) -> None:
    """With traces and alerts of real traffic."""
    runs = await kube.list_objects("reprise.dev/v1alpha1", "BenchmarkRun")
    if any(not run.get("status", {}).get("completedAt") for run in runs):
        pytest.skip("a run is under way, so the application may be broken on purpose")
    agent = attempt(gateway, "otel-demo", dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
    journal = triage(agent, tmp_path)
    assert submitted(agent) == [], journal
    looked = [entry for entry in journal if entry["event"] == "look"]
    assert {entry["status"] for entry in looked} == {200}, looked
