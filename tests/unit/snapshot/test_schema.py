"""The JSON Schema of the format: what the recorder writes fits, what is wrong is named with its place."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.fakes import snapshot_v2

from reprise.domain import errors
from reprise.snapshot import schema


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.document())


@pytest.mark.parametrize("faulty", [True, False])
def test_a_snapshot_fits(tmp_path: Path, faulty: bool) -> None:
    assert schema.schema_problems(snapshot_v2.make(tmp_path / "a", faulty=faulty, traces=300)) == []


def replaced(path: str, value: Any) -> Any:
    def add(build: snapshot_v2.Builder) -> None:
        build.files = [item for item in build.files if item["path"] != path]
        write = build.lines if path.endswith(".jsonl") else build.json
        write(path, value)

    return add


HEAD = {"apiVersion": "v1", "kind": "PodList"}
WRONG: dict[str, tuple[str, Any, str]] = {
    "alert": (
        "alerts/alerts_at_2026-11-21T12-03-20.000000.json",
        [{"labels": {}}],
        "'alertname' is a required",
    ),
    "state": ("alerts/history.json", [{"state": "odd"}], "'odd' is not one of"),
    "rules": ("alerts/rules.json", [], "is not of type 'object'"),
    "head": ("objects/core~v1~pods.jsonl", [HEAD], "core~v1~pods.jsonl:1: $: 'itemKind' is a required"),
    "history": ("history/core~v1~pods.jsonl", [{"type": "SYNC"}], "core~v1~pods.jsonl:1: $.type: 'SYNC'"),
    "series": ("metrics/series.jsonl", [{"metric": {}, "t": [1], "v": ["one"]}], "$.v[0]"),
    "numbers": ("metrics/series.jsonl", [{"metric": {}, "t": [1], "v": [1]}], "$.v[0]"),
    "trace": ("traces/traces.jsonl", [{"traceID": "x", "spans": [], "processes": {}}], "$.traceID"),
    "services": ("traces/services.json", {"services": [1]}, "$.services[0]"),
    "topology": (
        "topology.json",
        {"nodes": [], "edges": [{"source": "a", "relation": "likes", "target": "b"}]},
        "likes",
    ),
    "api": ("api/version.json", [], "api/version.json: $"),
    "unknown": ("notes/mine.json", {}, "one that it does not know"),
}


@pytest.mark.parametrize(("path", "value", "problem"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(tmp_path: Path, path: str, value: Any, problem: str) -> None:
    folder = snapshot_v2.make(tmp_path / "a", more=replaced(path, value))
    found = schema.schema_problems(folder)
    assert any(problem in text for text in found), found
    assert all(text.startswith(path) for text in found)


def test_lines_far_down_are_looked_at_too(tmp_path: Path) -> None:
    good = {"metric": {"__name__": "up"}, "t": [1], "v": ["1"]}
    lines = [good] * (schema.FIRST_LINES + schema.STRIDE - 1) + [{**good, "v": [""]}]
    folder = snapshot_v2.make(tmp_path / "a", more=replaced("metrics/series.jsonl", lines))
    assert [text.split(":")[1] for text in schema.schema_problems(folder)] == [str(len(lines))]


def test_broken_lines_and_every_file_at_once(tmp_path: Path) -> None:
    def add(build: snapshot_v2.Builder) -> None:
        replaced("topology.json", {})(build)
        build.files = [item for item in build.files if item["path"] != "metrics/series.jsonl"]
        build.chunks("metrics/series.jsonl", [b"{\n"])

    found = schema.schema_problems(snapshot_v2.make(tmp_path / "a", more=add))
    assert [text.split(":")[0] for text in found] == [
        "metrics/series.jsonl",
        "topology.json",
        "topology.json",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"run": {"uid": "x"}},
        {"id": "no-hex"},
        {"seed": "7"},
        {"timeline": {"baselineAt": "yesterday"}},
        {"missing": [{}]},
    ],
)
def test_the_manifest(tmp_path: Path, more: dict[str, Any]) -> None:
    folder = snapshot_v2.make(tmp_path / "a")
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**document, **more}))
    found = schema.schema_problems(folder)
    assert found
    assert all(text.startswith("manifest.json: $") for text in found)


def test_the_private_part(tmp_path: Path) -> None:
    build = snapshot_v2.Builder(tmp_path / "a.private")
    run = {"namespace": "default", "name": "one", "uid": "u"}
    empty: list[Any] = []
    build.json(
        "private.json",
        {"run": run, "scenario": {}, "truth": empty, "plan": empty, "injector": empty, "mechanisms": empty},
    )
    build.finish()
    assert schema.schema_problems(build.folder) == []
    replaced("private.json", {"run": run})(build)
    build.finish()
    assert len(schema.schema_problems(build.folder)) == 5


def test_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        schema.schema_problems(tmp_path)
