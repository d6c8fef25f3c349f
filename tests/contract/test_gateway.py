"""The gateway from outside: who may ask, for how long, and what happens on bad days."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.contract.gateway_fakes import (
    ANSWER,
    OTHER_TOKEN,
    PODS,
    TOKEN,
    Clock,
    Cluster,
    Door,
    attempt,
    door,
    trail,
)

pytestmark = pytest.mark.usefixtures("quick")


# -- who may ask ------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "x", OTHER_TOKEN, TOKEN[:-1], TOKEN + "a"])
@pytest.mark.parametrize("path", [PODS, "/submit", "/instructions", "/prometheus/api/v1/query", "/nothing"])
async def test_without_a_token_of_an_open_attempt_there_is_nothing(gate: Door, token: str, path: str) -> None:
    await gate.stored(phase="Pending")
    status, body = await gate.ask("GET", path, token)
    assert (status, body["kind"], body["reason"]) == (401, "Status", "Unauthorized")
    assert gate.cluster.patches == [{"phase": "Pending"}]


async def test_the_first_request_starts_the_clock(gate: Door) -> None:
    await gate.stored(phase="Pending")
    status, body = await gate.ask("GET", PODS)
    assert status == 200
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b"]
    stored = await gate.stored(phase="Running", requests=1)
    assert stored["startedAt"] == "2026-01-02T13:00:00.000Z"


async def test_the_wall_clock_ends_it(gate: Door) -> None:
    await gate.ask("GET", PODS)
    gate.clock.forward(599)
    assert (await gate.ask("GET", PODS))[0] == 200
    gate.clock.forward(1)
    status, body = await gate.ask("GET", PODS)
    assert status == 401
    assert "600 s" in body["message"]
    stored = await gate.stored(phase="TimedOut")
    assert stored["endedAt"] == "2026-01-02T13:10:00.000Z"
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 410
    assert "submission" not in gate.cluster.attempts["uid-1"]["status"]


async def test_it_ends_without_anybody_asking(gate: Door) -> None:
    await gate.ask("GET", PODS)
    gate.clock.forward(700)
    await gate.stored(phase="TimedOut")


async def test_the_request_budget_ends_it(gate: Door) -> None:
    for _ in range(20):
        assert (await gate.ask("GET", PODS))[0] == 200
    assert (await gate.ask("GET", "/instructions"))[0] == 200
    status, body = await gate.ask("GET", PODS)
    assert (status, body["reason"]) == (429, "TooManyRequests")
    assert "20 requests" in body["message"]
    await gate.stored(phase="TurnsExhausted")
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 410


async def test_who_has_read_all_it_may_can_still_submit(gate: Door) -> None:
    for _ in range(20):
        await gate.ask("GET", PODS)
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 200


async def test_an_attempt_that_nobody_starts_in_time_is_over(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.put(attempt(TOKEN, startBy="2026-01-02T13:00:01Z"))
    clock = Clock()
    async with door(tmp_path, cluster, clock) as gate:
        await gate.stored(phase="Pending")
        clock.forward(2)
        assert (await gate.ask("GET", PODS))[0] == 401
        stored = await gate.stored(phase="TimedOut")
        assert stored.get("startedAt") is None


async def test_the_verdict_is_copied_and_closes_the_door(gate: Door) -> None:
    await gate.ask("GET", PODS)
    obj = gate.cluster.attempts["uid-1"]
    obj["spec"]["verdict"] = {"phase": "AgentFailed", "reason": "EndedWithoutSubmission"}
    gate.cluster.put(obj)
    stored = await gate.stored(phase="AgentFailed")
    assert stored["message"] == "EndedWithoutSubmission"
    assert (await gate.ask("GET", PODS))[0] == 401


async def test_a_deleted_attempt_is_forgotten(gate: Door) -> None:
    assert (await gate.ask("GET", PODS))[0] == 200
    gate.cluster.notify("DELETED", gate.cluster.attempts.pop("uid-1"))
    async with asyncio.timeout(10):
        while (await gate.ask("GET", PODS))[0] != 401:
            pass


async def test_an_attempt_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.attempts["broken"] = {"metadata": {"uid": "broken", "name": "b"}, "spec": {}}
    async with door(tmp_path, cluster, Clock()) as gate:
        assert (await gate.ask("GET", PODS))[0] == 200


# -- bad days ---------------------------------------------------------------------------------------


async def test_the_api_server_is_away_for_a_while(gate: Door) -> None:
    assert (await gate.ask("GET", PODS))[0] == 200
    gate.cluster.down = True
    status, body = await gate.ask("GET", PODS)
    assert status == 503
    assert "etcd" not in json.dumps(body)
    gate.cluster.down = False
    assert (await gate.ask("GET", PODS))[0] == 200


async def test_a_restart_goes_on_where_it_was(tmp_path: Path, cluster: Cluster) -> None:
    clock = Clock()
    async with door(tmp_path, cluster, clock) as gate:
        for _ in range(15):
            await gate.ask("GET", PODS)
        # The last counters were not stored: the trail knows better.
        cluster.attempts["uid-1"]["status"]["requests"] = 2
    clock.forward(100)
    cluster.watchers.clear()
    async with door(tmp_path, cluster, clock) as gate:
        _, left = await gate.ask("GET", "/attempt")
        assert left["left"] == {"requests": 5, "wallClockSeconds": 500.0}
        await gate.ask("GET", PODS)
        await gate.stored(requests=16)
    assert [entry["seq"] for entry in trail(tmp_path)] == list(range(1, 18))


async def test_after_a_restart_an_accepted_submission_still_stands(tmp_path: Path, cluster: Cluster) -> None:
    async with door(tmp_path, cluster, Clock()) as gate:
        await gate.ask("POST", "/submit", json=ANSWER)
    async with door(tmp_path, cluster, Clock()) as gate:
        assert (await gate.ask("POST", "/submit", json={"entities": []}))[0] == 409
    assert cluster.attempts["uid-1"]["status"]["submission"] == ANSWER


async def test_counters_are_stored_now_and_then_and_not_when_nothing_changed(gate: Door) -> None:
    for _ in range(10):
        await gate.ask("GET", PODS)
    await gate.stored(requests=10)
    stored = len(gate.cluster.patches)
    assert stored < 8, "one write a request would be a write too many"
    await asyncio.sleep(0.2)
    assert len(gate.cluster.patches) == stored
