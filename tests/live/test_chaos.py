"""Chaos Mesh on a real cluster: what it accepts, what its nodes say; an experiment comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.unit.faults import cases_chaos, shop
from tests.unit.faults.test_chaos import inject

from reprise.adapters import engine_write, preflight
from reprise.adapters.engine import Engine
from reprise.adapters.kube import Kube
from reprise.domain import errors, mutating
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.scenario import Difficulty, Fault, Scenario
from reprise.faults.mechanism import Requirement

NAMESPACE = "chaos-mesh-trial"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube(kubeconfig: str) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as connected:
        assert await preflight.lacks(connected, Requirement.CHAOS_MESH) == ""
        yield connected


@pytest.mark.parametrize("name", sorted(cases_chaos.FAULTS))
async def test_experiments_are_accepted_and_stay_as_they_are_planned(kube: Kube, name: str) -> None:
    [planned] = inject(cases_chaos.FAULTS[name]).mutations
    assert isinstance(planned, Create)
    tried = await engine_write.make(kube, planned.manifest, dry_run=True)
    assert mutating.covers(planned.manifest, tried)


async def test_what_is_wrong_is_refused_by_its_webhook(kube: Kube) -> None:
    [planned] = inject(cases_chaos.FAULTS["network-chaos-delay"]).mutations
    assert isinstance(planned, Create)
    spec = {**planned.manifest["spec"], "delay": {"latency": "soon"}}
    with pytest.raises(errors.RepriseError, match="latency"):
        await engine_write.make(kube, {**planned.manifest, "spec": spec}, dry_run=True)


async def test_what_nodes_cannot_do_is_said_by_the_nodes(kube: Kube) -> None:
    for requirement in (Requirement.NETEM, Requirement.TPROXY, Requirement.TODA, Requirement.BYTEMAN):
        said = await preflight.lacks(kube, requirement)
        assert "no answer" not in said
        assert "no pod" not in said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(kube: Kube) -> AsyncIterator[dict[str, Any]]:
    """One idle pod, of an image that every node has."""
    controller = await kube.get(ObjectRef("apps/v1", "Deployment", "chaos-mesh", "chaos-controller-manager"))
    assert controller is not None
    env = controller["spec"]["template"]["spec"]["containers"][0]["env"]
    [image] = [entry["value"] for entry in env if entry["name"] == "POD_FAILURE_PAUSE_IMAGE"]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    made = shop.deployment("idle", memory="32Mi")
    made["metadata"] = {"name": "idle", "namespace": NAMESPACE}
    made["spec"]["template"]["spec"]["containers"] = [
        {"name": "idle", "image": image, "resources": {"limits": {"memory": "32Mi"}}}
    ]
    await kube.apply(namespace, "tests")
    await kube.apply(made, "tests")
    yield made
    await kube.delete(ObjectRef("v1", "Namespace", "", NAMESPACE))


async def settle(step: Any, plan: Any, seconds: int = 120) -> None:
    progress = await step(plan)
    async with asyncio.timeout(seconds):
        while not progress.settled:
            assert not progress.conflicts
            await asyncio.sleep(0.5)
            progress = await step(plan)


@pytest.mark.usefixtures("trial")
@pytest.mark.parametrize(
    ("mechanism", "params"),
    [
        ("pod-chaos-pod-failure", {}),
        ("pod-chaos-pod-kill", {}),
        ("pod-chaos-container-kill", {"schedule": "@every 5s"}),
        ("stress-chaos-cpu", {"workers": 1, "load": 5}),
        ("stress-chaos-memory", {"size": "8MB"}),
        ("time-chaos-skew", {}),
        ("network-chaos-partition", {}),
        ("network-chaos-bandwidth", {}),
    ],
)
async def test_an_experiment_comes_into_force_and_goes(
    kube: Kube, mechanism: str, params: dict[str, Any]
) -> None:
    engine = Engine(kube)
    fault = Fault(mechanism, "Deployment", "idle", params)
    wanted = Scenario("trial", "t", "t", Difficulty.EASY, (), "otel-demo", (fault,), ())
    plan = await engine.plan(wanted, NAMESPACE, seed=1)
    try:
        await settle(engine.apply, plan)
        assert (await engine.truth(plan)).root_causes[0].entity.kind == "Deployment"
    finally:
        await settle(engine.revert, plan)
    assert await kube.get(plan.mutations[0].ref) is None


CONTROLLER = ObjectRef("apps/v1", "Deployment", "chaos-mesh", "chaos-controller-manager")


async def scaled(kube: Kube, replicas: int) -> None:
    """Chaos Mesh with so many controllers, once it has them."""
    await kube.patch(CONTROLLER, {"spec": {"replicas": replicas}})
    async with asyncio.timeout(180):
        while True:
            found = await kube.get(CONTROLLER)
            assert found is not None
            status = found.get("status", {})
            if status.get("availableReplicas", 0) == status.get("replicas", 0) == replicas:
                return
            await asyncio.sleep(0.5)


@pytest.mark.usefixtures("trial")
async def test_an_experiment_is_let_go_of_when_chaos_mesh_is_down(kube: Kube) -> None:
    engine = Engine(kube)
    fault = Fault("pod-chaos-pod-failure", "Deployment", "idle", {})
    wanted = Scenario("trial", "t", "t", Difficulty.EASY, (), "otel-demo", (fault,), ())
    plan = await engine.plan(wanted, NAMESPACE, seed=1)
    try:
        await settle(engine.apply, plan)
        hit = {pod["metadata"]["uid"] for pod in await kube.list_objects("v1", "Pod", NAMESPACE)}
        await scaled(kube, 0)
    finally:
        # Taken back with nobody there who would answer to the finalizer, or to the webhooks.
        try:
            await settle(engine.revert, plan, seconds=240)
        finally:
            await scaled(kube, 1)
    assert await kube.get(plan.mutations[0].ref) is None
    left = {pod["metadata"]["uid"] for pod in await kube.list_objects("v1", "Pod", NAMESPACE)}
    assert not left & hit, "what was done to the pods went with them"
