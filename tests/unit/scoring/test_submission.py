"""What an agent may hand in, and what it is told when it cannot be read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import errors, submission

POLICY = "otel-demo/NetworkPolicy/frontend-ingress"

ACCEPTED: list[tuple[str, Any, list[str]]] = [
    ("the form of the instructions", {"entities": [{"name": POLICY}]}, [POLICY]),
    ("a bare list of text", [POLICY, "Node/worker-1"], [POLICY, "Node/worker-1"]),
    ("nothing is wrong", {"entities": []}, []),
    ("a bare empty list", [], []),
    (
        "ITBench: only contributing factors count",
        {
            "entities": [
                {"name": POLICY, "contributing_factor": True, "reasoning": "…", "evidence": "…"},
                {"name": "otel-demo/Deployment/frontend", "contributing_factor": False},
                {"name": "otel-demo/Service/frontend"},
            ],
            "propagations": [{"source": "a", "target": "b"}],
            "alerts_explained": [],
        },
        [POLICY],
    ),
    (
        "ITBench: nothing contributes",
        {"entities": [{"name": POLICY, "contributing_factor": False}]},
        [],
    ),
    (
        "kind, namespace and name",
        [{"kind": "NetworkPolicy", "namespace": "otel-demo", "name": "frontend-ingress"}],
        [POLICY],
    ),
    (
        "kind, namespace and name with apiVersion",
        [{"apiVersion": "v1", "kind": "Node", "namespace": None, "name": "worker-1"}],
        ["Node/worker-1"],
    ),
    (
        "a Kubernetes object",
        [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ad", "namespace": "shop"}}],
        ["shop/Deployment/ad"],
    ),
    ("a kind in small letters", ["otel-demo/networkpolicy/frontend-ingress"], [POLICY]),
    ("a plural", ["otel-demo/networkpolicies/frontend-ingress"], [POLICY]),
    ("a short name", ["otel-demo/netpol/frontend-ingress"], [POLICY]),
    ("as kubectl -o name prints", ["otel-demo/deployment.apps/ad"], ["otel-demo/Deployment/ad"]),
    ("a namespace given to what has none", ["otel-demo/Node/worker-1"], ["Node/worker-1"]),
    ("blanks around", [f"  {POLICY} "], [POLICY]),
    (
        "duplicates in different forms",
        [POLICY, {"name": POLICY}, "otel-demo/netpol/frontend-ingress"],
        [POLICY],
    ),
    ("order is kept", ["b/Pod/z", "a/Pod/a"], ["b/Pod/z", "a/Pod/a"]),
    ("endpoints, whose plural is itself", ["a/endpoints/x"], ["a/Endpoints/x"]),
]


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in ACCEPTED])
def test_accepted(data: Any, expected: list[str]) -> None:
    assert [str(entity) for entity in submission.parse(data).entities] == expected


REFUSED: list[tuple[str, Any, list[str]]] = [
    ("null", None, ["entities: expected a list, found null"]),
    ("text", "otel-demo/Pod/x", ["entities: expected a list, found the text"]),
    ("a number", 7, ["entities: expected a list, found a number"]),
    ("no entities", {"name": POLICY}, ['an object without "entities"']),
    ("entities is an object", {"entities": {"name": POLICY}}, ["entities: expected a list, found an object"]),
    ("too many", {"entities": [POLICY] * 201}, ["expected at most 200, found 201"]),
    (
        "every problem with its index",
        {"entities": ["frontend", {"name": POLICY}, 5, {"kind": "Pod"}, "a/Gizmo/b", "Pod/x"]},
        [
            "entities[0]: expected 'namespace/Kind/name'",
            "entities[2]: expected text or an object",
            "entities[3]: name: expected",
            "entities[4]: expected a Kubernetes kind, found 'Gizmo'",
            "entities[5]: expected 'namespace/Pod/x': a Pod has a namespace",
        ],
    ),
    ("a near miss is named", ["a/Deploymnet/x"], ["did you mean Deployment?"]),
    (
        "a name alone",
        [{"name": "frontend"}],
        [
            "entities[0]: name: expected",
        ],
    ),
    ("a name that Kubernetes cannot have", ["a/Pod/x y"], ["made of Kubernetes names, found 'a/Pod/x y'"]),
    ("a flag that is text", [{"name": POLICY, "contributing_factor": "yes"}], ["expected true or false"]),
    (
        "two wrong types in one",
        [{"name": 1, "kind": 2}],
        ["[0]: name: expected text", "[0]: kind: expected text"],
    ),
    ("four parts", ["a/b/Pod/x"], ["entities[0]: expected 'namespace/Kind/name'"]),
]


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in REFUSED])
def test_refused_with_every_reason(data: Any, expected: list[str]) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        submission.parse(data)
    assert len(caught.value.problems) == len(expected)
    for problem, part in zip(caught.value.problems, expected, strict=True):
        assert part in problem


def test_a_message_never_carries_a_megabyte() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        submission.parse(["x" * 1_000_000, {"name": "y/" * 500_000}])
    assert len(str(caught.value)) < 1000


def test_kinds_that_this_cluster_serves() -> None:
    parsed = submission.parse(["shop/widget/a"], extra_kinds=["Widget"])
    assert [str(entity) for entity in parsed.entities] == ["shop/Widget/a"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["entities", "name", "kind", "namespace", "metadata", "contributing_factor", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused(data: Any) -> None:
    try:
        parsed = submission.parse(data)
    except errors.InvalidInput:
        return
    again = submission.parse(json.loads(json.dumps([str(entity) for entity in parsed.entities])))
    assert again == parsed, "canonical ids read back as themselves"
