"""When an agent first had a guilty object in its hands."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.attempts.trails import PODS, entry, read

from reprise.domain import evidence
from reprise.domain.entities import EntityId
from reprise.domain.evidence import How

POLICY = EntityId.parse("otel-demo/NetworkPolicy/web-in")
POLICIES = "/apis/networking.k8s.io/v1/namespaces/otel-demo/networkpolicies"
NODE = EntityId.parse("Node/worker")
EVENTS = "/api/v1/namespaces/otel-demo/events"
QUERY = "/prometheus/api/v1/query"

TABLE: dict[str, tuple[EntityId, dict[str, Any], How | None]] = {
    "by name": (POLICY, {"path": f"{POLICIES}/web-in"}, How.NAMED),
    "by name, gone": (POLICY, {"path": f"{POLICIES}/web-in", "status": 404}, How.NAMED),
    "by name, refused": (POLICY, {"path": f"{POLICIES}/web-in", "status": 403}, None),
    "another one": (POLICY, {"path": f"{POLICIES}/web-out"}, None),
    "its name in another namespace": (POLICY, {"path": f"{POLICIES}/web-in".replace("otel-demo", "x")}, None),
    "the list of its namespace": (POLICY, {"path": POLICIES}, How.RETURNED),
    "a list of kubectl's": (POLICY, {"path": POLICIES, "arguments": {"limit": "500"}}, How.RETURNED),
    "the list of all namespaces": (
        POLICY, {"path": "/apis/networking.k8s.io/v1/networkpolicies"}, How.RETURNED,
    ),
    "the list of another namespace": (POLICY, {"path": POLICIES.replace("otel-demo", "x")}, None),
    "the list of another kind": (POLICY, {"path": PODS}, None),
    "a list that failed": (POLICY, {"path": POLICIES, "status": 503}, None),
    "a list of few": (POLICY, {"path": POLICIES, "arguments": {"limit": "1"}}, How.PERHAPS),
    "a later page": (POLICY, {"path": POLICIES, "arguments": {"continue": "x"}}, How.PERHAPS),
    "a selector": (POLICY, {"path": POLICIES, "arguments": {"labelSelector": "a=b"}}, How.PERHAPS),
    "a field selector by name": (
        POLICY, {"path": POLICIES, "arguments": {"fieldSelector": "metadata.name=web-in"}}, How.NAMED,
    ),
    "a field selector by another name": (
        POLICY, {"path": POLICIES, "arguments": {"fieldSelector": "metadata.name=web-out"}}, None,
    ),
    "its events": (
        POLICY, {"path": EVENTS, "arguments": {"fieldSelector": "involvedObject.name=web-in"}}, How.QUERIED,
    ),
    "a query for it": (
        POLICY, {"path": QUERY, "tool": "prometheus", "arguments": {"query": 'up{p="web-in"}'}}, How.QUERIED,
    ),
    "a query for what begins like it": (
        POLICY, {"path": QUERY, "tool": "prometheus", "arguments": {"query": 'up{p="web-in-2"}'}}, None,
    ),
    "its own answer": (
        POLICY, {"path": "/submit", "tool": "submit", "arguments": {"entities": [str(POLICY)]}}, None,
    ),
    "a node by name": (NODE, {"path": "/api/v1/nodes/worker"}, How.NAMED),
    "the list of nodes": (NODE, {"path": "/api/v1/nodes"}, How.RETURNED),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_one_call(tmp_path: Path, case: str) -> None:
    entity, call, how = TABLE[case]
    found = evidence.first([entity], read(tmp_path, entry(1, **call)).calls)
    assert (found.how if found else None) is how


def test_the_first_certain_one_counts(tmp_path: Path) -> None:
    perhaps = entry(1, POLICIES, arguments={"labelSelector": "a"})
    calls = read(tmp_path, perhaps, entry(2), entry(3, POLICIES), entry(4, f"{POLICIES}/web-in")).calls
    found = evidence.first([NODE, POLICY], calls)
    assert found is not None
    assert (found.call.seq, found.entity, found.how) == (3, POLICY, How.RETURNED)
    only = evidence.first([POLICY], calls[:2])
    assert only is not None
    assert (only.call.seq, only.how) == (1, How.PERHAPS)
    assert evidence.first([POLICY], calls[1:2]) is None
