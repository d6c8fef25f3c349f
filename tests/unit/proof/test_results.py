"""Results survive a broken-off proof, and say what is wrong with a file that is none."""

import json
from pathlib import Path

import pytest

from reprise.domain import errors, proof
from reprise.proof import copies, results

ONE = proof.Proof(
    "shipping-gone",
    proof.Verdict.PROVEN,
    "",
    ("workload-scaled-to-zero",),
    "otel-demo",
    1,
    "abc",
    (proof.Check("recovered", True, "Completed"),),
    (proof.Seen("nothing stands behind it", 14.5, "alert"),),
    ("otel-demo/Deployment/shipping",),
    (),
    14.5,
    53.0,
    95.0,
    "2026-01-01T00:00:00+00:00",
    proof.Leak(299, 295, ("'kopf' (a name of ours) in GET /apis",), 7.2),
    "0b1c",
    proof.Yardstick(1.0, ("otel-demo/Deployment/shipping",), 23, 1.04, ("it (scaled-to-zero, 0.95): 0",)),
)


def test_round_trip_and_the_newest_counts(tmp_path: Path) -> None:
    path = tmp_path / "state" / "proof.jsonl"
    failed = proof.Proof("shipping-gone", proof.Verdict.FAILED, "no symptom")
    for result in (failed, ONE):
        results.append(path, result)
    assert results.load(path) == {"shipping-gone": ONE}


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    results.append(path, ONE)
    with path.open("a") as out:
        out.write('{"scenario": "cart-')
    assert results.load(path) == {"shipping-gone": ONE}


def test_other_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    path.write_text("hello\n")
    results.append(path, ONE)
    with pytest.raises(errors.Corrupt, match=r"proof\.jsonl:1"):
        results.load(path)


def test_copies_are_called_as_a_team_would_call_them() -> None:
    assert copies.names(3) == ("otel-demo", "otel-demo-2", "otel-demo-3")


def test_a_result_from_before_there_was_a_hunt_or_a_yardstick_is_read(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    old = results.to_json(ONE)
    del old["leak"], old["yardstick"]
    path.write_text(json.dumps(old) + "\n")
    found = results.load(path)["shipping-gone"]
    assert (found.leak, found.yardstick) == (None, None)
