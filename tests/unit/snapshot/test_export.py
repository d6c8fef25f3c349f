"""Exports: read back with the readers of the other side."""

import base64
import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fakes import snapshot_v2

from reprise.cli import snapshot_export
from reprise.cli.snapshot import snapshot as command
from reprise.domain import errors
from reprise.snapshot import export, reader
from reprise.snapshot.export import otlp, parquet

ROOT = Path(__file__).parents[3]
LINE = b"2026-11-21T12:00:01.000000002Z "
TEXTS = [b'tab\there \\ "quoted" \xe2\x80\xa8', b"\xff\xfe\x00", b"", b"x" * (10 << 20)]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Twenty traces, and a pod that writes what no format likes."""

    def add(build: snapshot_v2.Builder) -> None:
        build.chunks("logs/shop/cart-5d-abcde/cart.log", [LINE + text + b"\n" for text in TEXTS])

    return snapshot_v2.make(tmp_path / "a", more=add)


# -- all formats ------------------------------------------------------------------------------------------


def test_the_command_offers_what_there_is() -> None:
    assert set(snapshot_export.FORMATS) == set(export.FORMATS)


@pytest.mark.parametrize("form", export.FORMATS)
def test_the_same_bytes_twice(snapshot: Path, tmp_path: Path, form: str) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    names = export.export(snapshot, form, first)
    assert names == export.export(snapshot, form, second)
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []
    with pytest.raises(errors.Conflict):
        export.export(snapshot, form, first)


@pytest.mark.parametrize("form", export.FORMATS)
def test_damaged_snapshots_are_not_exported(snapshot: Path, tmp_path: Path, form: str) -> None:
    (snapshot / "topology.json").write_bytes(b"{}")
    with pytest.raises(errors.Corrupt, match="only a whole snapshot"):
        export.export(snapshot, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_failure_leaves_nothing(tmp_path: Path, form: str) -> None:
    """Whole by its digests, and still no trace, no alert and no topology inside."""

    def add(build: snapshot_v2.Builder) -> None:
        build.files = [
            item for item in build.files if item["path"] not in ("topology.json", "traces/traces.jsonl")
        ]
        build.lines("traces/traces.jsonl", [{"traceID": "1"}])

    snapshot = snapshot_v2.make(tmp_path / "a", more=add)
    with pytest.raises(errors.RepriseError):
        export.export(snapshot, form, tmp_path / "out" / form)
    assert list((tmp_path / "out").iterdir()) == []


def test_no_such_format(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="itbench, parquet, otlp"):
        export.export(snapshot, "csv", tmp_path / "out")


def test_the_command(snapshot: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        command, ["export", str(snapshot), "--format", "otlp", "--out", str(tmp_path / "out")]
    )
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in ("logs.jsonl", "traces.jsonl")]


# -- itbench ----------------------------------------------------------------------------------------------


def test_itbench_has_the_flat_layout(snapshot: Path, tmp_path: Path) -> None:
    names = export.export(snapshot, "itbench", tmp_path / "out")
    assert names == [
        "alerts/alerts_at_2026-11-21T12-03-20.000000.json",
        "k8s_events_raw.tsv",
        "k8s_objects_raw.tsv",
        "metrics/pod_cart-1.tsv",
        "otel_logs_raw.tsv",
        "otel_traces_raw.tsv",
        "topology.json",
    ]
    with (tmp_path / "out" / "otel_traces_raw.tsv").open(newline="") as data:
        row = next(csv.DictReader(data, delimiter="\t"))
    assert json.loads(row["SpanAttributes"]) == {"a": "b"}
    alert = json.loads((tmp_path / "out" / names[0]).read_text())[0]
    assert {"labels", "annotations", "state", "activeAt", "value"} <= alert.keys()
    edges = json.loads((tmp_path / "out" / "topology.json").read_text())["edges"]
    assert {edge["relation"] for edge in edges} >= {"calls"}


BAD_TABLES = {
    "a Go map": ("otel_traces_raw.tsv", b"Timestamp\tSpanAttributes\nt\tmap[a:b]\n", "SpanAttributes"),
    "a list": ("otel_logs_raw.tsv", b"Timestamp\tLogAttributes\nt\t[]\n", "LogAttributes"),
    "a short row": ("k8s_objects_raw.tsv", b"timestamp\tbody\nt\n", "body"),
    "no UTF-8": ("k8s_events_raw.tsv", b"Timestamp\tBody\n\xff\t{}\n", "UTF-8"),
}


@pytest.mark.parametrize(("name", "data", "match"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_itbench_wants_json_in_map_cells(tmp_path: Path, name: str, data: bytes, match: str) -> None:
    def add(build: snapshot_v2.Builder) -> None:
        build.files = [item for item in build.files if item["path"] != name]
        build.chunks(name, [data])

    snapshot = snapshot_v2.make(tmp_path / "a", more=add)
    with pytest.raises(errors.Corrupt, match=match):
        export.export(snapshot, "itbench", tmp_path / "out")


# -- parquet ----------------------------------------------------------------------------------------------


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


def test_parquet_has_every_record(snapshot: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = export.export(snapshot, "parquet", out)
    assert names == sorted(f"{name}.parquet" for name in parquet.COLUMNS)
    spans = rows(out, "spans")
    assert len(spans) == 20 * snapshot_v2.SPANS_PER_TRACE
    failed = [span for span in spans if span["status"] == "ERROR" and span["service"] == "cart"]
    assert len(failed) == 10
    assert dict(failed[0]["attributes"])["http.response.status_code"] == "500"
    assert dict(failed[0]["resource"]) == {"k8s.namespace.name": "shop"}
    assert spans[0]["start"] == snapshot_v2.BASELINE
    samples = rows(out, "metrics")
    assert [(s["value"], s["stale"]) for s in samples if s["value"] == s["value"]] == [
        (1.0, False),
        (None, True),
    ]
    assert [e["count"] for e in rows(out, "events")] == [2, 7]
    assert {e["message"] for e in rows(out, "events")} == {"back\toff\nagain"}
    assert {o["observation"] for o in rows(out, "objects")} == {
        "BASE",
        "ADDED",
        "MODIFIED",
        "DELETED",
        "RECORDED",
    }
    assert [(a["source"], a["name"]) for a in rows(out, "alerts")] == [
        ("recorded", "HighRequestErrorRate"),
        ("history", "HighRequestErrorRate"),
    ]
    assert {e["p95_ms"] for e in rows(out, "edges") if e["relation"] == "calls"} == {4.5}


def test_parquet_keeps_lines_that_no_format_likes(snapshot: Path, tmp_path: Path) -> None:
    export.export(snapshot, "parquet", tmp_path / "out")
    lines = [line for line in rows(tmp_path / "out", "logs") if line["pod"] == "cart-5d-abcde"]
    assert [line["body"] for line in lines] == [
        TEXTS[0].decode(),
        "\\xff\\xfe\x00",
        "",
        TEXTS[3].decode(),
    ]
    assert [line["line"] for line in lines] == [1, 2, 3, 4]
    assert {line["time_ns"] % 1_000_000_000 for line in lines} == {2}


def test_parquet_goes_out_in_groups(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 50)
    export.export(snapshot, "parquet", tmp_path / "out")
    found = pq.ParquetFile(tmp_path / "out" / "spans.parquet")
    assert [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)] == [50, 50, 40]


def test_parquet_without_its_module(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.Unsupported, match=r"reprise\[parquet\]"):
        export.export(snapshot, "parquet", tmp_path / "out")


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("three_queries", ROOT / "examples" / "three_queries.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_answers_its_questions(snapshot: Path, tmp_path: Path) -> None:
    export.export(snapshot, "parquet", tmp_path / "out")
    failing, changed, wrote = example().ask(tmp_path / "out").values()
    assert failing[0][:3] == ("cart", 20, 50.0)
    assert [(row[1], row[3]) for row in changed] == [
        ("MODIFIED", "flagd-config"),
        ("ADDED", "cart-ingress"),
        ("MODIFIED", "cart"),
        ("DELETED", "cart-5d-00001"),
        ("ADDED", "cart-6f-00001"),
    ]
    assert [row[0] for row in wrote] == ["cart-5d-abcde"]
    with duckdb.connect() as database:
        found = database.sql(f"SELECT attributes['url.path'] FROM '{tmp_path}/out/spans.parquet' LIMIT 1")  # noqa: S608
        assert found.fetchall() == [("/api/cart?session=1&currency=USD",)]


# -- otlp -------------------------------------------------------------------------------------------------


def for_protobuf(line: str) -> str:
    """Protobuf's JSON has bytes as base64 where OTLP/JSON has hex."""
    document = json.loads(line)

    def convert(value: Any) -> None:
        if isinstance(value, list):
            for entry in value:
                convert(entry)
        elif isinstance(value, dict):
            for key, entry in value.items():
                if key in ("traceId", "spanId", "parentSpanId"):
                    value[key] = base64.b64encode(bytes.fromhex(entry)).decode()
                else:
                    convert(entry)

    convert(document)
    return json.dumps(document)


def test_otlp_traces_are_export_requests(snapshot: Path, tmp_path: Path) -> None:
    export.export(snapshot, "otlp", tmp_path / "out")
    lines = (tmp_path / "out" / "traces.jsonl").read_text().splitlines()
    assert len(lines) == 20
    requests = [json_format.Parse(for_protobuf(line), ExportTraceServiceRequest()) for line in lines]
    spans = [
        (block.resource.attributes[0].value.string_value, span)
        for request in requests
        for block in request.resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    ]
    original = list(reader.open_snapshot(snapshot).traces())
    assert len(spans) == 20 * snapshot_v2.SPANS_PER_TRACE
    assert {service for service, _ in spans} == {"frontend", "cart", "checkout", "payment"}
    root = next(span for service, span in spans if not span.parent_span_id)
    assert root.trace_id.hex() == original[0]["traceID"]
    assert root.start_time_unix_nano == original[0]["spans"][0]["startTime"] * 1000
    assert root.end_time_unix_nano - root.start_time_unix_nano == original[0]["spans"][0]["duration"] * 1000
    assert root.kind == root.SPAN_KIND_SERVER
    broken = [span for service, span in spans if service == "cart" and span.status.code == 2]
    assert len(broken) == 10
    assert broken[0].attributes[0].value.int_value == 500
    assert broken[0].events[0].name == "x"


def test_otlp_values_keep_their_types() -> None:
    tags = [
        {"key": "b", "type": "bool", "value": True},
        {"key": "i", "type": "int64", "value": 2**60},
        {"key": "f", "type": "float64", "value": 0.5},
        {"key": "y", "type": "binary", "value": "AAE="},
        {"key": "s", "type": "string", "value": "ä\n"},
    ]
    span = {
        "traceID": "ab", "spanID": "cd", "operationName": "o", "startTime": 1, "duration": 0, "tags": tags,
        "references": [
            {"refType": "FOLLOWS_FROM", "traceID": "ab", "spanID": "1"},
            {"refType": "CHILD_OF", "traceID": "ab", "spanID": "2"},
            {"refType": "CHILD_OF", "traceID": "ab", "spanID": "3"},
        ],
        "processID": "p",
    }  # fmt: skip
    trace = {"traceID": "ab", "spans": [span], "processes": {"p": {"serviceName": "s", "tags": None}}}
    line = json.dumps(otlp.traces_request(trace))
    made = (
        json_format.Parse(for_protobuf(line), ExportTraceServiceRequest())
        .resource_spans[0]
        .scope_spans[0]
        .spans[0]
    )
    values = {item.key: item.value for item in made.attributes}
    assert (values["b"].bool_value, values["i"].int_value, values["f"].double_value) == (True, 2**60, 0.5)
    assert (values["y"].bytes_value, values["s"].string_value) == (b"\x00\x01", "ä\n")
    assert made.trace_id == bytes(15) + b"\xab"
    assert (made.parent_span_id[-1], [link.span_id[-1] for link in made.links]) == (2, [1, 3])


def test_otlp_logs_are_export_requests(snapshot: Path, tmp_path: Path) -> None:
    export.export(snapshot, "otlp", tmp_path / "out")
    bodies = []
    with (tmp_path / "out" / "logs.jsonl").open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            request = json_format.Parse(for_protobuf(line), ExportLogsServiceRequest())
            for block in request.resource_logs:
                names = {item.key: item.value.string_value for item in block.resource.attributes}
                if names["k8s.pod.name"] == "cart-5d-abcde":
                    records = block.scope_logs[0].log_records
                    bodies += [r.body.bytes_value or r.body.string_value.encode() for r in records]
                    assert {r.time_unix_nano % 1_000_000_000 for r in records} == {2}
    assert bodies == TEXTS


TIMES = {
    "2026-11-21T12:00:00Z": 0,
    "2026-11-21T12:00:00.1Z": 100_000_000,
    "2026-11-21T12:00:00.123456789Z": 123_456_789,
    "2026-11-21T13:00:00.000001+01:00": 1000,
}


@pytest.mark.parametrize(("text", "nanos"), TIMES.items())
def test_nanoseconds(text: str, nanos: int) -> None:
    assert otlp.nanoseconds(text) == int(snapshot_v2.BASELINE.timestamp()) * 1_000_000_000 + nanos


@pytest.mark.parametrize("text", ["", "noon", "2026-11-21T12:00:00"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(errors.Corrupt, match=r"RFC 3339|its zone"):
        otlp.nanoseconds(text)
