"""What a wrongly named entity is."""

from typing import Any

import pytest

from reprise.domain import blame
from reprise.domain.blame import Blame
from reprise.domain.entities import EntityId


def edge(source: str, relation: str, target: str) -> dict[str, str]:
    return {"source": source, "relation": relation, "target": target}


def workload(name: str) -> list[dict[str, str]]:
    """A Deployment with its Service, as the recorder draws them."""
    return [
        edge("Namespace/otel-demo", "contains", f"Deployment/{name}"),
        edge("Namespace/otel-demo", "contains", f"Service/{name}"),
        edge(f"Deployment/{name}", "contains", f"ReplicaSet/{name}-1"),
        edge(f"ReplicaSet/{name}-1", "contains", f"Pod/{name}-1-a"),
        edge(f"Service/{name}", "contains", f"Pod/{name}-1-a"),
        edge(f"App/{name}", "is_alias", f"Service/{name}"),
    ]


# browser -> frontend -> cart -> valkey; everybody calls the collector; a quiet one stands apart.
EDGES = [
    *(
        one
        for name in ("browser", "frontend", "cart", "valkey", "collector", "quiet", "ad")
        for one in workload(name)
    ),
    edge("App/browser", "calls", "App/frontend"),
    edge("App/frontend", "calls", "App/cart"),
    edge("App/frontend", "calls", "App/ad"),
    edge("App/cart", "calls", "App/valkey"),
    *(edge(f"App/{name}", "calls", "App/collector") for name in ("frontend", "cart", "quiet")),
    edge("Deployment/cart", "depends_on", "ConfigMap/cart-settings"),
    edge("Deployment/frontend", "depends_on", "NetworkPolicy/web-in"),
    edge("Node/one", "contains", "Pod/cart-1-a"),
    edge("Node/one", "contains", "Pod/quiet-1-a"),
]
NODES = sorted({end for one in EDGES for end in (one["source"], one["target"])})
TOPOLOGY: dict[str, Any] = {"nodes": [{"id": node} for node in NODES], "edges": EDGES}

TABLE = {
    "the cause's own pod": ("Deployment/cart", "Pod/cart-1-a", Blame.SYMPTOM),
    "who calls it": ("Service/cart", "Deployment/frontend", Blame.SYMPTOM),
    "who calls its caller": ("Service/cart", "Service/browser", Blame.SYMPTOM),
    "what it calls": ("Deployment/cart", "Deployment/valkey", Blame.SYMPTOM),
    "who calls what it calls": ("Deployment/cart", "Deployment/quiet", Blame.UNRELATED),
    "what its caller calls too": ("Deployment/cart", "Deployment/ad", Blame.UNRELATED),
    "in its namespace only": ("Deployment/cart", "Service/quiet", Blame.UNRELATED),
    "on its node only": ("Deployment/cart", "Pod/quiet-1-a", Blame.UNRELATED),
    "a pod of a guilty node": ("Node/one", "Pod/quiet-1-a", Blame.SYMPTOM),
    "where a policy applies": ("NetworkPolicy/web-in", "Deployment/frontend", Blame.SYMPTOM),
    "who calls where it applies": ("NetworkPolicy/web-in", "Deployment/browser", Blame.SYMPTOM),
    "a guilty Service that is gone": ("Service/cart-db", "Deployment/valkey", Blame.UNRELATED),
    "who uses a guilty ConfigMap": ("ConfigMap/cart-settings", "Deployment/cart", Blame.SYMPTOM),
    "a decoy": ("Deployment/cart", "ConfigMap/tuning", Blame.DECOY),
    "a part of a decoy": ("Deployment/cart", "Pod/quiet-1-a", Blame.UNRELATED),
    "what nobody knows": ("Deployment/cart", "Secret/unheard-of", Blame.UNRELATED),
    "an experiment": ("Deployment/cart", "NetworkChaos/delay", Blame.INJECTOR),
    "a schedule that the plan made": ("Deployment/cart", "Job/experiment", Blame.INJECTOR),
}


def entity(text: str) -> EntityId:
    return EntityId.parse(text if text.startswith("Node/") else f"otel-demo/{text}")


def judged(cause: str, named: str, topology: dict[str, Any] | None, decoys: list[str]) -> blame.Wrong:
    (found,) = blame.judge(
        [entity(named)],
        [entity(cause)],
        topology,
        [entity(one) for one in decoys],
        [entity("Job/experiment")],
    )
    return found


@pytest.mark.parametrize("case", TABLE)
def test_what_it_is(case: str) -> None:
    cause, named, expected = TABLE[case]
    found = judged(cause, named, TOPOLOGY, ["ConfigMap/tuning"])
    assert found.blame is expected, found.why


def test_the_way_is_told() -> None:
    found = judged("Service/cart", "Service/browser", TOPOLOGY, [])
    assert found.why == "2 steps from otel-demo/Service/cart: App/browser calls App/frontend"


def test_a_part_of_a_decoy_is_a_decoy() -> None:
    assert judged("Deployment/cart", "Pod/quiet-1-a", TOPOLOGY, ["Deployment/quiet"]).blame is Blame.DECOY


def test_a_cause_that_is_gone_is_found_by_what_is_called_like_it() -> None:
    edges = [one for one in EDGES if "Service/cart" not in one.values()]
    topology = {"nodes": [node for node in TOPOLOGY["nodes"] if node["id"] != "Service/cart"], "edges": edges}
    assert judged("Service/cart", "Deployment/frontend", topology, []).blame is Blame.SYMPTOM


def test_without_a_topology_nobody_can_tell() -> None:
    assert judged("Service/cart", "Deployment/frontend", None, []).blame is Blame.UNKNOWN
    assert judged("Service/cart", "PodChaos/kill", None, []).blame is Blame.INJECTOR
    assert judged("Service/cart", "ConfigMap/tuning", None, ["ConfigMap/tuning"]).blame is Blame.DECOY


def test_causes_that_feel_each_other() -> None:
    """Two causes, and what stands between them: reached from the nearer one."""
    found = blame.judge(
        [entity("Deployment/frontend")], [entity("Service/cart"), entity("Service/ad")], TOPOLOGY, [], []
    )
    assert found[0].blame is Blame.SYMPTOM
