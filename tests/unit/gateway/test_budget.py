"""When an attempt is over."""

from datetime import UTC, datetime, timedelta

import pytest

from reprise.domain.budget import Budget, Phase, Spent, decide

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET = Budget(wall_clock_seconds=60, requests=10)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


RUNNING = Spent(Phase.RUNNING, T0, 1)
PENDING = Spent(Phase.PENDING, None, 0)
TABLE = [
    ("nobody has come", PENDING, None, None, at(9999), Phase.PENDING),
    ("nobody has come by then", PENDING, at(30), None, at(30), Phase.TIMED_OUT),
    ("somebody may still come", PENDING, at(30), None, at(29), Phase.PENDING),
    ("works", RUNNING, at(30), None, at(59), Phase.RUNNING),
    ("the wall clock is over", RUNNING, None, None, at(60), Phase.TIMED_OUT),
    ("used every request", Spent(Phase.RUNNING, T0, 10), None, None, at(1), Phase.RUNNING),
    ("one request too many", Spent(Phase.RUNNING, T0, 11), None, None, at(1), Phase.TURNS_EXHAUSTED),
    ("submitted stays", Spent(Phase.SUBMITTED, T0, 99), None, None, at(999), Phase.SUBMITTED),
    ("exhausted stays", Spent(Phase.TURNS_EXHAUSTED, T0, 11), None, None, at(999), Phase.TURNS_EXHAUSTED),
    ("the verdict wins", Spent(Phase.SUBMITTED, T0, 1), None, Phase.SCORED, at(1), Phase.SCORED),
    ("the verdict ends what runs", RUNNING, None, Phase.AGENT_FAILED, at(1), Phase.AGENT_FAILED),
]


@pytest.mark.parametrize(
    ("spent", "start_by", "verdict", "now", "expected"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_phase(
    spent: Spent, start_by: datetime | None, verdict: Phase | None, now: datetime, expected: Phase
) -> None:
    assert decide(BUDGET, spent, start_by, verdict, now) is expected
