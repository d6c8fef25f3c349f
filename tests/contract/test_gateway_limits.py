"""Limits of an attempt and what a harness reports, from outside."""

import errno
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.contract.gateway_fakes import TOKEN, Clock, Cluster, Door, attempt, door

from reprise.domain import chain
from reprise.gateway import registry as registries

PODS = "/api/v1/namespaces/otel-demo/pods"
ANSWER = {"entities": ["otel-demo/NetworkPolicy/a"]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr("reprise.gateway.session.PERSIST_SECONDS", 0.05)


@asynccontextmanager
async def gate_with(
    directory: Path, backends: web.Application | None = None, **budgets: Any
) -> AsyncIterator[Door]:
    cluster = Cluster()
    cluster.put(attempt(TOKEN, budgets={"wallClockSeconds": 600, "requests": 100, **budgets}))
    async with door(directory, cluster, Clock(), backends) as made:
        yield made


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "audit" / "uid-1.jsonl").read_text().splitlines()]


# -- budgets that a harness reports -----------------------------------------------------------------

REPORTED = {
    "turns": ({"turns": 3}, {"X-Turn": "3"}, {"X-Turn": "4"}, "3 turns"),
    "tokens": (
        {"tokens": 100},
        {"X-Tokens-In": "60", "X-Tokens-Out": "40", "X-Tokens-Cached": "50"},
        {"X-Tokens-Out": "41"},
        "100 tokens is spent: 101",
    ),
    "cost": ({"costUSD": 0.5}, {"X-Cost-USD": "0.5"}, {"X-Cost-USD": "0.501"}, "0.5 USD is spent: 0.501"),
}


@pytest.mark.parametrize("case", REPORTED)
async def test_what_goes_beyond_a_budget_ends_it_and_what_uses_it_up_does_not(
    tmp_path: Path, case: str
) -> None:
    budgets, full, more, text = REPORTED[case]
    async with gate_with(tmp_path, **budgets) as gate:
        assert (await gate.ask("GET", PODS, headers=full))[0] == 200
        assert (await gate.ask("GET", PODS))[0] == 200
        status, body = await gate.ask("GET", PODS, headers=more)
        assert (status, body["reason"]) == (429, "TooManyRequests")
        assert text in body["message"]
        stored = await gate.stored(phase="TurnsExhausted")
        assert text in stored["message"]
        assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 410


@pytest.mark.parametrize("case", REPORTED)
async def test_a_report_with_the_answer_never_takes_the_answer_away(tmp_path: Path, case: str) -> None:
    budgets, full, more, _ = REPORTED[case]
    async with gate_with(tmp_path, **budgets) as gate:
        await gate.ask("GET", PODS, headers=full)
        assert (await gate.ask("POST", "/submit", json=ANSWER, headers=more))[0] == 200


async def test_usage_by_post_ends_it_without_another_request(tmp_path: Path) -> None:
    async with gate_with(tmp_path, tokens=100, turns=5) as gate:
        status, body = await gate.ask("POST", "/usage", json={"turn": 2, "tokensIn": 70, "tokensOut": 20})
        assert (status, body["left"]["tokens"], body["left"]["turns"]) == (200, 10, 3)
        # Totals only grow.
        await gate.ask("POST", "/usage", json={"turn": 1, "tokensIn": 5})
        stored = await gate.stored(turns=2)
        assert stored["usage"]["tokensIn"] == 70
        assert stored.get("requests", 0) == 0
        await gate.ask("POST", "/usage", json={"tokensIn": 90})
        await gate.stored(phase="TurnsExhausted")


async def test_what_was_reported_survives_a_restart(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.put(attempt(TOKEN, budgets={"wallClockSeconds": 600, "requests": 100, "tokens": 100}))
    async with door(tmp_path, cluster, Clock()) as gate:
        await gate.ask("GET", PODS, headers={"X-Tokens-In": "90"})
        # The trail knows better than a status that was not written any more.
        cluster.attempts["uid-1"]["status"].pop("usage", None)
    async with door(tmp_path, cluster, Clock()) as gate:
        assert (await gate.ask("GET", "/attempt"))[1]["left"]["tokens"] == 10
        assert (await gate.ask("GET", PODS, headers={"X-Tokens-In": "101"}))[0] == 429


MALFORMED = {
    "a header that is no number": ("GET", PODS, {"headers": {"X-Tokens-In": "many"}}, 400, "X-Tokens-In"),
    "a negative header": ("GET", PODS, {"headers": {"X-Cost-USD": "-1"}}, 400, "X-Cost-USD"),
    "not a number at all": ("GET", PODS, {"headers": {"X-Cost-USD": "nan"}}, 400, "X-Cost-USD"),
    "half a token": ("GET", PODS, {"headers": {"X-Tokens-Out": "1.5"}}, 400, "whole number"),
    "a turn in words counts nothing": ("GET", PODS, {"headers": {"X-Turn": "third"}}, 200, ""),
    "not JSON": ("POST", "/usage", {"data": b"{"}, 400, "tokensIn"),
    "a list": ("POST", "/usage", {"json": []}, 400, "a list"),
    "an unknown key": ("POST", "/usage", {"json": {"tokens": 1}}, 400, "tokensCached"),
    "text for a number": ("POST", "/usage", {"json": {"turn": "1"}}, 400, "turn: expected a whole number"),
    "true for a number": ("POST", "/usage", {"json": {"turn": True}}, 400, "turn: expected a whole number"),
    "too large": ("POST", "/usage", {"data": b"1" * 300_000}, 413, "larger"),
    "reading usage": ("GET", "/usage", {}, 405, "POST"),
    "a failure of ours": ("POST", "/outcome", {"json": {"outcome": "InfraFailed"}}, 400, "ContextExhausted"),
    "a score": ("POST", "/outcome", {"json": {"outcome": "Scored"}}, 400, "ContextExhausted"),
    "an outcome in a number": ("POST", "/outcome", {"json": {"outcome": 7}}, 400, "ContextExhausted"),
    "a message that is none": (
        "POST", "/outcome", {"json": {"outcome": "ContextExhausted", "message": []}}, 400, "message",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_report_is_refused_and_the_attempt_goes_on(tmp_path: Path, case: str) -> None:
    method, path, options, code, text = MALFORMED[case]
    async with gate_with(tmp_path, turns=1, tokens=1, costUSD=0) as gate:
        status, body = await gate.ask(method, path, **options)
        assert status == code
        assert text in body.get("message", "")
        assert (await gate.ask("GET", PODS))[0] == 200


# -- an outcome that only the harness knows ---------------------------------------------------------


async def test_a_full_context_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    async with gate_with(tmp_path) as gate:
        await gate.ask("GET", PODS)
        report = {"outcome": "ContextExhausted", "message": "131072 of 131072 tokens"}
        assert (await gate.ask("POST", "/outcome", json=report))[0] == 200
        stored = gate.cluster.attempts["uid-1"]["status"]
        assert (stored["phase"], stored["endedAt"]) == ("ContextExhausted", "2026-01-02T13:00:00.000Z")
        assert "131072 of" in stored["message"]
        assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 410
        assert (await gate.ask("GET", PODS))[0] == 401
        status, body = await gate.ask("POST", "/outcome", json=report)
        assert (status, "over already" in body["message"]) == (409, True)
    # The reason outlives the process that heard it.
    async with door(tmp_path, gate.cluster, Clock()) as gate:
        assert "131072 of" in (await gate.ask("GET", PODS))[1]["message"]
    assert "131072 of" in gate.cluster.attempts["uid-1"]["status"]["message"]


async def test_an_outcome_that_cannot_be_stored_is_not_accepted(tmp_path: Path) -> None:
    async with gate_with(tmp_path) as gate:
        await gate.ask("GET", PODS)
        gate.cluster.down = True
        report = {"outcome": "ContextExhausted"}
        assert (await gate.ask("POST", "/outcome", json=report))[0] == 503
        gate.cluster.down = False
        assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 200


async def test_after_a_submission_nothing_is_taken_back(tmp_path: Path) -> None:
    async with gate_with(tmp_path) as gate:
        await gate.ask("POST", "/submit", json=ANSWER)
        assert (await gate.ask("POST", "/outcome", json={"outcome": "ContextExhausted"}))[0] == 409
        assert (await gate.stored(phase="Submitted"))["submission"] == ANSWER


# -- the circuit breaker ----------------------------------------------------------------------------


async def warned(gate: Door, path: str, method: str = "GET", **options: Any) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with gate.http.request(method, path, headers=headers, **options) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Warning", "")


async def test_the_same_call_three_times_in_a_row_is_warned_of(tmp_path: Path) -> None:
    async with gate_with(tmp_path) as gate:
        found = [await warned(gate, f"{PODS}?limit=5&labelSelector=a") for _ in range(4)]
        assert [status for status, _ in found] == [200] * 4
        assert ["times in a row" in text for _, text in found] == [False, False, True, True]
        # kubectl prints what looks like this.
        assert found[2][1].startswith('299 - "the same call has come 3 times')
        assert (await warned(gate, PODS))[1] == ""


async def test_the_query_counts_and_its_order_does_not(tmp_path: Path) -> None:
    async with gate_with(tmp_path, loop={"warnAfter": 2, "stopAfter": 0}) as gate:
        assert (await warned(gate, f"{PODS}?limit=5&labelSelector=a"))[1] == ""
        assert (await warned(gate, f"{PODS}?labelSelector=a&limit=5"))[1] != ""
        assert (await warned(gate, f"{PODS}?labelSelector=b&limit=5"))[1] == ""


async def test_a_log_that_is_sent_in_pieces_carries_the_warning_too(tmp_path: Path) -> None:
    async with gate_with(tmp_path, loop={"warnAfter": 1}) as gate:
        assert (await warned(gate, f"{PODS}/a/log"))[1] != ""


async def test_the_configured_number_of_the_same_call_stops_it(tmp_path: Path) -> None:
    async with gate_with(tmp_path, loop={"warnAfter": 3, "stopAfter": 5}) as gate:
        for _ in range(4):
            assert (await warned(gate, PODS))[0] == 200
        # Another call starts the count anew.
        assert (await warned(gate, f"{PODS}?limit=1"))[0] == 200
        for _ in range(4):
            assert (await warned(gate, PODS))[0] == 200
        status, body = await gate.ask("GET", PODS)
        assert (status, body["reason"]) == (429, "TooManyRequests")
        assert "5 times in a row" in body["message"]
        stored = await gate.stored(phase="LoopStopped")
        assert "5 times in a row" in stored["message"]
        assert (await gate.ask("POST", "/submit", json=ANSWER))[0] == 410


async def test_watches_and_polling_neither_count_nor_start_the_count_anew(tmp_path: Path) -> None:
    async with gate_with(tmp_path, loop={"warnAfter": 3, "stopAfter": 4}) as gate:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for _ in range(6):
            assert (await warned(gate, "/attempt")) == (200, "")
            async with gate.http.get(f"{PODS}?watch=true", headers=headers) as watching:
                assert (watching.status, watching.headers.get("Warning")) == (200, None)
        found = []
        for _ in range(3):
            found.append(await warned(gate, PODS))
            await warned(gate, "/attempt")
        assert [bool(text) for _, text in found] == [False, False, True]


async def test_a_query_by_post_is_what_its_form_asks(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})

    backends = web.Application()
    backends.router.add_route("*", "/{path:.*}", handle)
    async with gate_with(tmp_path, backends, loop={"warnAfter": 2}) as gate:
        path = "/prometheus/api/v1/query"
        assert (await warned(gate, path, "POST", data={"query": "up"}))[1] == ""
        assert (await warned(gate, path, "POST", data={"query": "down"}))[1] == ""
        assert (await warned(gate, path, "POST", data={"query": "down"}))[1] != ""
        assert [line["arguments"]["query"] for line in lines(tmp_path)] == ["up", "down", "down"]


# -- the trail as it is written ---------------------------------------------------------------------


async def test_what_cannot_be_recorded_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with gate_with(tmp_path) as gate:
        await gate.ask("GET", PODS)
        monkeypatch.setattr(os, "write", full)
        status, body = await gate.ask("GET", PODS)
        assert (status, "items" in body) == (503, False)
        monkeypatch.undo()
        assert (await gate.ask("GET", PODS))[0] == 200
    assert [line["seq"] for line in lines(tmp_path)] == [1, 3]


async def test_the_trail_is_chained_and_the_status_holds_on_to_it(tmp_path: Path) -> None:
    async with gate_with(tmp_path) as gate:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with gate.http.get(f"{PODS}?limit=5&x=1&x=2", headers=headers) as answer:
            body = await answer.read()
        async with gate.http.get(f"{PODS}/a/log", headers=headers) as answer:
            log = await answer.read()
        await gate.ask("GET", "/alerts")
        await gate.ask("POST", "/submit", json=ANSWER)
        written = lines(tmp_path)
        path = tmp_path / "audit" / "uid-1.jsonl"
        status = await gate.stored(audit={"lines": 5, "head": written[-1]["hash"]})
    anchor = chain.Anchor(**status["audit"])
    found = chain.check(path.read_bytes().splitlines(keepends=True), "uid-1", anchor)
    assert (found.problems, found.lines) == ([], 5)
    assert [line["tool"] for line in written] == ["kubectl", "kubectl", "kubectl", "alerts", "submit"]
    assert written[0]["arguments"] == {"limit": "5", "x": ["1", "2"]}
    assert written[0]["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    opened, ended = written[1:3]
    assert (opened["seq"], opened["open"], opened["digest"]) == (ended["seq"], True, "")
    assert (ended["bytes"], ended["digest"]) == (len(log), f"sha256:{hashlib.sha256(log).hexdigest()}")
    assert "open" not in ended
    assert written[4]["arguments"] == ANSWER


# -- a trail that cannot grow without end -----------------------------------------------------------


async def test_what_comes_after_the_end_is_recorded_only_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.gateway.session.MAX_LATE", 4)
    async with gate_with(tmp_path) as gate:
        await gate.ask("GET", PODS)
        await gate.ask("POST", "/submit", json=ANSWER)
        before = len(lines(tmp_path))
        statuses = {
            (await gate.ask(verb, path))[0]
            for _ in range(5)
            for verb, path in (("GET", PODS), ("POST", "/submit"))
        }
        assert statuses <= {401, 400, 409, 410}
    late = lines(tmp_path)[before:]
    # The answer's own line is the first of the four: all was over when it was written.
    assert [line.get("event", "") for line in late] == ["", "", "", chain.LATE]
    assert late[-1]["recorded"] == 4
    raw = (tmp_path / "audit" / "uid-1.jsonl").read_bytes().splitlines(keepends=True)
    assert chain.check(raw, "uid-1").whole


async def test_what_is_free_is_free_only_so_often_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.gateway.audit.MAX_FREE", 5)
    cluster = Cluster()
    cluster.put(attempt(TOKEN, budgets={"wallClockSeconds": 600, "requests": 3}))
    async with door(tmp_path, cluster, Clock()) as gate:
        for _ in range(5):
            assert (await gate.ask("GET", "/attempt"))[1]["left"]["requests"] == 3
        await gate.ask("GET", "/attempt")
        assert (await gate.ask("GET", "/attempt"))[1]["left"]["requests"] == 2
    async with door(tmp_path, cluster, Clock()) as gate:
        assert (await gate.ask("GET", "/attempt"))[1]["left"]["requests"] == 1
        await gate.ask("GET", "/attempt")
        assert (await gate.ask("GET", "/attempt"))[0] == 429
