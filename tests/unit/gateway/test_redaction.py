"""Redaction: tables of what goes and what stays, and properties of the whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import redaction
from reprise.domain.redaction import View

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
HIDDEN = View(START)
VISIBLE = View(START, injector_hidden=False)
Json = dict[str, Any]


def named(name: str, namespace: str = "", **rest: Any) -> Json:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **rest}


def event(time: str, **rest: Any) -> Json:
    return {**named("e.1", "otel-demo"), "lastTimestamp": time, "message": "Back-off", **rest}


NOW = "2026-01-02T12:30:00Z"
WHOLE = [
    # id, view, group, resource, object, hidden
    ("pod of the application", HIDDEN, "", "pods", named("cart-1", "otel-demo"), False),
    ("pod of the operator", HIDDEN, "", "pods", named("operator-1", "reprise-system"), True),
    ("pod of an agent", HIDDEN, "", "pods", named("attempt-1", "reprise-agents"), True),
    ("pod of the injector, hidden", HIDDEN, "", "pods", named("x", "chaos-mesh"), True),
    ("pod of the injector, visible", VISIBLE, "", "pods", named("x", "chaos-mesh"), False),
    ("namespace of the operator", HIDDEN, "", "namespaces", named("reprise-system"), True),
    ("namespace of the injector", HIDDEN, "", "namespaces", named("chaos-mesh"), True),
    ("namespace of the application", HIDDEN, "", "namespaces", named("otel-demo"), False),
    (
        "role of ours",
        HIDDEN,
        "rbac.authorization.k8s.io",
        "clusterroles",
        named("gateway", rules=[{"apiGroups": ["reprise.dev"]}]),
        True,
    ),
    (
        "binding to an account of ours",
        HIDDEN,
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        named("x", subjects=[{"kind": "ServiceAccount", "name": "gateway", "namespace": "reprise-system"}]),
        True,
    ),
    (
        "binding in the application to an account of ours",
        HIDDEN,
        "rbac.authorization.k8s.io",
        "rolebindings",
        named("operator", "otel-demo", subjects=[{"kind": "ServiceAccount", "namespace": "reprise-system"}]),
        True,
    ),
    (
        "binding of the cluster",
        HIDDEN,
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        named("system:node", subjects=[{"kind": "Group", "name": "system:nodes"}]),
        False,
    ),
    (
        "volume claimed by us",
        HIDDEN,
        "",
        "persistentvolumes",
        named("pv-1", spec={"claimRef": {"namespace": "reprise-system", "name": "a"}}),
        True,
    ),
    ("event in the window", HIDDEN, "", "events", event(NOW), False),
    ("event at its first moment", HIDDEN, "", "events", event("2026-01-02T12:00:00Z"), False),
    ("event before the window", HIDDEN, "", "events", event("2026-01-02T11:59:59Z"), True),
    (
        "event about a hidden namespace",
        HIDDEN,
        "",
        "events",
        event(NOW, involvedObject={"kind": "Namespace", "name": "reprise-system"}),
        True,
    ),
    ("event by the operator", HIDDEN, "", "events", event(NOW, source={"component": "kopf"}), True),
    (
        "event by the operator, new form",
        HIDDEN,
        "events.k8s.io",
        "events",
        {**named("e", "otel-demo"), "eventTime": NOW, "reportingController": "kopf"},
        True,
    ),
    (
        "event by the injector",
        HIDDEN,
        "",
        "events",
        event(NOW, source={"component": "chaos-daemon"}),
        True,
    ),
    (
        "event about an image of ours",
        HIDDEN,
        "",
        "events",
        event(NOW, message="Pulled image localhost/reprise-operator:1"),
        True,
    ),
    (
        "event that repeats into the window",
        HIDDEN,
        "",
        "events",
        event("2026-01-02T11:00:00Z", series={"count": 3, "lastObservedTime": "2026-01-02T12:10:00.000001Z"}),
        False,
    ),
    (
        "event with only a creation time before",
        HIDDEN,
        "",
        "events",
        {"metadata": {"name": "e", "namespace": "a", "creationTimestamp": "2026-01-02T11:00:00Z"}},
        True,
    ),
]


@pytest.mark.parametrize(
    ("view", "group", "resource", "obj", "hidden"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE]
)
def test_whole_objects(view: View, group: str, resource: str, obj: Json, hidden: bool) -> None:
    assert redaction.hides(view, group, resource, obj) is hidden


def test_who_wrote_what_is_always_removed() -> None:
    obj = named("cart", "otel-demo", spec={"replicas": 0})
    obj["metadata"] |= {
        "managedFields": [{"manager": "anything"}],
        "annotations": {redaction.LAST_APPLIED: "{}", "deployment.kubernetes.io/revision": "2"},
    }
    assert redaction.clean(HIDDEN, obj) == {
        "metadata": {
            "name": "cart",
            "namespace": "otel-demo",
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 0},
    }


FIELDS = [
    (
        "metadata of the operator",
        {
            "metadata": {
                "name": "a",
                "annotations": {"kopf.dev/last": "x", "keep": "y"},
                "labels": {"reprise.dev/run": "1", "app": "a"},
                "finalizers": ["reprise.dev/recovery", "keep/this"],
                "ownerReferences": [{"apiVersion": "reprise.dev/v1alpha1", "name": "r"}, {"name": "keep"}],
            }
        },
        {
            "metadata": {
                "name": "a",
                "annotations": {"keep": "y"},
                "labels": {"app": "a"},
                "finalizers": ["keep/this"],
                "ownerReferences": [{"name": "keep"}],
            }
        },
    ),
    (
        "images of a node",
        {
            "status": {
                "images": [
                    {"names": ["localhost/reprise-operator:1", "localhost/x@sha256:1"], "sizeBytes": 1},
                    {"names": ["localhost/shop:1"], "sizeBytes": 2},
                ]
            }
        },
        {"status": {"images": [{"names": ["localhost/shop:1"], "sizeBytes": 2}]}},
    ),
    (
        "one variable of a container",
        {
            "spec": {
                "containers": [
                    {"name": "a", "env": [{"name": "X", "value": "http://g.reprise-system"}, {"name": "Y"}]}
                ]
            }
        },
        {"spec": {"containers": [{"name": "a", "env": [{"name": "Y"}]}]}},
    ),
    (
        "a configuration that speaks of us",
        {"data": {"p.yml": "- job: a\n  # hides us\n  regex: reprise-.*\n", "q": "1"}},
        {"data": {"q": "1"}},
    ),
    (
        "nothing",
        {"data": {"a": None, "b": 1, "c": [], "d": True}},
        {"data": {"a": None, "b": 1, "c": [], "d": True}},
    ),
]


@pytest.mark.parametrize(("obj", "expected"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_fields(obj: Json, expected: Json) -> None:
    assert redaction.clean(HIDDEN, obj) == expected
    assert json.loads(redaction.encode(HIDDEN, obj)) == expected


def test_log_lines_that_name_what_is_hidden_are_left_out() -> None:
    lines = [b"GET /cart 200\n", b"dial gateway.Reprise-System.svc: timeout\n", b"\xff\xfe odd bytes\n"]
    assert redaction.keep_lines(HIDDEN, lines) == [lines[0], lines[2]]


@pytest.mark.parametrize(
    ("run", "kept"),
    [("cart-gone-1a2b", False), ("CART-gone-1a2b", False), ("", True), ("cart", True), ("another-run", True)],
)
def test_logs_of_the_control_plane_do_not_tell_the_runs_name(run: str, kept: bool) -> None:
    """A short name is not looked for: whatever is called `cart` would be gone."""
    lines = [b'key:"/registry/events/default/cart-gone-1a2b.18f0" took too long']
    assert bool(redaction.keep_lines(View(START, run=run), lines)) == kept


WORDS = st.sampled_from(["reprise", "Kopf.dev/x", "chaos-mesh", "cart", "otel-demo", "é", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["metadata", "spec", "status", "data"]), st.dictionaries(WORDS, VALUES)
)


@given(OBJECTS)
def test_no_hidden_word_survives(obj: Json) -> None:
    text = redaction.encode(HIDDEN, obj).decode().lower()
    assert not any(word in text for word in HIDDEN.words)


@given(OBJECTS)
def test_cleaning_twice_changes_nothing(obj: Json) -> None:
    once = redaction.clean(HIDDEN, obj)
    assert redaction.clean(HIDDEN, once) == once


@given(OBJECTS)
def test_what_is_clean_stays_as_it_is(obj: Json) -> None:
    before = json.dumps(obj)
    cleaned = redaction.clean(HIDDEN, obj)
    assert json.dumps(obj) == before, "cleaning must not change its argument"
    if not redaction.mentions(HIDDEN, before):
        assert cleaned == redaction.without_noise(obj)


@given(OBJECTS)
def test_encoding_is_cleaning(obj: Json) -> None:
    assert json.loads(redaction.encode(HIDDEN, obj)) == redaction.clean(HIDDEN, obj)
