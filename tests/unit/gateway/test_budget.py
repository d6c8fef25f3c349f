"""When an attempt is over."""

from datetime import UTC, datetime, timedelta

import pytest

from reprise.domain.budget import Budget, Loop, Phase, Spent, Usage, decide, explain, left

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


FULL = Budget(60, 10, turns=5, tokens=100, cost_usd=0.5, loop=Loop(3, 4))


def spent(**used: float) -> Spent:
    counts = {name: used.pop(name) for name in ("requests", "repeats") if name in used}
    usage = Usage(**used)  # type: ignore[arg-type]
    return Spent(Phase.RUNNING, T0, **{"requests": 1, **counts}, usage=usage)  # type: ignore[arg-type]


LIMITS = [
    (
        "all used up",
        spent(requests=10, turns=5, tokens_in=60, tokens_out=40, cost_usd=0.5),
        Phase.RUNNING,
        "runs",
    ),
    ("a request too many", spent(requests=11), Phase.TURNS_EXHAUSTED, "10 requests"),
    ("a turn too many", spent(turns=6), Phase.TURNS_EXHAUSTED, "5 turns"),
    ("a token too many, in", spent(tokens_in=101), Phase.TURNS_EXHAUSTED, "100 tokens"),
    ("a token too many, out", spent(tokens_in=60, tokens_out=41), Phase.TURNS_EXHAUSTED, "101 were reported"),
    ("cached ones are among those in", spent(tokens_in=60, tokens_cached=60), Phase.RUNNING, "runs"),
    ("a cent too many", spent(cost_usd=0.51), Phase.TURNS_EXHAUSTED, "0.5 USD"),
    ("three times the same", spent(repeats=3), Phase.RUNNING, "runs"),
    ("four times the same", spent(repeats=4), Phase.LOOP_STOPPED, "4 times in a row"),
    ("a budget goes before a loop", spent(repeats=9, turns=6), Phase.TURNS_EXHAUSTED, "5 turns"),
]


@pytest.mark.parametrize(
    ("used", "phase", "text"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS]
)
def test_each_limit_has_its_phase_and_its_words(used: Spent, phase: Phase, text: str) -> None:
    assert decide(FULL, used, None, None, at(1)) is phase
    assert text in explain(phase, FULL, used)
    # Time goes before everything, and what is not limited ends nothing.
    assert decide(FULL, used, None, None, at(60)) is Phase.TIMED_OUT
    if used.requests <= 10:
        assert decide(BUDGET, used, None, None, at(1)) is Phase.RUNNING


def test_what_is_left() -> None:
    used = spent(requests=3, turns=9, tokens_in=1, tokens_out=2, cost_usd=0.1)
    assert left(FULL, used, at(5)) == {
        "requests": 7, "wallClockSeconds": 55.0, "turns": 0, "tokens": 97, "costUSD": 0.4,
    }  # fmt: skip
    assert set(left(BUDGET, used, at(999))) == {"requests", "wallClockSeconds"}
    assert left(BUDGET, PENDING, at(999))["wallClockSeconds"] == 60
