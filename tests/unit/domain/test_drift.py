"""Fingerprints and what differs between them."""

import json
from typing import Any

import pytest

from reprise.domain import drift, errors
from reprise.domain.entities import EntityId

AD = EntityId("otel-demo", "Service", "ad")


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ad", "namespace": "otel-demo"},
        "spec": {"selector": {"opentelemetry.io/name": "ad"}, **spec},
    }


def lines(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    def of(manifest: dict[str, Any] | None) -> drift.Fingerprint:
        return drift.fingerprint([] if manifest is None else [(AD, drift.normalise(manifest))])

    stored = drift.from_json(json.loads(json.dumps(drift.to_json(of(before)))))
    return [str(difference) for difference in drift.compare(stored, of(after))]


def env(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "value": name.lower()} for name in names]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(service(), service(), [], id="same"),
        pytest.param(
            service(),
            service(selector={"opentelemetry.io/name": "ads"}),
            ['otel-demo/Service/ad: spec.selector["opentelemetry.io/name"]: expected "ad", found "ads"'],
            id="value",
        ),
        pytest.param(
            service(), None, ["otel-demo/Service/ad: expected the object to exist, found nothing"], id="gone"
        ),
        pytest.param(
            None, service(), ["otel-demo/Service/ad: expected no such object, found it exists"], id="new"
        ),
        pytest.param(
            service(env=env("A", "B")),
            service(env=env("B", "A")),
            ['otel-demo/Service/ad: spec.env[order]: expected "A,B", found "B,A"'],
            id="order of named entries",
        ),
        pytest.param(
            service(env=env("A", "B")),
            service(env=env("A", "X", "B")),
            [
                'otel-demo/Service/ad: spec.env[name=X].name: expected nothing, found "X"',
                'otel-demo/Service/ad: spec.env[name=X].value: expected nothing, found "x"',
                'otel-demo/Service/ad: spec.env[order]: expected "A,B", found "A,X,B"',
            ],
            id="entry added in between",
        ),
        pytest.param(
            service(args=["a", "b"]),
            service(args=["a", "c"]),
            ['otel-demo/Service/ad: spec.args[1]: expected "b", found "c"'],
            id="plain list",
        ),
        pytest.param(
            service(empty={}), service(), ["otel-demo/Service/ad: spec.empty: expected {}, found nothing"],
            id="empty map is something",
        ),
    ],
)  # fmt: skip
def test_compare(before: Any, after: Any, expected: list[str]) -> None:
    assert lines(before, after) == expected


def test_long_texts_differ_by_digest() -> None:
    (line,) = lines(service(text="x" * 500), service(text="x" * 499 + "y"))
    assert line.count("sha256:") == 2
    assert "xxx" not in line


def test_what_changes_by_itself_is_no_drift() -> None:
    after = service()
    after["status"] = {"loadBalancer": {}}
    after["metadata"] |= {
        "uid": "2",
        "resourceVersion": "9",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "x"}],
        "annotations": {"deployment.kubernetes.io/revision": "3"},
        "ownerReferences": [],
    }
    before = service()
    before["metadata"]["ownerReferences"] = []
    assert lines(before, after) == []


def test_own_annotations_are_drift() -> None:
    after = service()
    after["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    assert len(lines(service(), after)) == 1


@pytest.mark.parametrize("data", [None, {}, {"version": 2, "objects": {}}, {"version": 1, "objects": []}])
def test_stored_data_that_is_none(data: Any) -> None:
    with pytest.raises(errors.Corrupt):
        drift.from_json(data)


@pytest.mark.parametrize(("replicas", "expected"), [(0, 0), (1, 1)])
def test_history_that_a_deployment_trims_is_no_drift(replicas: int, expected: int) -> None:
    old = EntityId("otel-demo", "ReplicaSet", "ad-1")
    before = drift.fingerprint([(old, {"spec": {"replicas": replicas}})])
    assert len(drift.compare(before, drift.fingerprint([]))) == expected
    assert len(drift.compare(drift.fingerprint([]), before)) == 1, "a new one is drift in any case"
