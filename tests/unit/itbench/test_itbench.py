"""ITBench's ground truths become truths of ours, and every repair and loss is told."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from reprise.domain import itbench, itbench_names, otel_demo
from reprise.domain.itbench_notes import Outcome

RELEASE = json.loads((Path(__file__).parents[2] / "data/otel-demo-2.2.0.json").read_text())


def group(identifier: str, kind: str, *patterns: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "kind": kind, "namespace": "otel-demo", "filter": list(patterns), **more}


def v1(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"groups": list(groups), **more}


def entity(kind: str, name: str, namespace: str | None = "otel-demo") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def wrapped(spec: dict[str, Any], version: str) -> dict[str, Any]:
    return {"apiVersion": f"itbench.io/{version}", "kind": "GroundTruth", "metadata": {}, "spec": spec}


def causes(found: itbench.Imported) -> list[str]:
    assert found.truth is not None, found.problems
    return [" = ".join(map(str, (cause.entity, *cause.equivalents))) for cause in found.truth.root_causes]


def notes(found: itbench.Imported, outcome: Outcome) -> list[str]:
    return [f"{note.place}: {note.text}" for note in found.notes if note.outcome is outcome]


def problems(document: Any, **more: Any) -> list[str]:
    found = itbench.read(document, **more)
    assert found.truth is None
    return notes(found, Outcome.PROBLEM)


def test_names_are_those_of_the_release() -> None:
    assert set(RELEASE["workloads"]) == otel_demo.DEPLOYMENTS
    assert {one["kind"] for one in RELEASE["workloads"].values()} == {"Deployment"}
    assert set(RELEASE["services"]) == otel_demo.SERVICES
    ours = {name for name in RELEASE["configMaps"] if not name.startswith("grafana-")}
    assert ours == otel_demo.CONFIG_MAPS
    assert RELEASE["other"] == ["ServiceAccount/otel-demo"]
    assert set(otel_demo.FORMER_NAMES.values()) <= otel_demo.DEPLOYMENTS
    assert not set(otel_demo.FORMER_NAMES) & otel_demo.DEPLOYMENTS


ROOT = group("quote-deployment", "Deployment", r"quote\b", root_cause=True)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("spelling", ["recommendedActions", "recommended_actions"])
def test_v1_in_every_spelling(wrap: bool, spelling: str) -> None:
    spec = v1(
        ROOT,
        group("quote-pod", "Pod", "quote-.*"),
        group("quote-service", "Service", r"quote\b"),
        group("shipping-service", "Service", r"shipping\b"),
        alerts=[{"id": "HighRequestErrorRate", "group_id": "shipping-service", "metadata": {}}],
        aliases=[["quote-deployment", "quote-pod", "quote-service"]],
        fault=[{"entity": {"group_id": "quote-deployment", "kind": "Deployment"}}],
        propagations=[
            {"source": "quote-service", "target": "shipping-service", "condition": "", "effect": ""}
        ],
        **{spelling: [{"solution": {"id": "x", "actions": ["undo"]}}]},
    )
    found = itbench.read(wrapped(spec, "v1") if wrap else spec)
    assert found.version == "v1"
    # The pod is the Deployment once more, the Service another object.
    assert causes(found) == ["otel-demo/Deployment/quote = otel-demo/Service/quote"]
    at = "spec." if wrap else ""
    assert notes(found, Outcome.REPAIRED) == [
        f"{at}groups[2]: alias of root cause quote-deployment; otel-demo/Service/quote is an equivalent of it"
    ]
    left_out = notes(found, Outcome.LEFT_OUT)
    assert {text.partition(":")[0] for text in left_out} == {
        f"{at}{key}" for key in ("alerts", "fault", "propagations", spelling, "groups")
    }
    assert f"{at}groups: 1 groups are no root cause and no alias of one" in left_out


@pytest.mark.parametrize("wrap", [False, True])
def test_v2(wrap: bool) -> None:
    spec = {
        "alerts": [{"name": "HighRequestErrorRate", "labels": {}}],
        "entities": [entity("Deployment", "ad"), entity("Service", "cart")],
        "solutions": [[{"steps": []}]],
    }
    found = itbench.read(wrapped(spec, "v2") if wrap else spec)
    assert (found.version, causes(found)) == ("v2", ["otel-demo/Deployment/ad", "otel-demo/Service/cart"])
    assert len(notes(found, Outcome.LEFT_OUT)) == 2


# what the file says: kind, filters -> entity, a part of each repair
RESOLVED: list[tuple[str, list[str], str, list[str]]] = [
    ("Service", [r"ad\b"], "Service/ad", []),
    ("Service", [r"frontend\b"], "Service/frontend", []),
    ("Deployment", ["^checkout$"], "Deployment/checkout", []),
    ("Deployment", ["checkout-.*"], "Deployment/checkout", ["fits no name"]),
    ("Pod", ["postgresql-.*"], "Deployment/postgresql", ["a Pod's name is made up"]),
    ("ReplicaSet", ["ad-.*"], "Deployment/ad", ["a ReplicaSet's name is made up"]),
    ("Pod", ["frontend-.*"], "Deployment/frontend", ["fits frontend-proxy too", "made up"]),
    ("StatefulSet", [r"postgresql\b"], "Deployment/postgresql", ["is a Deployment in this release"]),
    ("ConfigMap", [r"flagd-config\b"], "ConfigMap/flagd-config", []),
    ("ConfigMap", ["otel-demo-flagd-config"], "ConfigMap/flagd-config", ["otel-demo-flagd-config is called"]),
    ("Service", [r"adservice\b"], "Service/ad", ["adservice is called ad"]),
    ("Pod", ["otel-demo-cartservice-.*"], "Deployment/cart", ["is called cart", "made up"]),
    ("Service", ["redis-cart"], "Service/valkey-cart", ["redis-cart is called valkey-cart"]),
    ("deployments", [r"email\b"], "Deployment/email", ["kind deployments is spelled Deployment"]),
    ("NetworkPolicy", ["deny-frontend"], "NetworkPolicy/deny-frontend", ["spells out the name"]),
    ("ResourceQuota", [r"strict-resource-quota\b"], "ResourceQuota/memory", ["spells out", "makes memory"]),
]


@pytest.mark.parametrize(("kind", "patterns", "expected", "repairs"), RESOLVED)
def test_filters(kind: str, patterns: list[str], expected: str, repairs: list[str]) -> None:
    found = itbench.read(v1(group("g", kind, *patterns, root_cause=True)))
    assert causes(found) == [f"otel-demo/{expected}"]
    told = notes(found, Outcome.REPAIRED)
    assert len(told) == len(repairs), told
    for text, part in zip(told, repairs, strict=True):
        assert text.startswith("groups[0].filter: ")
        assert part in text


# what the file says: kind, filters -> the problem
UNRESOLVED = [
    ("Pod", [".*"], "found one that fits 22: accounting, ad"),
    ("Service", ["(ad|cart)"], "found one that fits 2: ad, cart"),
    ("Service", ["accounting"], "expected an object that the application has"),
    ("ConfigMap", ["features"], "found 'features'"),
    ("Secret", ["mail"], "of this kind: postgresql-credentials; found 'mail'"),
    ("Pod", ["eviction-pod-.*"], "found 'eviction-pod-.*'"),
    ("HorizontalPodAutoscaler", ["*.*"], "expected a regular expression, found '*.*': nothing to repeat"),
    ("Deployment", ["(a+)+$"], "expected a simple regular expression"),
    ("Deployment", ["a" * 300], "expected a simple regular expression"),
    ("NetworkPolicy", [".*"], "found a filter that spells out none: '.*'"),
    ("NetworkPolicy", ["one", "two"], "found a filter that spells out none: 'one', 'two'"),
    ("Deploiment", ["ad"], "expected a Kubernetes kind, found 'Deploiment'; did you mean Deployment?"),
]


@pytest.mark.parametrize(("kind", "patterns", "expected"), UNRESOLVED)
def test_filters_that_cannot_be_carried_over(kind: str, patterns: list[str], expected: str) -> None:
    (problem,) = problems(v1(group("g", kind, *patterns, root_cause=True)))
    assert problem.startswith("groups[0].filter: ")
    assert expected in problem


def test_namespaces() -> None:
    former = itbench.read({"entities": [entity("Service", "ad", "astronomy-shop")]})
    assert causes(former) == ["otel-demo/Service/ad"]
    assert notes(former, Outcome.REPAIRED) == ["entities[0]: namespace astronomy-shop is otel-demo here"]
    none = itbench.read({"entities": [entity("Service", "ad", None)]})
    assert causes(none) == ["otel-demo/Service/ad"]
    assert "without a namespace" in notes(none, Outcome.REPAIRED)[0]
    other = {"entities": [entity("Service", "details", "book-info")]}
    assert "other applications are not supported" in problems(other)[0]
    assert causes(itbench.read(other, keep_unknown=True)) == ["book-info/Service/details"]
    whole = itbench.read(v1(group("ns", "Namespace", "otel-demo", root_cause=True)))
    assert causes(whole) == ["Namespace/otel-demo"]
    assert "found 'book-info'" in problems({"entities": [entity("Namespace", "book-info", None)]})[0]
    node = itbench.read({"entities": [entity("Node", "worker-1", None)]})
    assert causes(node) == ["Node/worker-1"]


def test_what_the_application_does_not_have_can_be_kept() -> None:
    document = {"entities": [entity("ConfigMap", "features")]}
    assert "found 'features'" in problems(document)[0]
    kept = itbench.read(document, keep_unknown=True)
    assert causes(kept) == ["otel-demo/ConfigMap/features"]
    assert "taken as written" in notes(kept, Outcome.UNCHECKED)[0]


def experiment(pattern: str, *targets: str) -> itbench.Imported:
    return itbench.read(
        v1(
            group("x", "Schedule", pattern, namespace="chaos-mesh", root_cause=True),
            group("a", "Service", r"shipping\b"),
            group("b", "Pod", "quote-.*"),
            propagations=[{"source": "x", "target": target} for target in targets],
        )
    )


@pytest.mark.parametrize(
    ("pattern", "targets", "expected", "unchecked"),
    [
        (".*product-catalog", [], "product-catalog", 1),
        ("otel-demo-valkey-memory-stress", [], "valkey-cart", 1),
        ("shipping-quote-partition", ["a"], "shipping", 0),
        ("shipping-quote-partition", ["b"], "quote", 0),
        ("network-delay", ["a"], "shipping", 0),
    ],
)
def test_an_experiment_becomes_the_workload_that_it_hits(
    pattern: str, targets: list[str], expected: str, unchecked: int
) -> None:
    found = experiment(pattern, *targets)
    assert causes(found) == [f"otel-demo/Deployment/{expected}"]
    assert "the injector is hidden" in notes(found, Outcome.REPAIRED)[0]
    assert len(notes(found, Outcome.UNCHECKED)) == unchecked


@pytest.mark.parametrize(
    ("pattern", "targets", "shown"),
    [
        ("shipping-quote-partition", [], "its name tells quote, shipping, its propagations none"),
        (
            "shipping-quote-partition",
            ["a", "b"],
            "its name tells quote, shipping, its propagations quote, ship",
        ),
        ("email-delay", ["a"], "its name tells email, its propagations shipping"),
        ("api-server-memory-stress", [], "its name tells none, its propagations none"),
    ],
)
def test_an_experiment_that_hits_nobody_knows_what(pattern: str, targets: list[str], shown: str) -> None:
    found = experiment(pattern, *targets)
    assert found.truth is None
    assert shown in notes(found, Outcome.PROBLEM)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load-generator", {"load-generator"}),
        ("valkey-cart-load", {"valkey-cart"}),
        (r".*adservice\b", {"ad"}),
        ("otel-demo", set()),
        ("frontendproxy and frontend", {"frontend-proxy", "frontend"}),
        ("adapter", set()),
    ],
)
def test_components_in_a_text(text: str, expected: set[str]) -> None:
    assert itbench_names.mentioned(text) == expected


def test_two_experiments_on_one_workload_are_one_cause() -> None:
    names = ("cart-delay", "cart-stress")
    document = {"entities": [entity("Schedule", name, "chaos-mesh") for name in names]}
    assert causes(itbench.read(document)) == ["otel-demo/Deployment/cart"]


def test_root_causes_that_are_aliases_of_each_other_are_one_cause() -> None:
    service = group("s", "Service", r"quote\b", root_cause=True)
    found = itbench.read(v1(ROOT, service, aliases=[["s", "quote-deployment"]]))
    assert causes(found) == ["otel-demo/Deployment/quote = otel-demo/Service/quote"]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([("Deployment", "frontend"), ("NetworkPolicy", "frontend-in")], ["NetworkPolicy/frontend-in"]),
        ([("Deployment", "ad"), ("ResourceQuota", "memory")], ["ResourceQuota/memory"]),
        (
            [("Deployment", "ad"), ("Deployment", "cart"), ("ResourceQuota", "memory")],
            ["Deployment/ad", "Deployment/cart", "ResourceQuota/memory"],
        ),
        (
            [("Deployment", "ad"), ("NetworkPolicy", "frontend-in")],
            ["Deployment/ad", "NetworkPolicy/frontend-in"],
        ),
        (
            [("Deployment", "quote"), ("HorizontalPodAutoscaler", "quote")],
            ["HorizontalPodAutoscaler/quote"],
        ),
    ],
)
def test_the_workload_that_a_policy_was_made_for_is_no_cause(
    objects: list[tuple[str, str]], expected: list[str]
) -> None:
    found = itbench.read({"entities": [entity(kind, name) for kind, name in objects]})
    assert causes(found) == [f"otel-demo/{one}" for one in expected]
    dropped = [text for text in notes(found, Outcome.REPAIRED) if "dropped" in text]
    assert len(dropped) == len(objects) - len(expected)


def test_without_a_mark_the_fault_tells_the_root_cause() -> None:
    unmarked = {**ROOT, "root_cause": False}
    found = itbench.read(v1(unmarked, fault=[{"entity": {"group_id": "quote-deployment"}}]))
    assert causes(found) == ["otel-demo/Deployment/quote"]
    assert "no group is marked" in notes(found, Outcome.REPAIRED)[0]
    assert problems(v1(unmarked)) == ["groups: expected a group with root_cause: true, found none"]


def test_contradictions_and_names_of_no_group_are_told() -> None:
    found = itbench.read(
        v1(
            ROOT,
            group("s", "Service", r"shipping\b"),
            alerts=[{"id": "X", "group_id": "nobody"}],
            aliases=[["quote-deployment", "nothing"]],
            fault=[{"entity": {"group_id": "s"}}, {"entity": {"group_id": "none"}}],
            propagations=[{"source": "quote-deployment", "target": "nowhere"}],
            comment="x",
        )
    )
    assert causes(found) == ["otel-demo/Deployment/quote"]
    (contradiction,) = notes(found, Outcome.REPAIRED)
    assert contradiction.startswith("fault[0].entity.group_id: names s, which is not marked")
    dangling = [
        text.partition(":")[0] for text in notes(found, Outcome.LEFT_OUT) if "the id of a group" in text
    ]
    assert sorted(dangling) == [
        "alerts[0].group_id",
        "aliases[0][1]",
        "fault[1].entity.group_id",
        "propagations[0].target",
    ]
    assert "comment: nobody knows this field" in notes(found, Outcome.LEFT_OUT)


def test_a_version_that_is_not_the_shape() -> None:
    found = itbench.read(wrapped(v1(ROOT), "v2"))
    assert found.version == "v1"
    assert notes(found, Outcome.REPAIRED) == ["spec: says itbench.io/v2, has the shape of v1; read as v1"]


NOT_A_TRUTH = [
    (None, ["expected a ground truth, found an empty file"]),
    ([], ["expected an object, found a list"]),
    ("text", ["expected an object, found the text 'text'"]),
    ({}, ["found: nothing"]),
    ({"rootCauses": []}, ["found a truth that can be used as it is"]),
    ({"kind": "Scenario", "spec": {}}, ["kind: expected kind GroundTruth, found 'Scenario'"]),
    ({"kind": "GroundTruth", "spec": []}, ["spec: expected an object, found a list"]),
    ({"groups": [], "entities": []}, ["found both"]),
    ({"groups": {}}, ["groups: expected a list", "groups: expected a group with root_cause"]),
    ({"groups": []}, ["groups: expected a group with root_cause: true, found none"]),
    ({"entities": "x"}, ["entities: expected a list, found the text 'x'"]),
    ({"entities": []}, ["expected at least one root cause, found none"]),
    ({"entities": ["x"]}, ["entities[0]: expected an object with kind and metadata"]),
    (
        {"entities": [{"kind": 3, "metadata": {"name": "", "namespace": 7}}]},
        [
            "[0].kind: expected text, found '3'",
            "metadata.name: expected text",
            "metadata.namespace: expected",
        ],
    ),
    (
        v1(
            ROOT,
            ROOT,
            {"id": "", "kind": None},
            "x",
            group("a", "Pod", namespace=3, name=["x"], root_cause="yes"),
            group("b", "Pod", "x", filter="x"),
            aliases=["x"],
        ),
        [
            "groups[1].id: expected each id once",
            "groups[2].id: ",
            "groups[2].kind: expected text, found nothing",
            "groups[2]: expected a filter or a name",
            "groups[3]: expected an object",
            "groups[4].name: ",
            "groups[4].namespace: expected text, found '3'",
            "groups[4].root_cause: expected true or false",
            "groups[5].filter: expected a list of regular expressions",
            "aliases[0]: expected a list of group ids",
        ],
    ),
    (v1(ROOT, aliases={}), []),
    (v1(ROOT, aliases=7), ["aliases: expected a list of lists of group ids, found '7'"]),
]


@pytest.mark.parametrize(("document", "expected"), NOT_A_TRUTH)
def test_what_is_no_ground_truth(document: Any, expected: list[str]) -> None:
    found = itbench.read(document)
    told = notes(found, Outcome.PROBLEM)
    assert len(told) == len(expected), told
    assert (found.truth is None) == bool(expected)
    for part in expected:
        assert any(part in text for text in told), (part, told)


# Documents that look right from afar: the words of the format, in any arrangement.
WORDS = strategies.sampled_from(
    [
        *(
            "groups",
            "entities",
            "spec",
            "kind",
            "id",
            "filter",
            "name",
            "namespace",
            "metadata",
            "root_cause",
        ),
        *(
            "fault",
            "aliases",
            "propagations",
            "alerts",
            "source",
            "target",
            "group_id",
            "entity",
            "apiVersion",
        ),
    ]
)
LEAVES = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(),
    strategies.sampled_from(
        ["GroundTruth", "Pod", "Schedule", "Service", "otel-demo", "ad", "ad-.*", "*.*", "x"]
    ),
)
DOCUMENTS = strategies.dictionaries(
    WORDS,
    strategies.recursive(
        LEAVES,
        lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(WORDS, inner, max_size=5),
        max_leaves=12,
    ),
)


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True, database=None)
@hypothesis.given(DOCUMENTS)
def test_whatever_it_is_it_is_reported_and_not_raised(document: Any) -> None:
    found = itbench.read(document)
    assert (found.truth is None) == bool(found.problems)
