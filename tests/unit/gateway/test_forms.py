"""Forms of answers: Accept headers, tables, pages, watch events, discovery."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reprise.domain import discovery, errors
from reprise.domain.access import ApiPath
from reprise.domain.redaction import View
from reprise.gateway import negotiate, protobuf, shape
from reprise.gateway import page as pages
from reprise.gateway.pages import Sealer
from reprise.gateway.watch import Watch

VIEW = View(datetime(2026, 1, 2, 12, 0, tzinfo=UTC))
PODS = ApiPath("", "v1", "", "pods", "", "")
EVENTS = ApiPath("", "v1", "", "events", "", "")
BOTH = frozenset({"table", "partial"})
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/vnd.kubernetes.protobuf, application/json", "json"),
        (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "table"),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "partial"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", None),
        ("application/vnd.kubernetes.protobuf", None),
        ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", None),
        ("application/cbor", None),
        ("application/yaml", None),
        ("text/html", None),
    ],
)
def test_accept(accept: str, form: str | None) -> None:
    assert negotiate.form(accept, BOTH) == form


def pod(name: str, namespace: str = "otel-demo", **meta: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "5", **meta},
        "spec": {"nodeName": "n"},
    }


@pytest.mark.parametrize(
    ("include", "obj"),
    [
        ("None", None),
        (
            "Metadata",
            {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"name": "a", "namespace": "otel-demo", "uid": "a", "resourceVersion": "5"},
            },
        ),
        ("Object", pod("a")),
    ],
)
def test_rows_hold_what_was_asked_for(include: str, obj: dict[str, Any] | None) -> None:
    row = shape.as_row(VIEW, PODS, {"cells": ["a", 1], "object": pod("a", managedFields=[])}, include)
    assert row is not None
    assert json.loads(row) == {"cells": ["a", 1], **({"object": obj} if obj else {})}


def test_rows_of_hidden_objects_go_and_cells_keep_their_places() -> None:
    assert shape.as_row(VIEW, PODS, {"cells": ["a"], "object": pod("a", "reprise-system")}, "None") is None
    row = shape.as_row(VIEW, PODS, {"cells": ["a", "by reprise", 3], "object": pod("a")}, "None")
    assert json.loads(row or b"") == {"cells": ["a", "", 3]}
    nested = shape.as_row(VIEW, PODS, {"cells": [["a", "by reprise"], 3], "object": pod("a")}, "None")
    assert json.loads(nested or b"") == {"cells": ["", 3]}


def test_a_list_tells_neither_how_much_is_left_nor_the_servers_token() -> None:
    document = {
        "kind": "PodList",
        "metadata": {"resourceVersion": "9", "continue": "secret", "remainingItemCount": 4},
        "items": ["dropped"],
        "more": "of what no list has",
    }
    page = pages.read_objects(json.dumps(document).encode())
    assert page.token == "secret"
    assert json.loads(pages.encode(page, "items", [b"1", b"2"], "sealed")) == {
        "kind": "PodList",
        "metadata": {"resourceVersion": "9", "continue": "sealed"},
        "items": [1, 2],
    }


def test_a_continue_token_tells_nothing_and_fits_one_list_only() -> None:
    sealer = Sealer()
    sealed = sealer.seal("start: reprise-system/operator-1", "uid", "/api/v1/pods", ["a=b", ""])
    assert "reprise" not in sealed
    assert sealer.open(sealed, "uid", "/api/v1/pods", ["a=b", ""]) == "start: reprise-system/operator-1"
    for scope in (
        ("other", "/api/v1/pods", ["a=b", ""]),
        ("uid", "/api/v1/events", ["a=b", ""]),
        ("uid", "/api/v1/pods", ["", ""]),
    ):
        with pytest.raises(errors.InvalidInput):
            sealer.open(sealed, *scope)
    for odd in ("", "x", sealed[:-4] + "AAAA"):
        with pytest.raises(errors.InvalidInput):
            sealer.open(odd, "uid", "/api/v1/pods", ["a=b", ""])


def watch(path: ApiPath = PODS, form: str = "json") -> Watch:
    return Watch(VIEW, path, form, "Metadata")


def sent(filtering: Watch, kind: str, obj: dict[str, Any]) -> dict[str, Any] | None:
    line = filtering.filter(json.dumps({"type": kind, "object": obj}).encode())
    return json.loads(line) if line else None


def test_watch_events_of_hidden_objects_are_left_out() -> None:
    filtering = watch()
    assert sent(filtering, "ADDED", pod("a", "reprise-agents")) is None
    assert sent(filtering, "ADDED", pod("b")) == {"type": "ADDED", "object": pod("b")}
    assert sent(filtering, "DELETED", pod("a", "reprise-agents")) is None


def old_event(time: str) -> dict[str, Any]:
    return {"kind": "Event", "metadata": {"name": "e", "namespace": "a", "uid": "e"}, "lastTimestamp": time}


def test_what_comes_into_sight_is_added_and_what_goes_out_of_it_is_deleted() -> None:
    filtering = watch(EVENTS)
    assert sent(filtering, "ADDED", old_event("2026-01-02T11:00:00Z")) is None
    shown = sent(filtering, "MODIFIED", old_event("2026-01-02T12:01:00Z"))
    assert shown is not None
    assert shown["type"] == "ADDED"
    gone = sent(filtering, "MODIFIED", {**old_event("2026-01-02T12:02:00Z"), "message": "kopf"})
    assert gone == {
        "type": "DELETED",
        "object": {
            "kind": "Event",
            "apiVersion": None,
            "metadata": {"name": "e", "namespace": "a", "uid": "e"},
        },
    }


def table(row: dict[str, Any], columns: bool) -> dict[str, Any]:
    names = {"columnDefinitions": [{"name": "Name"}]} if columns else {"columnDefinitions": None}
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", **names, "rows": [row]}


def test_the_columns_of_a_table_survive_a_hidden_first_row() -> None:
    filtering = watch(form="table")
    hidden = table({"cells": ["a"], "object": pod("a", "reprise-system")}, columns=True)
    assert sent(filtering, "ADDED", hidden) is None
    first = sent(filtering, "ADDED", table({"cells": ["b"], "object": pod("b")}, columns=False))
    second = sent(filtering, "ADDED", table({"cells": ["c"], "object": pod("c")}, columns=False))
    assert first is not None
    assert second is not None
    assert first["object"]["columnDefinitions"] == [{"name": "Name"}]
    assert second["object"]["columnDefinitions"] is None


def test_bookmarks_keep_only_their_place() -> None:
    marked = pod("operator", "reprise-system", annotations={"k8s.io/initial-events-end": "true", "x": "y"})
    found = sent(watch(), "BOOKMARK", marked)
    assert found is not None
    assert found["object"]["metadata"] == {
        "resourceVersion": "5",
        "creationTimestamp": None,
        "annotations": {"k8s.io/initial-events-end": "true"},
    }


def test_bookmarks_of_tables_fill_their_columns() -> None:
    marked = {"metadata": {"resourceVersion": "7", "name": "operator"}}
    found = sent(watch(form="table"), "BOOKMARK", table({"cells": ["", 0], "object": marked}, columns=False))
    assert found is not None
    (row,) = found["object"]["rows"]
    assert row["cells"] == ["", 0]
    assert row["object"]["metadata"] == {"resourceVersion": "7", "creationTimestamp": None}


def test_discovery_shows_what_is_allowed() -> None:
    listed = discovery.resources(
        {
            "resources": [
                {"name": "pods", "verbs": ["create", "delete", "get", "list", "watch"]},
                {"name": "pods/exec", "verbs": ["create", "get"]},
                {"name": "pods/log", "verbs": ["get"]},
                {"name": "secrets", "verbs": ["get", "list"]},
            ]
        },
        "",
        injector_hidden=True,
    )
    assert listed["resources"] == [
        {"name": "pods", "verbs": ["get", "list", "watch"]},
        {"name": "pods/log", "verbs": ["get"]},
    ]


def test_aggregated_discovery_shows_the_same() -> None:
    document = {
        "items": [
            {
                "metadata": {"name": ""},
                "versions": [
                    {
                        "version": "v1",
                        "resources": [
                            {
                                "resource": "pods",
                                "verbs": ["create", "get"],
                                "subresources": [
                                    {"subresource": "exec", "verbs": ["create"]},
                                    {"subresource": "log", "verbs": ["get"]},
                                ],
                            },
                            {"resource": "secrets", "verbs": ["get"]},
                        ],
                    }
                ],
            },
            {"metadata": {"name": "reprise.dev"}, "versions": []},
            {"metadata": {"name": "chaos-mesh.org"}, "versions": []},
        ]
    }
    found = discovery.aggregated(document, injector_hidden=True)
    assert [item["metadata"]["name"] for item in found["items"]] == [""]
    assert found["items"][0]["versions"][0]["resources"] == [
        {"resource": "pods", "verbs": ["get"], "subresources": [{"subresource": "log", "verbs": ["get"]}]}
    ]
    visible = discovery.aggregated(document, injector_hidden=False)
    assert [item["metadata"]["name"] for item in visible["items"]] == ["", "chaos-mesh.org"]


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("api/v1", True),
        ("apis/apps/v1", True),
        ("apis/reprise.dev/v1alpha1", False),
        ("apis/apiextensions.k8s.io/v1", False),
        ("apis/chaos-mesh.org/v1alpha1", False),
        ("logs", False),
        (".well-known/openid-configuration", False),
    ],
)
def test_schemas(name: str, allowed: bool) -> None:
    assert discovery.is_schema_allowed(name, injector_hidden=True) is allowed


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


REVIEW = field(
    2, field(1, field(1, b"shop") + field(2, b"list") + field(5, b"pods") + bytes([8 << 3 | 0, 1]))
)
ENVELOPE = protobuf.MAGIC + field(
    1, field(1, b"authorization.k8s.io/v1") + field(2, b"SelfSubjectAccessReview")
)


def test_a_review_in_protobuf() -> None:
    assert protobuf.read_review(ENVELOPE + field(2, REVIEW)) == {
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "shop", "verb": "list", "resource": "pods"}},
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        protobuf.MAGIC,
        ENVELOPE[:-3],
        ENVELOPE + b"\x12\x7f",
        ENVELOPE + b"\xff" * 12,
        ENVELOPE + field(2, field(2, field(1, field(1, b"\xff\xfe")))),
        protobuf.MAGIC + field(1, field(2, b"Secret")),
    ],
)
def test_broken_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInput):
        protobuf.read_review(body)
