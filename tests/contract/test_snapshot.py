"""What is in a snapshot, read as its readers read it, and what is not."""

import asyncio
import csv
import datetime as dt
import json
import os
from pathlib import Path

import pytest
from tests.contract import snapshot_backends as backends
from tests.contract.snapshot_taking import OBJECTS, SNAPSHOT_ID, lines, recorded, take
from tests.fakes.api_server import COLUMNS, connect, serve

from reprise.domain import errors
from reprise.snapshot import manifest, private, tables, verify, watcher

__all__ = ["recorded"]

API = (
    "version", "api", "apis", "api.aggregated", "apis.aggregated", "api~v1", "openapi~v2", "openapi~v3",
    "apis~apps", "apis~apps~v1", "apis~autoscaling", "apis~autoscaling~v2", "apis~autoscaling~v1",
    "apis~coordination.k8s.io", "apis~coordination.k8s.io~v1", "apis~metrics.k8s.io",
    "apis~metrics.k8s.io~v1beta1", "openapi~v3~api~v1", "openapi~v3~apis~apps~v1",
)  # fmt: skip


def test_layout(recorded: Path) -> None:
    found = {str(path.relative_to(recorded)) for path in recorded.rglob("*") if path.is_file()}
    assert found == {
        "manifest.json",
        "alerts/alerts_at_2026-11-21T12-00-45.000000.json",
        "alerts/history.json",
        "alerts/rules.json",
        "k8s_events_raw.tsv",
        "k8s_objects_raw.tsv",
        "otel_logs_raw.tsv",
        "otel_traces_raw.tsv",
        "metrics/metadata.json",
        "metrics/pod_cart-1.tsv",
        "metrics/series.jsonl",
        "metrics/service_cart.tsv",
        "topology.json",
        *(f"api/{name}.json" for name in API),
        *(f"objects/{name}.jsonl" for name in OBJECTS),
        "logs/shop/cart-1/cart.log",
        "logs/kube-system/coredns-1/dns.log",
        "traces/index.tsv",
        "traces/services.json",
        "traces/traces.jsonl",
    }
    assert verify.verify(recorded).problems == ()


HEADERS = {
    "k8s_events_raw.tsv": ["Timestamp", "Body"],
    "k8s_objects_raw.tsv": ["timestamp", "body", "namespace", "object_kind", "object_name"],
    "otel_traces_raw.tsv": [
        "Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName",
        "ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode",
        "StatusMessage",
    ],
    "otel_logs_raw.tsv": [
        "Timestamp", "TraceId", "SpanId", "TraceFlags", "SeverityText", "SeverityNumber", "ServiceName",
        "Body",
    ],
    "metrics/pod_cart-1.tsv": ["metric_name", "timestamp", "value", "pod_name", "namespace", "tags"],
    "metrics/service_cart.tsv": [
        "metric_name", "timestamp", "value", "service_name", "namespace", "bucket_le", "status_code", "tags",
    ],
}  # fmt: skip
JSON_CELLS = ("Body", "body", "ResourceAttributes", "SpanAttributes", "LogAttributes", "tags")


@pytest.mark.parametrize("name", HEADERS)
def test_columns_and_real_json_in_map_cells(recorded: Path, name: str) -> None:
    # As ITBench's readers do it: lines first, csv afterwards.
    reader = csv.DictReader((recorded / name).read_text().splitlines(), delimiter="\t")
    rows = list(reader)
    assert reader.fieldnames is not None
    assert reader.fieldnames[: len(HEADERS[name])] == HEADERS[name]
    assert rows
    for row in rows:
        assert None not in row
        for cell in JSON_CELLS:
            if cell in row and not (name.startswith("otel_logs") and cell == "Body"):
                assert isinstance(json.loads(row[cell]), dict)


def test_reading_a_table_back(recorded: Path) -> None:
    rows = tables.read_rows(recorded / "otel_logs_raw.tsv")
    assert [tables.unescape(row["Body"]) for row in rows] == ["hello", "plain"]


def test_nothing_hidden_is_inside(recorded: Path) -> None:
    for path in recorded.rglob("*"):
        if path.is_file():
            text = path.read_text()
            for word in ("reprise", "managedFields", "c2VjcmV0", "Secret"):
                assert word not in text, f"{word} in {path.name}"
    _, pod, dns = lines(recorded / "objects/core~v1~pods.jsonl")
    assert dns["object"]["metadata"]["name"] == "cart-1"
    assert dns["object"]["metadata"]["annotations"] == {"plain": "kept"}
    assert pod["object"]["metadata"]["namespace"] == "kube-system"
    _, *namespaces = lines(recorded / "objects/core~v1~namespaces.jsonl")
    assert [one["object"]["metadata"]["name"] for one in namespaces] == ["kube-system", "shop"]


def test_objects_come_with_their_cells(recorded: Path) -> None:
    head, _, pod = lines(recorded / "objects/core~v1~pods.jsonl")
    assert head == {
        "apiVersion": "v1",
        "kind": "PodList",
        "itemKind": "Pod",
        "plural": "pods",
        "namespaced": True,
        "verbs": ["get", "list", "watch"],
        "resourceVersion": head["resourceVersion"],
        "columnDefinitions": COLUMNS,
    }
    assert int(head["resourceVersion"]) > 1000
    assert pod["cells"] == ["cart-1", ""]
    assert list(pod["object"])[:2] == ["kind", "apiVersion"]
    head, usage = lines(recorded / "objects/metrics.k8s.io~v1beta1~pods.jsonl")
    assert (head["columnDefinitions"], usage["cells"]) == (None, None)
    assert (usage["object"]["kind"], usage["object"]["usage"]) == ("PodMetrics", {"cpu": "5m"})
    _, lease = lines(recorded / "objects/coordination.k8s.io~v1~leases.jsonl")
    assert lease["object"]["metadata"]["namespace"] == "kube-node-lease"


def test_discovery_shows_what_is_allowed(recorded: Path) -> None:
    core = json.loads((recorded / "api/api~v1.json").read_text())
    assert "secrets" not in [one["name"] for one in core["resources"]]
    pods = next(one for one in core["resources"] if one["name"] == "pods")
    assert pods["verbs"] == ["get", "list", "watch"]
    groups = json.loads((recorded / "api/apis.json").read_text())["groups"]
    assert [one["name"] for one in groups] == ["apps", "autoscaling", "coordination.k8s.io", "metrics.k8s.io"]
    assert json.loads((recorded / "api/openapi~v2.json").read_text())["definitions"] == {"Pod": {}}


async def test_a_visible_injector_is_recorded(tmp_path: Path) -> None:
    secrets = {**backends.SECRETS, "scenario": {**backends.SECRETS["scenario"], "injector": "visible"}}
    await take(tmp_path / "snap", injector_hidden=False, secrets=secrets)
    _, chaos = lines(tmp_path / "snap/objects/chaos-mesh.org~v1alpha1~networkchaos.jsonl")
    assert chaos["object"]["metadata"]["name"] == "abcde"


def test_raw_logs_and_their_table(recorded: Path) -> None:
    assert (recorded / "logs/shop/cart-1/cart.log").read_bytes() == backends.LOG
    rows = tables.read_rows(recorded / "otel_logs_raw.tsv")
    assert [row["Body"] for row in rows] == ["hello", "plain"], "of the application's namespace alone"


def test_the_manifest_says_what_is_missing(recorded: Path) -> None:
    found = manifest.from_bytes((recorded / "manifest.json").read_bytes())
    assert [(gap.signal, gap.what) for gap in found.missing] == [
        ("history", "every resource"),
        ("logs", "shop/cart-1/cart (previous)"),
    ]
    assert found.timeline["symptomAt"] == "2026-11-21T12:00:40.000000Z"
    assert (found.id, found.seed, found.versions) == (SNAPSHOT_ID, 7, {"application": "2.2.0"})
    assert "run-uid" not in (recorded / "manifest.json").read_text()
    rows = {entry.path: entry.rows for entry in found.files}
    assert rows["otel_logs_raw.tsv"] == 2
    assert rows["otel_traces_raw.tsv"] == 1, "one trace over several slices is written once"
    assert rows["metrics/pod_cart-1.tsv"] == 3
    assert found.digest == verify.verify(recorded).digest


def test_the_operators_part_lies_beside(recorded: Path) -> None:
    document = private.read(private.folder(recorded), SNAPSHOT_ID)
    assert [obj["metadata"]["name"] for obj in document["injector"]] == ["abcde"]
    assert document["run"]["uid"] == "run-uid"
    with pytest.raises(errors.Corrupt, match="that of"):
        private.read(private.folder(recorded), "0" * 16)


async def test_nothing_of_the_answer_is_published(tmp_path: Path) -> None:
    server = backends.api_server()
    server.put("configmaps", "notes", "shop", data={"why": "made for cart-unreachable, see there"})
    with pytest.raises(
        errors.Corrupt, match=r"core~v1~configmaps.jsonl: 'cart-unreachable' \(name of the sc"
    ):
        await take(tmp_path / "snap", server=server)
    assert os.listdir(tmp_path) == []


async def test_clocks_that_go_wrong(tmp_path: Path) -> None:
    """One node's clock is an hour behind, another's an hour ahead: lines of a later time than the window are
    left out, what the API server says is kept as it says it, and the timeline is the operator's alone."""
    server = backends.api_server()
    for name, at in (("behind", "2026-11-21T11:00:30"), ("ahead", "2026-11-21T13:00:30")):
        server.put(
            "events", name, "shop", involvedObject={"kind": "Pod", "name": "cart-1"}, lastTimestamp=f"{at}Z"
        )
    ahead = b"2026-11-21T13:00:10.5Z from the future\n"
    server.logs["shop", "cart-1", "cart", False] = ahead + backends.LOG
    made = await take(tmp_path / "snap", server=server)
    assert verify.verify(tmp_path / "snap").ok
    assert made.timeline["baselineAt"] == "2026-11-21T12:00:00.000000Z"
    log = (tmp_path / "snap/logs/shop/cart-1/cart.log").read_bytes()
    assert log == backends.LOG
    events = [
        line["object"]["metadata"]["name"]
        for line in lines(tmp_path / "snap/objects/core~v1~events.jsonl")[1:]
    ]
    assert "ahead" in events


async def test_a_spool_becomes_the_history_and_the_tables(tmp_path: Path) -> None:
    server = backends.api_server()
    seen_at = [backends.START - dt.timedelta(seconds=1)]
    event = {"involvedObject": {"kind": "Pod", "name": "cart-1"}, "reason": "Started"}
    async with serve(server) as url:
        tried = watcher.Tried()
        watching = asyncio.create_task(
            watcher.follow(lambda: connect(url), tmp_path / "spool", True, tried, lambda: seen_at[0])
        )
        await tried.all.wait()
        seen_at[0] = backends.START + dt.timedelta(seconds=21)
        server.put("configmaps", "flags", "shop", data={"on": "no"})
        server.put("configmaps", "flags", "shop", data={"on": "yes"})
        server.put("events", "e1", "shop", **event, lastTimestamp="2026-11-21T12:00:33Z", count=2)
        watching.cancel()
        await asyncio.wait([watching])
    made = await take(tmp_path / "snap", server=server, spools=tmp_path / "spool")
    assert [gap.signal for gap in made.missing] == ["logs"]
    history = lines(tmp_path / "snap/history/core~v1~configmaps.jsonl")
    assert [(one["type"], one["object"]["data"]) for one in history] == [
        ("ADDED", {"on": "no"}),
        ("MODIFIED", {"on": "yes"}),
    ]
    rows = tables.read_rows(tmp_path / "snap/k8s_objects_raw.tsv")
    found = [(row["object_kind"], row["object_name"]) for row in rows]
    assert found == [
        ("Pod", "cart-1"), ("Namespace", "shop"), ("Node", "n1"),
        ("ConfigMap", "flags"), ("ConfigMap", "flags"),
    ]  # fmt: skip
    events = [json.loads(row["Body"]) for row in tables.read_rows(tmp_path / "snap/k8s_events_raw.tsv")]
    assert [(one["type"], one["object"].get("count")) for one in events] == [("ADDED", None), ("MODIFIED", 2)]
    assert not (tmp_path / "snap/history/coordination.k8s.io~v1~leases.jsonl").exists()
    assert verify.verify(tmp_path / "snap").ok
