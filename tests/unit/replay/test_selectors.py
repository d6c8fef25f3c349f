"""Selectors select what the API server's do, and fail with its words (taken from a real 1.36 server)."""

from typing import Any

import pytest

from reprise.domain import errors
from reprise.replay import selectors

LABELS = {"app": "cart", "tier": "backend", "size": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=cart", True),
        ("app==cart", True),
        ("app = cart", True),
        ("app=ad", False),
        ("app!=cart", False),
        ("app!=ad,tier=backend", True),
        ("absent!=x", True),
        ("absent=", False),
        ("app", True),
        ("!app", False),
        ("!absent", True),
        ("app in (ad,cart)", True),
        ("app in (ad, )", False),
        ("app notin (ad)", True),
        ("app notin (cart),tier", False),
        ("absent notin (x)", True),
        ("size>4,size<6", True),
        ("size>5", False),
        ("app>4", False),
        ("example.com/x", False),
        ("app=cart,", None),
    ],
)
def test_labels(text: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(errors.InvalidInput):
            selectors.labels(text)
        return
    assert selectors.labels(text)({"metadata": {"labels": LABELS}}) is expected


def test_an_object_without_labels() -> None:
    assert selectors.labels("!app")({"metadata": {}})
    assert not selectors.labels("app")({"metadata": {"labels": None}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the "
            "value must be an integer",
        ),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
    ],
)
def test_words_of_the_server_about_labels(text: str, message: str) -> None:
    with pytest.raises(errors.InvalidInput) as failed:
        selectors.labels(text)
    assert str(failed.value) == message


POD: dict[str, Any] = {
    "metadata": {"name": "a", "namespace": "n"},
    "spec": {"nodeName": "w", "restartPolicy": "Always"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
}
EVENT: dict[str, Any] = {
    "metadata": {"name": "e", "namespace": "n"},
    "involvedObject": {"kind": "Pod", "name": "a"},
    "regarding": {"kind": "Pod", "name": "a"},
    "reason": "BackOff",
    "reportingComponent": "kubelet",
    "reportingController": "kubelet",
    "source": {},
}


@pytest.mark.parametrize(
    ("group", "plural", "obj", "text", "expected"),
    [
        ("", "pods", POD, "metadata.name=a,metadata.namespace=n", True),
        ("", "pods", POD, "spec.nodeName!=w", False),
        ("", "pods", POD, "status.phase==Running", True),
        ("", "pods", POD, "spec.hostNetwork=false", True),
        ("", "pods", POD, "status.podIP=10.0.0.1", True),
        ("", "pods", POD, "status.nominatedNodeName=", True),
        ("", "events", EVENT, "involvedObject.kind=Pod,involvedObject.name=a", True),
        ("", "events", EVENT, "source=kubelet", True),
        ("", "events", EVENT, "reason!=BackOff", False),
        ("events.k8s.io", "events", EVENT, "regarding.name=a,reportingController=kubelet", True),
        (
            "",
            "nodes",
            {"metadata": {"name": "w"}, "spec": {"unschedulable": True}},
            "spec.unschedulable=true",
            True,
        ),
        ("", "nodes", {"metadata": {"name": "w"}, "spec": {}}, "spec.unschedulable=false", True),
        (
            "",
            "namespaces",
            {"metadata": {"name": "x"}, "status": {"phase": "Active"}},
            "status.phase=Active",
            True,
        ),
        (
            "batch",
            "jobs",
            {"metadata": {"name": "x"}, "status": {"succeeded": 1}},
            "status.successful=1",
            True,
        ),
        ("apps", "deployments", {"metadata": {"name": "x,y"}}, r"metadata.name=x\,y", True),
    ],
)
def test_fields(group: str, plural: str, obj: Any, text: str, expected: bool) -> None:
    assert selectors.fields(text, group, plural)(obj) is expected


@pytest.mark.parametrize(
    ("group", "plural", "text", "message"),
    [
        ("", "pods", "foo=bar", "field label not supported: foo"),
        ("", "nodes", "metadata.namespace=x", "field label not supported: metadata.namespace"),
        ("batch", "jobs", "x=y", 'field label "x" not supported for Job'),
        # apps/v1 selects ReplicaSets by their names alone; only its beta versions knew status.replicas.
        (
            "apps",
            "replicasets",
            "status.replicas=2",
            '"status.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("", "pods", "foo", "invalid selector: 'foo'; can't understand 'foo'"),
    ],
)
def test_words_of_the_server_about_fields(group: str, plural: str, text: str, message: str) -> None:
    with pytest.raises(errors.InvalidInput) as failed:
        selectors.fields(text, group, plural)
    assert str(failed.value) == message
