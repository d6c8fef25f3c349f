"""The audit trail: appended, numbered on after a restart, whole after a crash."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from reprise.domain import chain
from reprise.domain.budget import Usage
from reprise.gateway import audit

UID = "4d1f"


def entry(seq: int, path: str = "/api/v1/pods", decision: str = "allow") -> audit.Entry:
    return audit.Entry(
        time="2026-01-01T00:00:00Z",
        attempt=UID,
        seq=seq,
        turn="3",
        tool="kubectl",
        verb="list",
        resource="pods",
        path=path,
        arguments={"limit": "500"},
        status=200,
        bytes=10,
        digest=chain.digest(b"0123456789"),
        duration_seconds=0.5,
        decision=decision,
        reason="",
        justification="ünïcode",
    )


def test_every_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    trail = audit.Trail(tmp_path / "audit", UID)
    trail.write(entry(1))
    (line,) = (tmp_path / "audit" / f"{UID}.jsonl").read_text().splitlines()
    assert json.loads(line)["justification"] == "ünïcode"
    trail.close()


def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    first = audit.Trail(tmp_path, UID)
    for one in (entry(1), entry(2, "/instructions"), entry(3, decision="deny"), entry(4), entry(4)):
        first.write(one)
    first.close()
    second = audit.Trail(tmp_path, UID)
    assert second.totals == audit.Totals(last_seq=4, counted=3, free=1, denied=1)
    second.close()


def test_a_restart_goes_on_with_what_the_harness_reported(tmp_path: Path) -> None:
    first = audit.Trail(tmp_path, UID)
    for usage in (Usage(turns=2, tokens_in=10), Usage(turns=1, cost_usd=0.5)):
        first.write(dataclasses.replace(entry(1), usage=usage))
    first.close()
    second = audit.Trail(tmp_path, UID)
    assert second.totals.usage == Usage(turns=2, tokens_in=10, cost_usd=0.5)
    second.close()


def checked(path: Path, anchor: chain.Anchor | None = None) -> chain.Check:
    return chain.check(path.read_bytes().splitlines(keepends=True), UID, anchor)


@pytest.mark.parametrize("kept", [1, 20, 300, -2, -1])
def test_a_line_cut_short_by_a_crash_is_recorded_and_the_chain_goes_on(tmp_path: Path, kept: int) -> None:
    path = tmp_path / f"{UID}.jsonl"
    trail = audit.Trail(tmp_path, UID)
    trail.write(entry(1))
    before = path.stat().st_size
    trail.write(entry(2))
    trail.close()
    line = path.read_bytes()[before:]
    with path.open("r+b") as file:
        file.truncate(before + len(line[:kept]))
    assert not checked(path).whole
    again = audit.Trail(tmp_path, UID)
    again.write(entry(3))
    again.close()
    found = checked(path)
    assert found.problems == []
    # Without nothing but its end, the line itself is whole.
    assert found.recovered == ([] if kept == -1 else [3])
    assert again.totals.last_seq == (2 if kept == -1 else 1)
    assert (again.lines, again.head) == (found.lines, found.head)


def test_what_was_cut_off_while_no_gateway_ran_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / f"{UID}.jsonl"
    trail = audit.Trail(tmp_path, UID)
    for seq in (1, 2, 3):
        trail.write(entry(seq))
    trail.close()
    anchor = chain.Anchor(trail.lines, trail.head)
    whole = path.read_bytes().splitlines(keepends=True)
    audit.Trail(tmp_path, UID, anchor).close()
    assert path.read_bytes().splitlines(keepends=True) == whole
    path.write_bytes(b"".join(whole[:2]))
    again = audit.Trail(tmp_path, UID, anchor)
    again.write(entry(4))
    again.close()
    # The chain itself is whole, and the status moves on: only the record is left.
    (problem,) = checked(path, chain.Anchor(again.lines, again.head)).problems
    assert (problem.line, "missing when the gateway started" in problem.text) == (3, True)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = audit.Trail(tmp_path, UID)
    trail.write(entry(1))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    with pytest.raises(OSError, match="room"):
        trail.write(entry(2))
    monkeypatch.undo()
    trail.write(entry(2))
    trail.close()
    found = checked(tmp_path / f"{UID}.jsonl")
    assert (found.lines, found.problems) == (2, [])


def test_bytes_that_are_no_text_are_written_down_like_any_other(tmp_path: Path) -> None:
    trail = audit.Trail(tmp_path, UID)
    trail.write(dataclasses.replace(entry(1), turn="\udcff"))
    trail.close()
    path = tmp_path / f"{UID}.jsonl"
    assert json.loads(path.read_bytes())["turn"] == "\udcff"
    assert checked(path).whole
