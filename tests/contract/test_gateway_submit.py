"""The gateway from outside: an agent's answer counts once, whatever happens."""

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
)

pytestmark = pytest.mark.usefixtures("quick")


async def test_a_submission_is_stored_before_it_is_accepted_and_counts_once(gate: Door) -> None:
    status, body = await gate.ask("POST", "/submit", json={"entities": [{"name": "otel-demo/netpol/a"}]})
    assert (status, body) == (200, {"accepted": True, "entities": ["otel-demo/NetworkPolicy/a"]})
    stored = gate.cluster.attempts["uid-1"]["status"]
    assert (stored["phase"], stored["submission"]) == ("Submitted", ANSWER)
    assert stored["submittedAt"] == "2026-01-02T13:00:00.000Z"
    assert (await gate.ask("POST", "/submit", json={"entities": []}))[0] == 409
    assert (await gate.ask("GET", PODS))[0] == 401
    assert gate.cluster.attempts["uid-1"]["status"]["submission"] == ANSWER


async def test_of_two_at_once_one_counts(gate: Door) -> None:
    bodies = [{"entities": [f"otel-demo/Pod/{name}"]} for name in "abcd"]
    answers = await asyncio.gather(*(gate.ask("POST", "/submit", json=body) for body in bodies))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]
    (accepted,) = [body["entities"] for status, body in answers if status == 200]
    assert gate.cluster.attempts["uid-1"]["status"]["submission"]["entities"] == accepted


MALFORMED = [
    ("not JSON", b"root cause: the policy", 400, "JSON"),
    ("not UTF-8", b"\xff\xfe\x00", 400, "JSON"),
    ("nested too deeply", b"[" * 200_000, 400, "JSON"),
    ("empty", b"", 400, "JSON"),
    ("a number", b"7", 400, "a number"),
    ("no entities", b"{}", 400, "entities"),
    ("an unknown kind", b'{"entities":["otel-demo/Policy/a"]}', 400, "kubectl api-resources"),
    ("10,000 entities", json.dumps({"entities": ["Node/a"] * 10_000}).encode(), 400, "at most 200"),
    ("300 KiB", b'{"entities":["' + b"a" * 300_000 + b'"]}', 413, "262144"),
    ("another attempt", b'{"attempt":"uid-2","entities":[]}', 403, "another attempt"),
]


@pytest.mark.parametrize(
    ("body", "code", "text"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
async def test_a_malformed_answer_is_refused_and_the_attempt_goes_on(
    gate: Door, body: bytes, code: int, text: str
) -> None:
    status, answer = await gate.ask("POST", "/submit", data=body)
    assert status == code
    assert text in answer["message"]
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 200


async def test_every_problem_is_told_at_once(gate: Door) -> None:
    _, answer = await gate.ask("POST", "/submit", json={"entities": ["a", "x/Foo/b", 7]})
    assert [problem[:12] for problem in answer["problems"][:3]] == [f"entities[{n}]:"[:12] for n in range(3)]


async def test_another_attempts_token_submits_for_that_attempt_only(tmp_path: Path, cluster: Cluster) -> None:
    cluster.put(attempt(OTHER_TOKEN, "uid-2"))
    async with door(tmp_path, cluster, Clock()) as gate:
        named = {"attempt": "uid-1", **ANSWER}
        assert (await gate.ask("POST", "/submit", OTHER_TOKEN, json=named))[0] == 403
        assert (await gate.ask("POST", "/submit", OTHER_TOKEN, json=ANSWER))[0] == 200
        assert "submission" not in cluster.attempts["uid-1"].get("status", {})
        assert (await gate.ask("GET", PODS))[0] == 200


async def test_a_submission_that_cannot_be_stored_is_not_accepted(gate: Door) -> None:
    await gate.ask("GET", PODS)
    gate.cluster.down = True
    status, body = await gate.ask("POST", "/submit", json=ANSWER)
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    gate.cluster.down = False
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 200


async def test_a_submission_whose_answer_was_lost_still_counts_once(gate: Door) -> None:
    await gate.ask("GET", PODS)
    gate.cluster.answers = asyncio.Event()
    gate.cluster.answers.set()
    assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 503
    gate.cluster.answers = None
    assert (await gate.ask("POST", "/submit", json={"entities": []}))[0] == 409
    stored = await gate.stored(phase="Submitted")
    assert stored["submission"] == ANSWER


async def test_an_agent_that_hangs_up_while_submitting_has_submitted(gate: Door) -> None:
    await gate.ask("GET", PODS)
    gate.cluster.answers = asyncio.Event()
    submitting = asyncio.create_task(gate.ask("POST", "/submit", json=ANSWER))
    await asyncio.wait_for(gate.cluster.stored.wait(), 10)
    submitting.cancel()
    gate.cluster.answers.set()
    gate.cluster.answers = None
    async with asyncio.timeout(10):
        while (await gate.ask("GET", PODS))[0] != 401:
            pass
    assert (await gate.ask("POST", "/submit", json={"entities": []}))[0] == 409
    stored = gate.cluster.attempts["uid-1"]["status"]
    assert (stored["phase"], stored["submission"]) == ("Submitted", ANSWER)


async def test_what_another_gateway_has_done_stands(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.put(attempt(TOKEN, startBy="2026-01-02T13:00:10Z"))
    clock = Clock()
    async with door(tmp_path, cluster, clock) as gate:
        await gate.stored(phase="Pending")
        obj = cluster.attempts["uid-1"]
        obj["status"] = {"phase": "Running", "startedAt": "2026-01-02T13:00:05Z", "requests": 7}
        cluster.put(obj)
        clock.forward(20)
        # Later than startBy, and yet not late: somebody has come in time, elsewhere.
        async with asyncio.timeout(10):
            while (await gate.ask("GET", "/attempt"))[1].get("phase") != "Running":
                pass
        assert obj["status"]["requests"] == 7
        obj["status"] = {**obj["status"], "phase": "Submitted", "submission": ANSWER}
        cluster.put(obj)
        async with asyncio.timeout(10):
            while (await gate.ask("POST", "/submit", json={"entities": []}))[0] != 409:
                pass
        assert obj["status"]["submission"] == ANSWER


async def test_nobody_learns_from_the_answer_whether_it_is_right(gate: Door) -> None:
    _, body = await gate.ask("POST", "/submit", json=ANSWER)
    assert set(body) == {"accepted", "entities"}
