"""The engine above an API server in memory; the tests play the controllers."""

import dataclasses
import json
from typing import Any

import pytest
from tests.fakes.kube import FakeKube
from tests.unit.faults import shop

from reprise.adapters import engine_write
from reprise.adapters.engine import Engine
from reprise.domain import errors, mutating
from reprise.domain import plan as plans
from reprise.domain import truth as truths
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.mutation import BeforeDelete, Delete, PlannedMutation
from reprise.domain.scenario import Difficulty, Fault, Noise, Scenario, TruthPolicy

NAMESPACE = shop.NAMESPACE
SELECTOR = Fault("service-selector-invalid", "Service", "cart")
QUOTA = Fault("resource-quota-insufficient", "Deployment", "checkout", {"hard": {"limits.memory": "1Gi"}})
IMAGE = Fault("container-image-nonexistent", "Deployment", "cart")
ACCOUNT = Fault("service-account-missing", "Deployment", "cart")
ROLLOUT = Fault("rollout-progress-deadline-exceeded", "Deployment", "cart")
FLAG = Fault("feature-flag", "ConfigMap", "flagd-config", {"flag": "paymentFailure", "variant": "100%"})
POLICY = Fault("network-policy-ingress-block", "Deployment", "frontend")
ENFORCER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "kindnet-abc", "namespace": "kube-system", "ownerReferences": [{"uid": "x"}]},
    "spec": {"containers": []},
    "status": {"phase": "Running"},
}


def scenario(*faults: Fault, owned: bool = True) -> Scenario:
    return Scenario(
        "a", "b", "c", Difficulty.EASY, (), "otel-demo", faults, (), truth_policy=TruthPolicy(owned)
    )


@pytest.fixture
def kube() -> FakeKube:
    made = FakeKube(*shop.manifests(), ENFORCER)
    made.advance(60)
    return made


def ready(kube: FakeKube, name: str) -> None:
    """What the controllers would report of a Deployment that has rolled out."""
    deployment = found(kube, "Deployment", name)
    count = deployment["spec"]["replicas"]
    deployment["status"] = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": count,
        "updatedReplicas": count,
        "availableReplicas": count,
        "readyReplicas": count,
    }
    kube.store(deployment)


def made(kube: FakeKube, replica_set: str, count: int) -> None:
    """What the controllers would report of a ReplicaSet that has so many pods."""
    kube.store({**found(kube, "ReplicaSet", replica_set), "status": {"replicas": count}})


def found(kube: FakeKube, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    for item in kube.objects().values():
        if (item["kind"], item["metadata"]["name"]) == (kind, name):
            return item
    raise AssertionError(f"no {kind}/{name}")


def stored(plan: plans.Plan) -> plans.Plan:
    again = plans.from_json(json.loads(json.dumps(plans.to_json(plan))))
    assert again == plan
    return again


async def test_planning_writes_nothing(kube: FakeKube) -> None:
    before = kube.objects()
    await Engine(kube).plan(scenario(SELECTOR, QUOTA, IMAGE, FLAG, POLICY), NAMESPACE, 1)
    assert kube.objects() == before


async def test_apply_and_revert_leave_no_trace(kube: FakeKube) -> None:
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    plan = stored(await engine.plan(scenario(SELECTOR, POLICY), NAMESPACE, 1))
    applied = await engine.apply(plan)
    assert (applied.done, applied.total, applied.settled) == (2, 2, True)
    writes = len(kube.writes())
    assert (await engine.apply(plan)).settled
    assert len(kube.writes()) == writes, "what is in force is not written again"
    assert len(await engine.drift(NAMESPACE, before)) == 2
    assert (await engine.revert(plan)).settled
    assert await engine.drift(NAMESPACE, before) == ()
    writes = len(kube.writes())
    assert (await engine.revert(plan)).settled
    assert len(kube.writes()) == writes


async def test_revert_before_apply_changes_nothing(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(SELECTOR, POLICY), NAMESPACE, 1)
    writes = len(kube.writes())
    progress = await engine.revert(plan)
    assert (progress.settled, progress.done, progress.conflicts) == (True, 2, ())
    assert len(kube.writes()) == writes


async def test_somebody_between_read_and_write(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(SELECTOR), NAMESPACE, 1)
    meddled = []

    def meddle(method: str, path: str) -> None:
        if method == "PUT" and not meddled:
            meddled.append(path)
            service = found(kube, "Service", "cart")
            service["metadata"]["labels"] = {"team": "carts"}
            kube.store(service)

    kube.before = meddle
    assert (await engine.apply(plan)).settled
    assert meddled
    service = found(kube, "Service", "cart")
    assert service["metadata"]["labels"] == {"team": "carts"}, "their change is kept"
    assert service["spec"]["selector"] != {"app": "cart"}


async def test_endless_meddling_is_a_conflict(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(SELECTOR), NAMESPACE, 1)
    count = 0

    def meddle(method: str, path: str) -> None:
        nonlocal count
        if method == "PUT":
            count += 1
            service = found(kube, "Service", "cart")
            service["metadata"]["labels"] = {"count": str(count)}
            kube.store(service)

    kube.before = meddle
    with pytest.raises(errors.Conflict, match="found it changed each time"):
        await engine.apply(plan)


async def test_their_value_is_a_conflict_on_apply_and_on_revert(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(SELECTOR, POLICY), NAMESPACE, 1)
    service = found(kube, "Service", "cart")
    service["spec"]["selector"] = {"app": "theirs"}
    kube.store(service)
    applied = await engine.apply(plan)
    assert not applied.settled
    assert (applied.done, len(applied.conflicts)) == (1, 1)
    reverted = await engine.revert(plan)
    assert reverted.settled
    assert (reverted.done, len(reverted.conflicts)) == (1, 1)
    assert found(kube, "Service", "cart")["spec"]["selector"] == {"app": "theirs"}


async def test_old_replicas_are_retired_only_when_there_are_new_ones(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(IMAGE), NAMESPACE, 1)
    progress = await engine.apply(plan)
    assert progress.waiting_for == ("Deployment/cart to be seen by its controller",)
    ready(kube, "cart")
    progress = await engine.apply(plan)
    assert progress.waiting_for == ("Deployment/cart to get a ReplicaSet of its new template",)
    assert found(kube, "ReplicaSet", "cart-abc")["spec"]["replicas"] == 1
    new = shop.replica_set(found(kube, "Deployment", "cart"), "new")
    kube.store(new)
    progress = await engine.apply(plan)
    assert progress.waiting_for == ("1 older pods of Deployment/cart to end",)
    assert found(kube, "ReplicaSet", "cart-abc")["spec"]["replicas"] == 0
    kube.drop("v1", "Pod", NAMESPACE, "cart-abc-1")
    progress = await engine.apply(plan)
    assert progress.waiting_for == ("1 new pods of Deployment/cart to be made",)
    kube.store(shop.pod(new, "guilty"))
    made(kube, "cart-new", 1)
    assert (await engine.apply(plan)).settled

    (cause,) = (await engine.truth(plan)).root_causes
    assert str(cause.entity) == "otel-demo/Deployment/cart"
    assert [str(entity) for entity in cause.equivalents] == [
        "otel-demo/Pod/cart-new-guilty",
        "otel-demo/ReplicaSet/cart-new",
    ]

    await engine.revert(plan)
    made(kube, "cart-new", 0)
    made(kube, "cart-abc", 1)
    ready(kube, "cart")
    waiting = (await engine.revert(plan)).waiting_for
    assert "ReplicaSet/cart-new to be removed" in waiting
    kube.drop("v1", "Pod", NAMESPACE, "cart-new-guilty")
    while not (progress := await engine.revert(plan)).settled:
        assert progress.waiting_for
    with pytest.raises(AssertionError):
        found(kube, "ReplicaSet", "cart-new")
    found(kube, "ReplicaSet", "cart-abc")


async def test_evicted_pods_do_not_hold_up_the_retirement(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(IMAGE), NAMESPACE, 1)
    await engine.apply(plan)
    ready(kube, "cart")
    kube.store(shop.replica_set(found(kube, "Deployment", "cart"), "new"))
    made(kube, "cart-new", 1)
    kube.store({**found(kube, "Pod", "cart-abc-1"), "status": {"phase": "Failed", "reason": "Evicted"}})
    await engine.apply(plan)
    assert (await engine.apply(plan)).settled


async def test_where_pods_are_refused_none_is_waited_for(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = stored(await engine.plan(scenario(ACCOUNT), NAMESPACE, 1))
    await engine.apply(plan)
    ready(kube, "cart")
    kube.store(shop.replica_set(found(kube, "Deployment", "cart"), "new"))
    kube.drop("v1", "Pod", NAMESPACE, "cart-abc-1")
    await engine.apply(plan)
    assert (await engine.apply(plan)).settled
    (cause,) = (await engine.truth(plan)).root_causes
    assert [str(entity) for entity in cause.equivalents] == ["otel-demo/ReplicaSet/cart-new"]


async def test_a_rollout_that_hangs_leaves_the_old_pods_serving(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = stored(await engine.plan(scenario(ROLLOUT), NAMESPACE, 1))
    assert (await engine.apply(plan)).waiting_for == ("Deployment/cart to be seen by its controller",)
    ready(kube, "cart")
    assert (await engine.apply(plan)).waiting_for == ("1 new pods of Deployment/cart to be made",)
    kube.store(shop.replica_set(found(kube, "Deployment", "cart"), "new"))
    made(kube, "cart-new", 1)
    assert (await engine.apply(plan)).settled
    assert found(kube, "ReplicaSet", "cart-abc")["spec"]["replicas"] == 1


async def test_pods_older_than_the_change_are_recycled(kube: FakeKube) -> None:
    engine = Engine(kube, kube.now)
    ready(kube, "flagd")
    plan = await engine.plan(scenario(FLAG), NAMESPACE, 1)
    await engine.apply(plan)
    kube.advance(0.9)
    progress = await engine.apply(plan)
    assert not progress.settled
    assert found(kube, "Pod", "flagd-abc-1"), "what is made in this second would be replaced again"
    kube.advance(0.1)
    assert (await engine.apply(plan)).waiting_for == ("1 pods of Deployment/flagd to be replaced",)
    new = shop.pod(shop.replica_set(found(kube, "Deployment", "flagd")), "new")
    kube.store(new)
    assert (await engine.apply(plan)).settled
    assert found(kube, "Pod", "flagd-abc-new"), "a young pod stays"


async def test_noise_replaces_pods_that_nobody_calls(kube: FakeKube) -> None:
    """Of a control too, which changes nothing else."""
    worker = shop.deployment("worker")
    own = shop.replica_set(worker)
    for manifest in (worker, own, shop.pod(own, "old")):
        kube.store(manifest)
    ready(kube, "worker")
    engine = Engine(kube)
    plan = await engine.plan(dataclasses.replace(scenario(), noise=Noise(restarts=1)), NAMESPACE, 1)
    assert stored(plan) == plan
    assert [ref.name for ref in plan.noise] == ["worker"]
    assert (await engine.apply(plan)).waiting_for == ("1 pods of Deployment/worker to be replaced",)
    kube.store(shop.pod(own, "new"))
    assert (await engine.apply(plan)).settled
    assert found(kube, "Pod", "worker-abc-new")
    assert await engine.truth(plan) == truths.Truth(())
    assert (await engine.revert(plan)).settled


async def test_decoys_are_changed_and_taken_back_and_are_no_cause(kube: FakeKube) -> None:
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    decoys = (
        Fault("config-map-added", "Deployment", "cart"),
        Fault("label-changed", "Deployment", "checkout"),
    )
    plan = await engine.plan(dataclasses.replace(scenario(), decoys=decoys), NAMESPACE, 1)
    assert (await engine.apply(plan)).settled
    assert await engine.truth(plan) == truths.Truth(())
    changed = {str(item.entity) for item in await engine.drift(NAMESPACE, before)}
    assert changed == {str(ref.entity) for ref in plan.decoys}
    assert (await engine.revert(plan)).settled
    assert await engine.drift(NAMESPACE, before) == ()


async def test_a_decoy_in_a_guilty_object_is_none(kube: FakeKube) -> None:
    wanted = dataclasses.replace(scenario(IMAGE), decoys=(Fault("label-changed", "Deployment", "cart"),))
    with pytest.raises(errors.InvalidInput, match=r"decoys\[0\] .*no root cause, found .*Deployment/cart"):
        await Engine(kube).plan(wanted, NAMESPACE, 1)


async def test_refused_pods_are_asked_for_again(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(QUOTA), NAMESPACE, 1)
    await engine.apply(plan)
    replica_set = found(kube, "ReplicaSet", "checkout-abc")
    replica_set["status"] = {
        "replicas": 0,
        "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}],
    }
    kube.store(replica_set)
    progress = await engine.revert(plan)
    assert "Deployment/checkout to make its refused pods again" in progress.waiting_for
    assert found(kube, "ReplicaSet", "checkout-abc")["status"]["conditions"] == []


async def test_equivalents(kube: FakeKube) -> None:
    fault = dataclasses.replace(
        SELECTOR, equivalents=("Endpoints/cart", "Namespace/otel-demo", "other/Pod/x")
    )
    plan = await Engine(kube).plan(scenario(fault), NAMESPACE, 1)
    (cause,) = plan.truth.root_causes
    assert cause.entity == EntityId(NAMESPACE, "Service", "cart")
    assert [str(e) for e in cause.equivalents] == [
        "otel-demo/Endpoints/cart",
        "Namespace/otel-demo",
        "other/Pod/x",
    ]


async def test_owned_objects_only_where_the_policy_says_so(kube: FakeKube) -> None:
    assert (await Engine(kube).plan(scenario(IMAGE), NAMESPACE, 1)).owned_causes
    assert not (await Engine(kube).plan(scenario(IMAGE, owned=False), NAMESPACE, 1)).owned_causes


async def test_truth_needs_every_mutation_in_force(kube: FakeKube) -> None:
    engine = Engine(kube)
    plan = await engine.plan(scenario(SELECTOR), NAMESPACE, 1)
    with pytest.raises(errors.Conflict, match="otel-demo/Service/cart"):
        await engine.truth(plan)
    await engine.apply(plan)
    assert (await engine.truth(plan)).root_causes == plan.truth.root_causes


async def test_every_problem_of_every_fault_at_once(kube: FakeKube) -> None:
    bad = (
        Fault("feature-flag", "ConfigMap", "flagd-config", {"flag": "nope", "variant": "on"}),
        Fault("workload-scaled-to-zero", "Deployment", "gone"),
        SELECTOR,
        SELECTOR,
    )
    with pytest.raises(errors.InvalidInput) as caught:
        await Engine(kube).plan(scenario(*bad), NAMESPACE, 1)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "faults[0] (feature-flag on ConfigMap/flagd-config)",
        "faults[3] (service-selector-invalid on Service/cart)",
        "faults[1] (workload-scaled-to-zero on Deployment/gone)",
    ]


async def test_without_enforcement_a_policy_is_unsupported() -> None:
    kube = FakeKube(*shop.manifests())
    with pytest.raises(errors.Unsupported, match="enforces NetworkPolicy"):
        await Engine(kube).plan(scenario(POLICY), NAMESPACE, 1)
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "node-network"},
    }
    kube.store(role)
    assert await Engine(kube).plan(scenario(POLICY), NAMESPACE, 1)


async def test_writes_carry_a_neutral_manager(kube: FakeKube) -> None:
    engine = Engine(kube)
    await engine.apply(await engine.plan(scenario(SELECTOR, POLICY), NAMESPACE, 1))
    (policy,) = await kube.list_objects("networking.k8s.io/v1", "NetworkPolicy", NAMESPACE)
    managers = {
        entry["manager"]
        for item in (policy, found(kube, "Service", "cart"))
        for entry in item["metadata"]["managedFields"]
    }
    assert managers - {"tests"} == {"kubectl-edit"}


async def test_secret_values_never_enter_a_fingerprint() -> None:
    kube = FakeKube(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": NAMESPACE},
            "data": {"password": "aHVudGVyMg=="},
        }
    )
    fingerprint = await Engine(kube).fingerprint(NAMESPACE)
    assert "aHVudGVyMg" not in json.dumps(fingerprint.objects["otel-demo/Secret/s"])
    changed = found(kube, "Secret", "s")
    changed["data"]["password"] = "b3RoZXI="
    kube.store(changed)
    (difference,) = await Engine(kube).drift(NAMESPACE, fingerprint)
    assert difference.path == "data.password"


async def test_a_truth_that_names_nothing_is_refused(kube: FakeKube) -> None:
    named = dataclasses.replace(SELECTOR, equivalents=("Service/cart", "Deployment/no-such"))
    with pytest.raises(errors.InvalidInput, match=r"otel-demo/Deployment/no-such to exist, found only: cart"):
        await Engine(kube).plan(scenario(named), NAMESPACE, 1)


@pytest.mark.parametrize("leaving", [True, False])
async def test_a_namespace_that_was_deleted_meanwhile_is_said(kube: FakeKube, leaving: bool) -> None:
    ref = ObjectRef("v1", "Service", NAMESPACE, "cart")
    gone = PlannedMutation(Delete(ref), BeforeDelete("old", found(kube, "Service", "cart")))
    await kube.delete(ref)
    if leaving:
        meta = {"name": NAMESPACE, "deletionTimestamp": "2026-01-01T00:00:00Z"}
        kube.store({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    else:
        await kube.delete(ObjectRef("v1", "Namespace", "", NAMESPACE))

    def refuse(method: str, path: str) -> None:
        if method == "POST":
            raise errors.NotFound('namespaces "otel-demo" not found')

    kube.before = refuse
    move = await engine_write.bring(kube, gone, back=True)
    assert isinstance(move, mutating.Done)
    assert "expected its namespace to be there" in move.conflict


async def test_the_rest_of_the_cluster_is_other_peoples(kube: FakeKube) -> None:
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    for name in ("theirs", "ours"):
        made = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        kube.store({**made, "value": 1})
    assert {item.entity for item in await engine.drift(NAMESPACE, before)} == {
        "PriorityClass/ours",
        "PriorityClass/theirs",
    }
    (left,) = await engine.drift(NAMESPACE, before, {"PriorityClass/ours"})
    assert left.entity == "PriorityClass/ours"


def test_a_plan_of_another_release_is_refused() -> None:
    with pytest.raises(errors.Corrupt, match="version 1"):
        plans.from_json({"version": 1})


@pytest.mark.parametrize(
    ("wanted", "there", "covered"),
    [
        ({"a": [1]}, {"a": [1], "b": 2}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": [{"x": 1}]}, {"a": [{"x": 1, "default": 2}]}, True),
        ({"a": {}}, {"a": 1}, False),
        ({"a": 1}, {}, False),
    ],
)
def test_covers(wanted: Any, there: Any, covered: bool) -> None:
    assert mutating.covers(wanted, there) is covered
