"""A whole snapshot: recorded, read as its readers read it, verified, tampered with."""

import asyncio
import copy
import csv
import dataclasses
import datetime as dt
import hashlib
import json
import os
import resource
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.contract import snapshot_backends as backends
from tests.fakes.api_server import COLUMNS, ApiServer, connect, serve
from tests.support import small_disk

from reprise.cli.snapshot import snapshot as snapshot_command
from reprise.domain import errors
from reprise.snapshot import manifest, private, recorder, tables, verify, watcher

SNAPSHOT_ID = backends.REQUEST.snapshot_id


async def take(
    directory: Path,
    jaeger: object | None = None,
    server: ApiServer | None = None,
    spools: Path | None = None,
    secrets: Mapping[str, Any] | None = backends.SECRETS,
    **changes: Any,
) -> manifest.Manifest:
    async with serve(server or backends.api_server()) as url, connect(url) as kube:
        return await recorder.record(
            kube,
            backends.FakePrometheus(),  # type: ignore[arg-type]
            jaeger or backends.FakeJaeger(),  # type: ignore[arg-type]
            directory,
            dataclasses.replace(backends.REQUEST, **changes),
            spools=spools,
            secrets=secrets,
        )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    asyncio.run(take(tmp_path / "snap"))
    return tmp_path / "snap"


API = (
    "version", "api", "apis", "api.aggregated", "apis.aggregated", "api~v1", "openapi~v2", "openapi~v3",
    "apis~apps", "apis~apps~v1", "apis~autoscaling", "apis~autoscaling~v2", "apis~autoscaling~v1",
    "apis~coordination.k8s.io", "apis~coordination.k8s.io~v1", "apis~metrics.k8s.io",
    "apis~metrics.k8s.io~v1beta1", "openapi~v3~api~v1", "openapi~v3~apis~apps~v1",
)  # fmt: skip
OBJECTS = (
    "core~v1~pods", "core~v1~namespaces", "core~v1~nodes", "core~v1~configmaps", "core~v1~events",
    "apps~v1~deployments", "autoscaling~v2~horizontalpodautoscalers",
    "autoscaling~v1~horizontalpodautoscalers", "coordination.k8s.io~v1~leases", "metrics.k8s.io~v1beta1~pods",
)  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


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


async def test_a_backend_that_restarts_is_waited_for(tmp_path: Path) -> None:
    server = backends.api_server()
    server.failing = {
        "/apis": 2,
        "/api/v1/pods": 1,
        "/api/v1/namespaces/shop/pods/cart-1/log": 1,
        "/apis/metrics.k8s.io/v1beta1/pods": 1,
    }
    made = await take(tmp_path / "snap", server=server)
    assert [gap.signal for gap in made.missing] == ["history", "logs"]
    assert {entry.path: entry.rows for entry in made.files}["otel_logs_raw.tsv"] == 2


@pytest.mark.parametrize(
    ("path", "gap"),
    [
        ("/apis/metrics.k8s.io/v1beta1/pods", ("objects", "metrics.k8s.io~v1beta1~pods")),
        ("/api/v1/namespaces/shop/pods/cart-1/log", ("logs", "shop/cart-1/cart")),
    ],
)
async def test_what_cannot_be_had_is_a_gap(path: str, gap: tuple[str, str], tmp_path: Path) -> None:
    server = backends.api_server()
    server.refused = {path}
    made = await take(tmp_path / "snap", server=server)
    assert gap in [(one.signal, one.what) for one in made.missing]
    assert verify.verify(tmp_path / "snap").ok


async def test_without_pods_there_is_no_snapshot(tmp_path: Path) -> None:
    server = backends.api_server()
    server.refused = {"/api/v1/pods"}
    with pytest.raises(errors.Refused):
        await take(tmp_path / "snap", server=server)
    assert os.listdir(tmp_path) == []


async def test_recording_again_changes_nothing(tmp_path: Path) -> None:
    first = await take(tmp_path / "snap")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "snap").rglob("*")}
    again = await take(tmp_path / "snap")
    assert again.digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "snap").rglob("*")} == before


async def test_a_failure_leaves_no_snapshot_and_the_next_try_succeeds(tmp_path: Path) -> None:
    with pytest.raises(errors.Unreachable):
        await take(tmp_path / "snap", jaeger=backends.BrokenJaeger())
    assert not (tmp_path / "snap").exists()
    assert os.listdir(tmp_path) == [], "nothing half-written is left"
    (tmp_path / "snap.partial").mkdir()
    (tmp_path / "snap.partial/topology.json").write_text("what a crash would have left")
    (tmp_path / "snap.private").mkdir()
    await take(tmp_path / "snap")
    assert verify.verify(tmp_path / "snap").ok
    assert not (tmp_path / "snap.partial").exists()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Refused, match="expected a place to write"):
        await take(tmp_path / "file" / "snap")


async def test_another_runs_folder_is_not_touched(tmp_path: Path) -> None:
    await take(tmp_path / "snap")
    with pytest.raises(errors.Conflict, match=SNAPSHOT_ID):
        await take(tmp_path / "snap", run_uid="another")


async def test_a_damaged_folder_is_reported(tmp_path: Path) -> None:
    await take(tmp_path / "snap")
    (tmp_path / "snap/topology.json").write_text("{}")
    with pytest.raises(errors.Corrupt, match=r"topology\.json"):
        await take(tmp_path / "snap")


# -- tampering ----------------------------------------------------------------------------------------


def edit(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        document = json.loads((root / name).read_text())
        change(document)
        (root / name).write_text(json.dumps(document))

    return apply


def swap_bytes(root: Path) -> None:
    """The same size, another content."""
    path = root / "otel_logs_raw.tsv"
    path.write_text(path.read_text().replace("hello", "hullo"))


def append_row(root: Path) -> None:
    with (root / "otel_traces_raw.tsv").open("a") as out:
        out.write("x\n")


def set_row_count(document: dict[str, Any]) -> None:
    for entry in document["files"]:
        if entry["path"] == "otel_logs_raw.tsv":
            entry["rows"] = 99


def climb(document: dict[str, Any]) -> None:
    document["files"].append({"path": "../x", "sha256": "0", "bytes": 0, "rows": 0})


def odd(document: dict[str, Any]) -> None:
    document["files"].append({"path": "a//b c", "sha256": "0", "bytes": 0, "rows": 0})


def truncate(root: Path) -> None:
    path = root / "objects/core~v1~pods.jsonl"
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:2]))


def link(root: Path) -> None:
    (root / "topology.json").rename(root.parent / "elsewhere.json")
    os.symlink(root.parent / "elsewhere.json", root / "topology.json")


def unlist(document: dict[str, Any]) -> None:
    document["files"] = [entry for entry in document["files"] if entry["path"] != "k8s_events_raw.tsv"]


TAMPERED: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("no manifest", lambda root: (root / "manifest.json").unlink(), ["manifest.json: missing"]),
    (
        "not JSON",
        lambda root: (root / "manifest.json").write_text("{"),
        ["expected the manifest of a snapshot"],
    ),
    (
        "a future schema",
        edit("manifest.json", lambda d: d.update(schemaVersion=9)),
        ["found 9; it was recorded by a later release"],
    ),
    (
        "an old schema",
        edit("manifest.json", lambda d: d.update(schemaVersion=1)),
        ["expected schemaVersion 2, found 1; version 1 has no discovery"],
    ),
    ("not a mapping", lambda root: (root / "manifest.json").write_text("[]"), ["expected the manifest"]),
    ("a file gone", lambda root: (root / "otel_logs_raw.tsv").unlink(), ["otel_logs_raw.tsv: missing"]),
    ("a file more", lambda root: (root / "truth.json").write_text("{}"), ["truth.json: not listed"]),
    ("the same size", swap_bytes, ["otel_logs_raw.tsv: expected sha256"]),
    ("a row more", append_row, ["bytes, found", "expected sha256", "expected 1 rows, found 2"]),
    ("a wrong count", edit("manifest.json", set_row_count), ["otel_logs_raw.tsv: expected 99 rows, found 2"]),
    ("a path outside", edit("manifest.json", climb), ["../x: expected a path inside"]),
    ("an odd path", edit("manifest.json", odd), ["a//b c: expected a path inside"]),
    ("a truncated list", truncate, ["bytes, found", "expected sha256", "expected 2 rows, found 1"]),
    ("a link", link, ["topology.json: expected a plain file"]),
    ("a signal unlisted", edit("manifest.json", unlist), ["k8s_events_raw.tsv: not listed"]),
    (
        "time runs backwards",
        edit("manifest.json", lambda d: d["timeline"].update(injectedAt="2026-11-21T11:00:00Z")),
        ["timeline: expected baselineAt before injectedAt"],
    ),
    ("no end", edit("manifest.json", lambda d: d["timeline"].pop("recordedAt")), ["recordedAt is missing"]),
    (
        "a time without zone",
        edit("manifest.json", lambda d: d["timeline"].update(symptomAt="2026-11-21T12:00:40")),
        ["symptomAt: expected a time with its zone"],
    ),
    (
        "several at once",
        lambda root: [(root / "topology.json").unlink(), swap_bytes(root)],
        ["otel_logs_raw.tsv: expected sha256", "topology.json: missing"],
    ),
]


@pytest.mark.parametrize(("tamper", "expected"), [pytest.param(t, e, id=i) for i, t, e in TAMPERED])
def test_tampering_is_found(recorded: Path, tamper: Callable[[Path], object], expected: list[str]) -> None:
    tamper(recorded)
    problems = verify.verify(recorded).problems
    assert len(problems) == len(expected), problems
    for problem, part in zip(sorted(problems), sorted(expected), strict=True):
        assert any(part in one for one in problems), problem


def test_command(recorded: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(snapshot_command, ["verify", str(recorded)])
    assert good.exit_code == 0
    assert "whole: 46 files" in good.output
    shutil.rmtree(recorded / "objects")
    bad = runner.invoke(snapshot_command, ["verify", str(recorded), "-o", "json"])
    assert bad.exit_code == 1
    document = json.loads(bad.output)
    assert document["ok"] is False
    assert len(document["problems"]) == len(OBJECTS)
    nothing = runner.invoke(snapshot_command, ["verify", str(tmp_path / "nothing")])
    assert isinstance(nothing.exception, errors.NotFound)


def test_the_command_checks_shapes_and_digests_at_once(recorded: Path) -> None:
    """A document of another shape whose digest is right, beside one whose digest is wrong."""
    (recorded / "topology.json").write_text('{"nodes": []}')
    document = json.loads((recorded / "manifest.json").read_text())
    for entry in document["files"]:
        if entry["path"] == "topology.json":
            entry["sha256"] = hashlib.sha256(b'{"nodes": []}').hexdigest()
            entry["bytes"] = 13
    (recorded / "manifest.json").write_text(json.dumps(document))
    swap_bytes(recorded)
    assert len(verify.verify(recorded).problems) == 1
    bad = CliRunner().invoke(snapshot_command, ["verify", str(recorded)])
    assert bad.exit_code == 1
    assert "topology.json: $: 'edges' is a required property" in bad.output
    assert "otel_logs_raw.tsv: expected sha256" in bad.output
    assert "2 problems in" in bad.output


def test_reading_a_table_back(recorded: Path) -> None:
    rows = tables.read_rows(recorded / "otel_logs_raw.tsv")
    assert [tables.unescape(row["Body"]) for row in rows] == ["hello", "plain"]


def test_a_half_written_folder_says_so(recorded: Path, tmp_path: Path) -> None:
    recorded.rename(tmp_path / "late.partial")
    (problem,) = verify.verify(tmp_path / "late.partial").problems
    assert "half-written" in problem
    with pytest.raises(errors.NotFound, match="cut off while it was written"):
        verify.verify(tmp_path / "late")


def test_scan_command(recorded: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(snapshot_command, ["scan", str(recorded)])
    assert (good.exit_code, good.output[:14]) == (0, "nothing found:")
    (recorded / "topology.json").write_text('{"by": "Run-UID", "of": "the-run-uid2"}')
    bad = runner.invoke(snapshot_command, ["scan", str(recorded), "-o", "json"])
    assert bad.exit_code == 1
    (finding,) = json.loads(bad.output)["findings"]
    assert finding == {"file": "topology.json", "token": "run-uid", "kind": "uid of the run", "offset": 8}
    shutil.rmtree(private.folder(recorded))
    assert isinstance(runner.invoke(snapshot_command, ["scan", str(recorded)]).exception, errors.NotFound)


async def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(errors.Refused, match="expected a place to write"):
            await take(tmp_path / "snap")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_is_really_full_while_recording(tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "volume", "64k") as volume:
        with pytest.raises(errors.Refused, match="No space left on device; see its volume"):
            await take(volume / "snap")
        assert os.listdir(volume) == [], "nothing half-written is left"
        small_disk.grow(volume, "16m")
        await take(volume / "snap")
        assert verify.verify(volume / "snap").ok
        assert sorted(os.listdir(volume)) == ["snap", "snap.private"]


async def test_a_pod_with_a_hostile_name_is_a_gap(tmp_path: Path) -> None:
    """No API server takes such a name. What answers as one may be something else."""
    server = backends.api_server()
    for name in ("..", "a/../../../../evil"):
        server.put("pods", name, "shop", **copy.deepcopy(backends.POD))
        server.logs["shop", name, "cart", False] = backends.LOG
    made = await take(tmp_path / "home" / "snap", server=server)
    gaps = {gap.what: gap.why for gap in made.missing if gap.signal == "logs"}
    assert {"shop/../cart", "shop/a/../../../../evil/cart"} <= set(gaps)
    assert sorted(os.listdir(tmp_path / "home")) == ["snap", "snap.private"]
    assert os.listdir(tmp_path) == ["home"]
    assert verify.verify(tmp_path / "home" / "snap").ok


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
