"""What clusters have, and the reasons why they cannot host a scenario."""

from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from reprise.adapters import preflight
from reprise.domain import errors
from reprise.faults.mechanism import Requirement


def pod(name: str, phase: str = "Running") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system"},
        "status": {"phase": phase},
    }


def node(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}


ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "node-network"},
}


@pytest.mark.parametrize(
    ("objects", "enforced"),
    [
        pytest.param([], False, id="bare"),
        pytest.param([pod("coredns-1")], False, id="other pods"),
        pytest.param([pod("kindnet-x2")], True, id="kindnet"),
        pytest.param([pod("calico-node-x2")], True, id="calico"),
        pytest.param([pod("calico-node-x2", "Pending")], False, id="calico that does not run"),
        pytest.param([ROLE], True, id="agent of the node image"),
    ],
)
async def test_network_policy(objects: list[dict[str, Any]], enforced: bool) -> None:
    reason = await preflight.lacks(FakeKube(*objects), Requirement.NETWORK_POLICY)
    assert (reason == "") is enforced, reason


@pytest.mark.parametrize(
    ("nodes", "enough"),
    [
        ([node("a")], False),
        ([node("a"), node("b")], True),
        ([node("a"), node("b", unschedulable=True)], False),
        (
            [
                node("a", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]),
                node("b"),
            ],
            False,
        ),
        ([node("a", taints=[{"key": "x", "effect": "PreferNoSchedule"}]), node("b")], True),
    ],
)
async def test_two_nodes(nodes: list[dict[str, Any]], enough: bool) -> None:
    reason = await preflight.lacks(FakeKube(*nodes), Requirement.TWO_NODES)
    assert (reason == "") is enough, reason


async def test_all_reasons_at_once() -> None:
    with pytest.raises(errors.Unsupported) as caught:
        await preflight.check(FakeKube(), list(Requirement))
    for word in ("NetworkPolicy", "two nodes", "metrics-server", "Chaos Mesh"):
        assert word in str(caught.value)


async def test_nothing_required_is_nothing_asked() -> None:
    kube = FakeKube()
    await preflight.check(kube, [])
    assert kube.requests == []
