"""The application's manifests, and how far it is from being available."""

import datetime as dt
from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from reprise.domain import observed
from reprise.handlers import application

TEXT = """\
apiVersion: v1
kind: Namespace
metadata: {name: otel-demo, labels: {kubernetes.io/metadata.name: otel-demo, team: shop}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: otel-demo}
spec: {}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
"""


def test_a_copy_of_the_application_goes_whole_into_its_namespace() -> None:
    home, service, role = application.parse(TEXT, "otel-demo-2")
    assert home["metadata"] == {
        "name": "otel-demo-2",
        "labels": {"kubernetes.io/metadata.name": "otel-demo-2", "team": "shop"},
    }
    assert service["metadata"] == {"name": "cart", "namespace": "otel-demo-2"}
    assert role["metadata"] == {"name": "reader"}


def test_manifests_of_two_namespaces_are_no_application() -> None:
    two = TEXT + "---\napiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: other}\n"
    with pytest.raises(Exception, match="expected one namespace, found otel-demo, other"):
        application.parse(two, "otel-demo-2")


def deployment(available: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "otel-demo", "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "cart"}}},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": available,
        },
    }


def pod(name: str, **metadata: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:07Z"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "otel-demo", "labels": {"app": "cart"}, **metadata},
        "status": {"phase": "Running", "conditions": [ready]},
    }


ENDING = pod("cart-old", deletionTimestamp="2026-01-01T00:00:09Z")
READY = dt.datetime(2026, 1, 1, 0, 0, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        pytest.param([], observed.Application(0), id="nothing there"),
        pytest.param([deployment(1), pod("cart-new")], observed.Application(1, (), READY), id="available"),
        pytest.param(
            [deployment(1), pod("cart-new"), ENDING],
            observed.Application(1, (), READY, ("cart-old",)),
            id="available, and a deleted pod is not gone",
        ),
        pytest.param(
            [deployment(0)],
            observed.Application(1, ("Deployment cart: 0 of 1 replicas available",)),
            id="not available",
        ),
    ],
)
async def test_how_far_it_is(objects: list[dict[str, Any]], found: observed.Application) -> None:
    assert await application.look(FakeKube(*objects), "otel-demo") == found
