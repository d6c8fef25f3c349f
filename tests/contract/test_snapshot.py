"""A whole snapshot: recorded, read as its readers read it, verified, tampered with."""

import asyncio
import csv
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.contract import snapshot_backends as backends

from reprise.cli.snapshot import snapshot as snapshot_command
from reprise.domain import errors
from reprise.snapshot import manifest, recorder, tables, verify


async def take(directory: Path, jaeger: object | None = None, **changes: Any) -> manifest.Manifest:
    return await recorder.record(
        backends.FakeKube(),  # type: ignore[arg-type]
        backends.FakePrometheus(),  # type: ignore[arg-type]
        jaeger or backends.FakeJaeger(),  # type: ignore[arg-type]
        directory,
        dataclasses.replace(backends.REQUEST, **changes),
    )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    asyncio.run(take(tmp_path / "snap"))
    return tmp_path / "snap"


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
        "traces/index.tsv",
        "traces/services.json",
        "traces/traces.jsonl",
        "objects/apps_v1_deployments.json",
        "objects/apps_v1_deployments.table.json",
        "objects/core_v1_namespaces.json",
        "objects/core_v1_namespaces.table.json",
        "objects/core_v1_nodes.json",
        "objects/core_v1_nodes.table.json",
        "objects/core_v1_pods.json",
        "objects/core_v1_pods.table.json",
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
    (pod,) = json.loads((recorded / "objects/core_v1_pods.json").read_text())["items"]
    assert pod["metadata"]["annotations"] == {"plain": "kept"}
    namespaces = json.loads((recorded / "objects/core_v1_namespaces.json").read_text())["items"]
    assert [one["metadata"]["name"] for one in namespaces] == ["shop"]


def test_objects_come_with_their_table(recorded: Path) -> None:
    table = json.loads((recorded / "objects/core_v1_pods.table.json").read_text())
    assert table["columnDefinitions"] == [{"name": "Name"}]
    assert [row["cells"] for row in table["rows"]] == [["cart-1"]]


def test_the_manifest_says_what_is_missing(recorded: Path) -> None:
    found = manifest.from_bytes((recorded / "manifest.json").read_bytes())
    assert [(gap.signal, gap.what) for gap in found.missing] == [("logs", "cart-1/cart (previous)")]
    assert found.timeline["symptomAt"] == "2026-11-21T12:00:40.000000Z"
    assert (found.run_uid, found.seed, found.versions) == ("run-uid", 7, {"application": "2.2.0"})
    rows = {entry.path: entry.rows for entry in found.files}
    assert rows["otel_logs_raw.tsv"] == 2
    assert rows["otel_traces_raw.tsv"] == 1, "one trace over several slices is written once"
    assert rows["metrics/pod_cart-1.tsv"] == 3
    assert found.digest == verify.verify(recorded).digest


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
    assert (tmp_path / "snap.partial").exists(), "what a crash would have left"
    await take(tmp_path / "snap")
    assert verify.verify(tmp_path / "snap").ok
    assert not (tmp_path / "snap.partial").exists()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Refused, match="expected a place to write"):
        await take(tmp_path / "file" / "snap")


async def test_another_runs_folder_is_not_touched(tmp_path: Path) -> None:
    await take(tmp_path / "snap")
    with pytest.raises(errors.Conflict, match="run-uid"):
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
        ["expected schemaVersion 1, found 9"],
    ),
    ("not a mapping", lambda root: (root / "manifest.json").write_text("[]"), ["expected the manifest"]),
    ("a file gone", lambda root: (root / "otel_logs_raw.tsv").unlink(), ["otel_logs_raw.tsv: missing"]),
    ("a file more", lambda root: (root / "truth.json").write_text("{}"), ["truth.json: not listed"]),
    ("the same size", swap_bytes, ["otel_logs_raw.tsv: expected sha256"]),
    ("a row more", append_row, ["bytes, found", "expected sha256", "expected 1 rows, found 2"]),
    ("a wrong count", edit("manifest.json", set_row_count), ["otel_logs_raw.tsv: expected 99 rows, found 2"]),
    ("a path outside", edit("manifest.json", climb), ["../x: expected a path inside"]),
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
    assert "whole: 23 files" in good.output
    shutil.rmtree(recorded / "objects")
    bad = runner.invoke(snapshot_command, ["verify", str(recorded), "-o", "json"])
    assert bad.exit_code == 1
    document = json.loads(bad.output)
    assert document["ok"] is False
    assert len(document["problems"]) == 8
    nothing = runner.invoke(snapshot_command, ["verify", str(tmp_path / "nothing")])
    assert isinstance(nothing.exception, errors.NotFound)


def test_reading_a_table_back(recorded: Path) -> None:
    rows = tables.read_rows(recorded / "otel_logs_raw.tsv")
    assert [tables.unescape(row["Body"]) for row in rows] == ["hello", "plain"]
