"""Which parts of a BenchmarkRun go with which mode: the same as the CRD's rules, for stored objects."""

from typing import Any

import pytest

from reprise.adapters.wire import benchmark_run
from reprise.domain import errors
from reprise.domain.run import Mode


def read(spec: dict[str, Any]) -> Any:
    meta = {
        "name": "r", "namespace": "default", "uid": "u", "creationTimestamp": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    return benchmark_run.from_object({"metadata": meta, "spec": spec}).spec


def test_both_modes() -> None:
    live, replay = read({"scenario": "known"}), read({"mode": "replay", "snapshot": {"source": "x"}})
    assert (live.mode, live.scenario, live.source) == (Mode.LIVE, "known", "")
    assert (replay.mode, replay.scenario, replay.source) == (Mode.REPLAY, "", "x")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "scenario: expected one with mode live"),
        ({"scenario": "known", "snapshot": {"source": "x"}}, "snapshot.source: expected none with mode live"),
        ({"mode": "replay"}, "snapshot.source: expected one with mode replay"),
        (
            {"mode": "replay", "scenario": "known", "snapshot": {"source": "x"}},
            "scenario: expected none with mode replay",
        ),
        (
            {"mode": "replay", "snapshot": {"source": "x"}, "agent": {"kind": "external"}},
            "agent.kind: expected one that runs in the cluster",
        ),
        ({"mode": "replay", "snapshot": {"source": "../x"}}, "snapshot.source"),
    ],
)
def test_what_does_not_fit(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        read(spec)
