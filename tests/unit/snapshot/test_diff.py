"""What differs, what is noise, and in what order a person reads it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.fakes import snapshot_v2

from reprise.cli.snapshot import snapshot as command
from reprise.domain import errors
from reprise.snapshot import diff, jaeger_spans, reader
from reprise.snapshot.diff import noise, objects, signals


@pytest.fixture
def faulty(tmp_path: Path) -> reader.Snapshot:
    return reader.open_snapshot(snapshot_v2.make(tmp_path / "faulty"))


@pytest.fixture
def healthy(tmp_path: Path) -> reader.Snapshot:
    return reader.open_snapshot(snapshot_v2.make(tmp_path / "healthy", faulty=False, seed=2))


def came_and_went(report: diff.Report) -> list[tuple[str, str]]:
    return [(change.what, change.entity) for change in report.objects if change.what != "changed"]


def fields(report: diff.Report, part: str) -> list[tuple[str, str, str | None, str | None]]:
    return [(c.entity, f.path, f.old, f.new) for c in report.objects for f in getattr(c, part)]


IMAGE = (
    "shop/Deployment/cart",
    "spec.template.spec.containers[name=cart].image",
    '"shop:1"',
    '"shop:broken"',
)
FLAG = (
    "shop/ConfigMap/flagd-config",
    'data["demo.flagd.json"].flags.cartFailure.defaultVariant',
    '"off"',
    '"on"',
)
READY = ("shop/Deployment/cart", "status.readyReplicas", "1", "0")


def test_before_the_fault_against_the_end(faulty: reader.Snapshot) -> None:
    report = diff.compare(faulty)
    assert came_and_went(report) == [
        ("removed", "shop/Pod/cart-5d-00001"),
        ("added", "shop/Pod/cart-6f-00001"),
        ("added", "shop/NetworkPolicy/cart-ingress"),
    ]
    assert fields(report, "spec") == [IMAGE, FLAG]
    assert fields(report, "status") == [READY]
    assert fields(report, "metadata") == []
    assert [(a.before, a.after) for a in report.alerts] == [("", "firing")]
    assert {
        s.service: (s.before.error_rate, s.after.error_rate) for s in report.services if s.before and s.after
    } == {
        "cart": (0.0, 1.0),
        "frontend": (0.0, 1.0),
    }


@pytest.mark.parametrize("at", ["+105s", "+105", "2026-11-21T12:01:45Z"])
def test_at_a_moment(faulty: reader.Snapshot, at: str) -> None:
    report = diff.compare(faulty, at=at)
    assert came_and_went(report) == [("added", "shop/NetworkPolicy/cart-ingress")]
    assert fields(report, "spec") == [FLAG], "the image is changed later"
    assert report.alerts == ()


@pytest.mark.parametrize("at", ["+99s", "+900s", "noon", "2026-11-21T12:01:45", "2020-01-01T00:00:00Z"])
def test_moments_that_cannot_be_compared(faulty: reader.Snapshot, at: str) -> None:
    with pytest.raises(errors.InvalidInput, match="--at: expected"):
        diff.compare(faulty, at=at)


def test_two_incidents(healthy: reader.Snapshot, faulty: reader.Snapshot) -> None:
    report = diff.compare(healthy, faulty)
    assert came_and_went(report) == [("added", "shop/NetworkPolicy/cart-ingress")]
    assert fields(report, "spec") == [IMAGE, FLAG]
    assert fields(report, "status") == [
        READY,
        ("shop/Pod/cart-*-*", "status.phase", '"Running"', '"Pending"'),
    ]
    assert [(e.what, e.source, e.relation, e.target) for e in report.edges] == [
        ("added", "Deployment/cart", "depends_on", "NetworkPolicy/cart-ingress")
    ]
    back = diff.compare(faulty, healthy)
    assert came_and_went(back) == [("removed", "shop/NetworkPolicy/cart-ingress")]


def test_two_quiet_runs_do_not_differ(healthy: reader.Snapshot, tmp_path: Path) -> None:
    """Other pods, ids, durations and samples, and nothing to tell."""
    other = reader.open_snapshot(snapshot_v2.make(tmp_path / "b", faulty=False, seed=3))
    report = diff.compare(healthy, other)
    assert not report.differs
    assert diff.text(report).endswith("no difference")


def test_a_control_has_no_fault_to_compare_with(tmp_path: Path) -> None:
    folder = snapshot_v2.make(tmp_path / "a", faulty=False)
    document = json.loads((folder / "manifest.json").read_text())
    del document["timeline"]["injectedAt"], document["timeline"]["symptomAt"]
    (folder / "manifest.json").write_text(json.dumps(document))
    report = diff.compare(reader.open_snapshot(folder))
    assert not report.differs
    assert any("nothing was injected" in note for note in report.notes)


def test_a_person_reads_the_spec_first(faulty: reader.Snapshot) -> None:
    lines = diff.text(diff.compare(faulty)).splitlines()
    titles = [line for line in lines if line and not line.startswith((" ", "-", "+", "note"))]
    assert titles == ["Spec", "Objects that came and went", "Status", "Alerts", "Services"]
    assert '    spec.template.spec.containers[name=cart].image: "shop:1" -> "shop:broken"' in lines


# -- noise ----------------------------------------------------------------------------------------------


def changed(before: dict[str, Any], after: dict[str, Any], across: bool = False) -> list[str]:
    key = ("core~v1~pods", "shop", "a")
    base: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}
    found = objects.changes({key: {**base, **before}}, {key: {**base, **after}}, across)
    return [field.path for change in found for field in (*change.spec, *change.metadata, *change.status)]


META = {"name": "a", "namespace": "shop"}
QUIET = {
    "resourceVersion": (
        {"metadata": {**META, "resourceVersion": "1"}},
        {"metadata": {**META, "resourceVersion": "2"}},
    ),
    "generation": ({"metadata": {**META, "generation": 1}}, {"metadata": {**META, "generation": 2}}),
    "heartbeat": (
        {"status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-11-21T12:00:00Z"}]}},
        {"status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-11-21T12:00:10Z"}]}},
    ),
    "started": (
        {"status": {"state": {"running": {"startedAt": "2026-11-21T12:00:00Z"}}}},
        {"status": {"state": {"running": {"startedAt": "2026-11-21T13:00:00.5+01:00"}}}},
    ),
    "observedGeneration": ({"status": {"observedGeneration": 1}}, {"status": {"observedGeneration": 2}}),
    "order of conditions": (
        {"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]}},
        {"status": {"conditions": [{"type": "B", "status": "False"}, {"type": "A", "status": "True"}]}},
    ),
    "layout of JSON in text": ({"data": {"f": '{"a": 1}'}}, {"data": {"f": '{\n "a":1}'}}),
}


@pytest.mark.parametrize(("before", "after"), QUIET.values(), ids=QUIET.keys())
def test_noise(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert changed(before, after) == []


LOUD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a condition": (
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
        "status.conditions[type=Ready].status",
    ),
    "a time in spec": (
        {"spec": {"at": "2026-11-21T12:00:00Z"}},
        {"spec": {"at": "2026-11-21T12:00:01Z"}},
        "spec.at",
    ),
    "null is a value": ({"spec": {"a": None}}, {"spec": {}}, "spec.a"),
    "an empty map is a value": (
        {"spec": {"podSelector": {}}},
        {"spec": {"podSelector": {"a": "b"}}},
        "spec.podSelector",
    ),
    "being deleted": (
        {},
        {"metadata": {**META, "deletionTimestamp": "2026-11-21T12:00:00Z"}},
        "metadata.deletionTimestamp",
    ),
    "true is not 1": ({"spec": {"a": True}}, {"spec": {"a": 1}}, "spec.a"),
    "text is not a number": ({"data": {"a": "1"}}, {"data": {"a": 1}}, "data.a"),
    "broken JSON": ({"data": {"f": '{"a": 1}'}}, {"data": {"f": '{"a": 1'}}, "data.f"),
}


@pytest.mark.parametrize(("before", "after", "path"), LOUD.values(), ids=LOUD.keys())
def test_no_noise(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    assert path in changed(before, after)


def test_chance_counts_within_one_and_not_between_two() -> None:
    before = {"spec": {"clusterIP": "10.0.0.1", "nodeName": "a", "ports": [{"port": 80, "nodePort": 31000}]}}
    after = {"spec": {"clusterIP": "10.0.0.2", "nodeName": "b", "ports": [{"port": 80, "nodePort": 31001}]}}
    assert len(changed(before, after)) == 3
    assert changed(before, after, across=True) == []


def slice_of(*ready: bool) -> dict[str, Any]:
    addresses = [
        {"addresses": [f"10.0.0.{n}"], "conditions": {"ready": flag}} for n, flag in enumerate(ready)
    ]
    return {"kind": "EndpointSlice", "endpoints": addresses}


def test_endpoints_are_counted() -> None:
    assert (
        changed(
            slice_of(True, True),
            {**slice_of(True, True), "endpoints": slice_of(True, True)["endpoints"][::-1]},
        )
        == []
    )
    assert changed(slice_of(True, True), slice_of(True, False)) == ["endpoints.notReady", "endpoints.ready"]
    assert changed(slice_of(True), {"kind": "EndpointSlice", "endpoints": None}) == ["endpoints.ready"]


NAMES = [
    (snapshot_v2.pod("cart", "5d", "abcde"), "cart-*-*"),
    ({"metadata": {"name": "cart", "namespace": "shop"}}, "cart"),
    ({"metadata": {"name": "cart-5d", "labels": {"pod-template-hash": "5d"}}}, "cart-*"),
    (
        {
            "metadata": {
                "name": "kafka-0",
                "generateName": "kafka-",
                "ownerReferences": [{"kind": "StatefulSet"}],
            }
        },
        "kafka-0",
    ),
    ({"metadata": {"name": "nightly-2938", "ownerReferences": [{"kind": "CronJob"}]}}, "nightly-*"),
]


@pytest.mark.parametrize(("obj", "expected"), NAMES)
def test_stable_names(obj: dict[str, Any], expected: str) -> None:
    assert noise.stable_name(obj) == expected


def test_several_pods_of_one_workload_are_told_apart() -> None:
    found = {
        ("core~v1~pods", "shop", f"cart-5d-{s}"): snapshot_v2.pod("cart", "5d", s) for s in ("abcde", "fghij")
    }
    assert sorted(key[2] for key in objects.stable_keys(found).values()) == ["cart-*-*", "cart-*-*#2"]


# -- services -------------------------------------------------------------------------------------------


def test_quantiles_are_right_to_a_percent() -> None:
    window = signals.Window(snapshot_v2.BASELINE, snapshot_v2.RECORDED)
    start = int(snapshot_v2.BASELINE.timestamp() * 1e6)
    for micros in range(1000, 101_000, 100):
        window.add(
            jaeger_spans.Span(
                "t", "s", "", "cart", "op", "server", start, micros, "UNSET", "", "", "", "", (), (), (), ()
            ),
            None,
        )
    found = window.figures()["cart"]
    assert math.isclose(found.p50_ms, 50.9, rel_tol=0.011)
    assert math.isclose(found.p95_ms, 95.9, rel_tol=0.011)
    assert (found.requests, found.per_second) == (1000, 5.0)


FIGURES = signals.Figures(100, 1.0, 0.0, 10.0, 20.0)
RULE = {
    "the same": (FIGURES, False),
    "gone": (None, True),
    "one point of errors": (signals.Figures(100, 1.0, 0.01, 10.0, 20.0), True),
    "less": (signals.Figures(100, 1.0, 0.009, 10.0, 20.0), False),
    "slower by half": (signals.Figures(100, 1.0, 0.0, 10.0, 30.0), True),
    "slower by less": (signals.Figures(100, 1.0, 0.0, 10.0, 29.0), False),
    "twice as many": (signals.Figures(200, 2.0, 0.0, 10.0, 20.0), True),
    "half as many": (signals.Figures(50, 0.5, 0.0, 10.0, 20.0), True),
}


@pytest.mark.parametrize(("after", "told"), RULE.values(), ids=RULE.keys())
def test_what_is_told_of_a_service(after: signals.Figures | None, told: bool) -> None:
    found = signals.service_changes({"cart": FIGURES}, {"cart": after} if after else {})
    assert bool(found) is told


# -- the command ----------------------------------------------------------------------------------------


def test_exit_codes_are_those_of_diff(
    healthy: reader.Snapshot, faulty: reader.Snapshot, tmp_path: Path
) -> None:
    run = CliRunner().invoke
    assert run(command, ["diff", str(healthy.folder), str(healthy.folder)]).exit_code == 0
    assert run(command, ["diff", str(faulty.folder)]).exit_code == 1
    assert run(command, ["diff", str(tmp_path / "none")]).exit_code == 2
    assert run(command, ["diff", str(faulty.folder), "--at", "noon"]).exit_code == 2


def test_json(faulty: reader.Snapshot) -> None:
    done = CliRunner().invoke(command, ["diff", str(faulty.folder), "-o", "json"])
    document = json.loads(done.stdout)
    assert document["differs"] is True
    assert {"path": IMAGE[1], "old": IMAGE[2], "new": IMAGE[3]} in document["objects"][0]["spec"]
