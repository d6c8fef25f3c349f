"""The hunt for leaks: what it asks, what it takes for a finding, and when it gives up."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from reprise.adapters.kube import Kube, Response
from reprise.domain import errors, proof
from reprise.domain.run_status import RunStatus
from reprise.proof import crawl, hunt

DOCUMENT: dict[str, Any] = {
    "run": {"namespace": "default", "name": "prove-cart-7", "uid": "0d5c2f9e-6f6b-4f0e-9f1c-3a4b5c6d7e8f"},
    "scenario": {"name": "cart-drain-stuck", "application": "otel-demo"},
    "truth": [
        {"entity": "otel-demo/NetworkPolicy/cart-ingress", "equivalents": ["otel-demo/Service/cart-store"]}
    ],
    "plan": [],
    "injector": [],
    "mechanisms": ["feature-flag", "network-policy-ingress-block"],
}
POD = {
    "metadata": {"name": "cart-1", "namespace": "otel-demo"},
    "status": {"containerStatuses": [{"name": "cart", "restartCount": 1}]},
}
ANSWERS: Mapping[str, Any] = {
    "/apis": {"groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1"}]}]},
    "/api/v1": {
        "resources": [
            {"name": "pods", "verbs": ["get", "list"]},
            {"name": "pods/log", "verbs": ["get"]},
        ]
    },
    "/apis/apps/v1": {"resources": [{"name": "deployments", "verbs": ["get", "list"]}]},
    "/api/v1/pods": {"items": [POD]},
    "/prometheus/api/v1/labels": {"data": ["pod"]},
    "/jaeger/api/services": {"data": ["cart/a"]},
}


class Door(Kube):
    """A gateway's answers by path; what is not there is refused. `planted` stand in for them."""

    def __init__(self, planted: Mapping[str, str] | None = None, silent: bool = False) -> None:
        self.planted = planted or {}
        self.silent = silent
        self.asked: list[str] = []

    async def raw(self, method: str, path: str, **options: Any) -> Response:
        self.asked.append(str(crawl.Question(path, options["accept"], options["query"], method)))
        if self.silent:
            raise errors.Unreachable("nobody there")
        if path in self.planted:
            return Response(200, "text/plain", self.planted[path].encode())
        if path not in ANSWERS:
            return Response(403, "application/json", b'{"kind": "Status"}')
        return Response(200, "application/json", json.dumps(ANSWERS[path]).encode())


async def test_every_way_in_is_tried() -> None:
    door = Door()
    found = await hunt.hunt(door, DOCUMENT, "otel-demo")
    paths = [asked.split()[1] for asked in door.asked]
    for path in (
        "/api/v1/pods",
        "/api/v1/pods?includeObject=None",
        "/apis/apps/v1/deployments",
        "/api/v1/namespaces/otel-demo/pods/cart-1/log?container=cart&tailLines=500",
        "/api/v1/namespaces/otel-demo/pods/cart-1/log?container=cart&tailLines=500&previous=true",
        "/alerts",
        "/instructions",
        "/prometheus/api/v1/rules",
        "/prometheus/api/v1/metadata",
        "/prometheus/api/v1/label/pod/values",
        "/jaeger/api/services/cart%2Fa/operations",
        "/jaeger/api/traces?service=cart%2Fa&limit=10",
    ):
        assert path in paths, path
    assert len(set(door.asked)) == len(door.asked), "the same question twice would be stopped as a loop"
    assert found.tried == len(door.asked)
    assert 0 < found.read < found.tried
    assert (found.findings, found.complete) == ((), True)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("asked otel-demo/NetworkPolicy/cart-ingress", "otel-demo/networkpolicy/cart-ingress"),
        ("asked OTEL-DEMO/Service/cart-store,", "otel-demo/service/cart-store"),
        ("for Cart-Drain-Stuck", "cart-drain-stuck"),
        ("run prove-cart-7", "prove-cart-7"),
        (DOCUMENT["run"]["uid"], DOCUMENT["run"]["uid"]),
        ("network-policy-ingress-block", "network-policy-ingress-block"),
        ("by unkopfed", "kopf"),
        ("chaos-mesh", "chaos-mesh"),
        ("NetworkPolicy cart-ingress, feature-flag, cart-drain-stucked", None),
    ],
)
@pytest.mark.parametrize("path", ["/alerts", "/jaeger/api/dependencies"])
async def test_what_is_a_finding(text: str, token: str | None, path: str) -> None:
    found = await hunt.hunt(Door({path: text}), DOCUMENT, "otel-demo")
    if token is None:
        assert found.findings == ()
    else:
        (finding,) = found.findings
        assert finding.startswith(f"{token!r} (")
        assert f"GET {path}" in finding


async def test_an_injector_that_may_be_seen_is_no_finding() -> None:
    document = {**DOCUMENT, "scenario": {**DOCUMENT["scenario"], "injector": "visible"}}
    assert (await hunt.hunt(Door({"/alerts": "chaos-mesh"}), document, "otel-demo")).findings == ()


async def test_time_is_bounded_and_what_was_found_by_then_counts() -> None:
    class Slow(Door):
        async def raw(self, method: str, path: str, **options: Any) -> Response:
            if path == "/alerts":
                await asyncio.Event().wait()
            return await super().raw(method, path, **options)

    found = await hunt.hunt(Slow({"/apis/apps/v1/deployments": "kopf"}), DOCUMENT, "otel-demo", 0.2)
    assert not found.complete
    assert found.findings
    assert "broken off" in proof.told(found)


@pytest.mark.parametrize(
    ("leak", "passed"),
    [
        (proof.Leak(300, 290, (), 5.0), True),
        (proof.Leak(300, 290, (), 20.0, complete=False), True),
        (proof.Leak(300, 290, ("'kopf' in GET /apis",), 5.0), False),
        (proof.Leak(300, 0, (), 5.0), False),
    ],
)
def test_the_check(leak: proof.Leak, passed: bool) -> None:
    made = proof.checks(RunStatus(), proof.Findings(leak=leak), control=True)
    (check,) = [check for check in made if check.name == "no leak"]
    assert check.passed is passed
    assert f"{leak.tried} questions" in check.detail


def test_without_a_hunt_there_is_no_check() -> None:
    assert not [c for c in proof.checks(RunStatus(), proof.Findings(), control=True) if c.name == "no leak"]


async def test_a_door_that_answers_nothing_is_no_success() -> None:
    found = await hunt.hunt(Door(silent=True), DOCUMENT, "otel-demo")
    assert found.read == 0
    assert found.tried > 0


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ('{"cells": ["node/local-worker", "NodeNotSchedulable"]}', 0),
        ('{"entity": "Node/local-worker"}', 1),
        ("otel-demo/deployment/frontend", 1),
    ],
)
async def test_a_node_is_written_by_everybody_as_an_agent_would(text: str, findings: int) -> None:
    truth = [{"entity": "Node/local-worker", "equivalents": ["otel-demo/Deployment/frontend"]}]
    door = Door({"/api/v1/pods": text})
    found = await hunt.hunt(door, {**DOCUMENT, "truth": truth}, "otel-demo")
    assert len({line.partition(" in ")[0] for line in found.findings}) == findings, found.findings
