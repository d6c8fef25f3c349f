"""The audit trail: appended, numbered on after a restart, whole after a crash."""

import json
from pathlib import Path

from reprise.gateway import audit

UID = "4d1f"


def entry(seq: int, path: str = "/api/v1/pods", decision: str = "allow") -> audit.Entry:
    return audit.Entry(
        time="2026-01-01T00:00:00Z",
        attempt=UID,
        seq=seq,
        turn="3",
        verb="list",
        resource="pods",
        path=path,
        status=200,
        bytes=10,
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
    assert second.totals == audit.Totals(last_seq=4, counted=3, denied=1)
    second.close()


def test_a_line_cut_short_by_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / f"{UID}.jsonl"
    whole = audit.Trail(tmp_path, UID)
    whole.write(entry(1))
    whole.close()
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "pa')
    again = audit.Trail(tmp_path, UID)
    assert again.totals.last_seq == 1
    again.write(entry(2))
    again.close()
    lines = path.read_text().splitlines()
    assert [json.loads(line)["seq"] for line in (lines[0], lines[2])] == [1, 2]
