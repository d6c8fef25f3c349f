"""Snapshots tampered with, cut off or telling too much: what `reprise snapshot verify` and `scan` find."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.contract.snapshot_taking import OBJECTS, recorded

from reprise.cli.snapshot import snapshot as snapshot_command
from reprise.domain import errors
from reprise.snapshot import private, verify

__all__ = ["recorded"]


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
