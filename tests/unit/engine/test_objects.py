"""What faults in objects beside the pod template ask of the engine."""

from typing import Any

from tests.fakes.kube import FakeKube
from tests.unit.engine.test_engine import NAMESPACE, found, scenario, stored
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import COREFILE, config_map, node

from reprise.adapters.engine import Engine
from reprise.domain.scenario import Fault

LIMITS = Fault("limit-range-rejecting", "Deployment", "cart")
CORDON = Fault("node-cordoned", "Deployment", "cart")
SERVICE = Fault("service-deleted", "Service", "cart")


def world(*more: dict[str, Any]) -> FakeKube:
    made = FakeKube(*shop.manifests(), *more)
    made.advance(60)
    return made


def carts(kube: FakeKube) -> list[str]:
    return sorted(
        item["metadata"]["name"]
        for item in kube.objects().values()
        if item["kind"] == "Pod" and item["metadata"]["labels"].get("app") == "cart"
    )


async def test_a_pod_that_is_let_in_late_goes_like_the_others() -> None:
    kube = world()
    engine = Engine(kube)
    plan = stored(await engine.plan(scenario(LIMITS), NAMESPACE, 1))
    progress = await engine.apply(plan)
    assert not progress.settled
    assert progress.waiting_for == ("1 pods of Deployment/cart to end, and no new ones",)
    assert carts(kube) == []
    # The controller was faster than what refuses its pods.
    kube.advance(5)
    kube.store(shop.pod(shop.deployment("cart"), "late"))
    assert not (await engine.apply(plan)).settled
    assert carts(kube) == []
    assert (await engine.apply(plan)).settled


DNS = Fault("coredns-misconfigured", "Service", "valkey-cart")


def coredns() -> list[dict[str, Any]]:
    """CoreDNS with two replicas; its pods are put into kube-system."""
    labels = {"k8s-app": "kube-dns"}
    servers = shop.deployment("coredns", replicas=2)
    servers["metadata"]["namespace"] = "kube-system"
    servers["spec"]["selector"] = {"matchLabels": labels}
    servers["spec"]["template"]["metadata"]["labels"] = labels
    pods = [shop.pod(servers, suffix) for suffix in ("1", "2")]
    for pod in pods:
        pod["metadata"]["namespace"] = "kube-system"
    return [servers, config_map("coredns", {"Corefile": COREFILE}, "kube-system"), *pods]


async def test_name_servers_are_replaced_one_by_one() -> None:
    kube = world(*coredns())
    engine = Engine(kube, kube.now)

    def servers() -> list[str]:
        return sorted(
            item["metadata"]["name"]
            for item in kube.objects().values()
            if item["kind"] == "Pod" and item["metadata"]["namespace"] == "kube-system"
        )

    def available(count: int) -> None:
        deployment = found(kube, "Deployment", "coredns", "kube-system")
        status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": count}
        kube.store({**deployment, "status": status})

    available(2)
    plan = stored(await engine.plan(scenario(DNS), NAMESPACE, 1))
    await engine.apply(plan)  # the change
    kube.advance(5)
    await engine.apply(plan)
    assert servers() == ["coredns-2"]
    new = shop.pod(found(kube, "Deployment", "coredns", "kube-system"), "3")
    new["metadata"]["namespace"] = "kube-system"
    kube.store(new)
    available(1)
    await engine.apply(plan)
    assert servers() == ["coredns-2", "coredns-3"], "the other one stays until the new one serves"
    assert carts(kube) == ["cart-abc-1"], "a new one might be answered by the old server, and keep that"
    available(2)
    await engine.apply(plan)
    assert servers() == ["coredns-3"]
    kube.store({**new, "metadata": {**new["metadata"], "name": "coredns-4", "uid": "4"}})
    assert (await engine.apply(plan)).settled
    assert carts(kube) == [], "whoever calls by the name asks for it anew"


async def test_a_deleted_service_comes_back_as_it_was() -> None:
    kube = world()
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    plan = stored(await engine.plan(scenario(SERVICE), NAMESPACE, 1))
    assert (await engine.apply(plan)).settled
    assert [str(cause.entity) for cause in (await engine.truth(plan)).root_causes] == [
        "otel-demo/Service/cart"
    ]
    assert len(await engine.drift(NAMESPACE, before)) == 1
    assert (await engine.revert(plan)).settled
    assert await engine.drift(NAMESPACE, before) == ()


async def test_a_cordon_shows_as_drift_until_it_is_taken_back() -> None:
    kube = world(node("worker"))
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    plan = stored(await engine.plan(scenario(CORDON), NAMESPACE, 1))
    await engine.apply(plan)
    assert found(kube, "Node", "worker", "")["spec"] == {"unschedulable": True}
    assert "Node/worker: spec.unschedulable" in [
        f"{d.entity}: {d.path}" for d in await engine.drift(NAMESPACE, before)
    ]
    await engine.revert(plan)
    assert "Node/worker" not in {d.entity for d in await engine.drift(NAMESPACE, before)}


async def test_labels_of_the_namespace_are_part_of_the_fingerprint() -> None:
    kube = world(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"a": "1"}}}
    )
    engine = Engine(kube)
    before = await engine.fingerprint(NAMESPACE)
    namespace = found(kube, "Namespace", NAMESPACE, "")
    kube.store({**namespace, "metadata": {**namespace["metadata"], "labels": {}}})
    assert [str(d) for d in await engine.drift(NAMESPACE, before)] == [
        "Namespace/otel-demo: metadata.labels: expected nothing, found {}",
        'Namespace/otel-demo: metadata.labels.a: expected "1", found nothing',
    ]
