"""The gateway from outside: who may ask, for how long, what it answers, and what it writes down."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.contract.gateway_fakes import OTHER_TOKEN, TOKEN, Clock, Cluster, Door, attempt, door

from reprise.gateway import registry as registries

PODS = "/api/v1/namespaces/otel-demo/pods"
ANSWER = {"entities": ["otel-demo/NetworkPolicy/a"]}


def pod(name: str, namespace: str = "otel-demo") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name, "managedFields": [{}]}}


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster(pods=[pod("a"), pod("b")])
    made.put(attempt(TOKEN))
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr("reprise.gateway.session.PERSIST_SECONDS", 0.05)


@pytest.fixture
async def gate(tmp_path: Path, cluster: Cluster) -> AsyncIterator[Door]:
    async with door(tmp_path, cluster, Clock()) as made:
        yield made


def trail(directory: Path, uid: str = "uid-1") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "audit" / f"{uid}.jsonl").read_text().splitlines()]


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


# -- the answer -------------------------------------------------------------------------------------


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


# -- what is answered -------------------------------------------------------------------------------


async def test_pages_are_filled_past_what_is_hidden(tmp_path: Path, cluster: Cluster) -> None:
    names = [("a", "otel-demo"), ("op", "reprise-system"), ("gw", "reprise-system"), ("b", "otel-demo")]
    cluster.pods = [pod(*name) for name in [*names, ("c", "otel-demo")]]
    async with door(tmp_path, cluster, Clock()) as gate:
        _, first = await gate.ask("GET", "/api/v1/pods?limit=2")
        assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
        assert "remainingItemCount" not in first["metadata"]
        token = first["metadata"]["continue"]
        _, second = await gate.ask("GET", f"/api/v1/pods?limit=2&continue={token}")
        assert [item["metadata"]["name"] for item in second["items"]] == ["c"]
        assert "continue" not in second["metadata"]
        assert (await gate.ask("GET", "/api/v1/pods?limit=2&continue=1:x"))[0] == 410


async def test_history_before_the_attempt_is_gone(gate: Door) -> None:
    for query in ("resourceVersion=99&watch=true", "resourceVersion=99&resourceVersionMatch=Exact"):
        status, body = await gate.ask("GET", f"{PODS}?{query}")
        assert (status, body["reason"]) == (410, "Expired")
    assert (await gate.ask("GET", f"{PODS}?resourceVersion=0"))[0] == 200
    assert (await gate.ask("GET", f"{PODS}?resourceVersion=150"))[0] == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/namespaces/reprise-system/pods", 403),
        ("/api/v1/namespaces/no-such-namespace/pods", 403),
        ("/api/v1/namespaces/chaos-mesh/pods", 403),
        ("/api/v1/namespaces/reprise-system", 404),
        ("/api/v1/namespaces/no-such-namespace", 404),
        (f"{PODS}?labelSelector=reprise.dev%2Frun", 403),
        (f"{PODS}?fieldSelector=metadata.namespace%3Dreprise-system", 403),
        ("/api/v1/namespaces/..%2Fotel-demo/pods", 404),
        ("/metrics", 404),
        ("/logs", 404),
        ("/debug/pprof", 404),
    ],
)
async def test_what_is_hidden_looks_like_what_is_not_there(gate: Door, path: str, code: int) -> None:
    before = len(gate.cluster.seen)
    status, _ = await gate.ask("GET", path)
    assert status == code
    assert not any("reprise-system" in seen or ".." in seen for seen in gate.cluster.seen[before:])


async def test_hidden_and_missing_namespaces_answer_alike(gate: Door) -> None:
    _, hidden = await gate.ask("GET", "/api/v1/namespaces/reprise-system/pods")
    _, missing = await gate.ask("GET", "/api/v1/namespaces/reprise-sistem/pods")
    assert json.dumps(hidden) == json.dumps(missing).replace("sistem", "system")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_nothing_but_reads_reaches_the_api_server(gate: Door, method: str) -> None:
    await gate.ask("GET", PODS)
    before = len(gate.cluster.seen)
    async with gate.http.request(
        method, f"{PODS}/a", headers={"Authorization": f"Bearer {TOKEN}"}, data=b"{}"
    ) as answer:
        assert answer.status in (403, 405)
    assert not any("/pods" in seen for seen in gate.cluster.seen[before:])


@pytest.mark.parametrize(
    "accept", ["application/vnd.kubernetes.protobuf", "application/cbor", "application/yaml"]
)
async def test_encodings_that_cannot_be_filtered_are_refused(gate: Door, accept: str) -> None:
    assert (await gate.ask("GET", PODS, headers={"Accept": accept}))[0] == 406
    assert (await gate.ask("GET", PODS, headers={"Accept": f"{accept},application/json"}))[0] == 200


async def test_logs_lose_lines_that_name_what_is_hidden(gate: Door) -> None:
    status, text = await gate.ask("GET", f"{PODS}/a/log?sinceTime=2020-01-01T00:00:00Z&container=c")
    assert (status, text) == (200, "hello from a\nbye\n")
    assert "sinceTime=2026-01-02T12:00:00.000Z" in gate.cluster.seen[-1]


async def test_a_watch_ends_with_its_attempt(gate: Door) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with gate.http.get(f"{PODS}?watch=true", headers=headers) as watching:
        gate.cluster.pod_stream.put_nowait({"type": "ADDED", "object": pod("x", "reprise-system")})
        gate.cluster.pod_stream.put_nowait({"type": "ADDED", "object": pod("c")})
        event = json.loads(await watching.content.readline())
        assert event["object"]["metadata"] == {"name": "c", "namespace": "otel-demo", "uid": "c"}
        await gate.ask("POST", "/submit", json=ANSWER)
        async with asyncio.timeout(10):
            with pytest.raises(aiohttp.ClientPayloadError):
                await watching.content.read()


async def test_a_reader_that_stops_reading_stalls_nobody_and_is_dropped(
    gate: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.gateway.stream.WRITE_TIMEOUT_SECONDS", 0.3)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with gate.http.get(f"{PODS}?watch=true", headers=headers):
        large = {**pod("c"), "spec": {"text": "x" * 500_000}}
        for _ in range(60):
            gate.cluster.pod_stream.put_nowait({"type": "MODIFIED", "object": large})
        async with asyncio.timeout(20):
            # The stream's second line is its end.
            while [line["verb"] for line in trail(tmp_path)].count("watch") < 2:
                assert (await gate.ask("GET", "/attempt"))[0] == 200


async def test_a_list_that_is_too_large_is_refused_and_asked_for_in_pages(
    gate: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.adapters.streams.read_capped.__defaults__", (300,))
    gate.cluster.pods = [pod(f"pod-{number}") for number in range(20)]
    status, _ = await gate.ask("GET", PODS)
    assert status == 413
    assert (await gate.ask("GET", f"{PODS}?limit=1"))[0] == 200


async def test_every_request_leaves_a_line(gate: Door, tmp_path: Path) -> None:
    await gate.ask("GET", PODS, headers={"X-Turn": "7", "X-Justification": "look at pods"})
    await gate.ask("DELETE", f"{PODS}/a")
    await gate.ask("POST", "/submit", data=b"?")
    await gate.ask("POST", "/submit", json=ANSWER)
    await gate.ask("GET", PODS)
    lines = trail(tmp_path)
    assert [(one["verb"], one["resource"], one["status"], one["decision"]) for one in lines] == [
        ("list", "pods otel-demo", 200, "allow"),
        ("delete", "pods otel-demo/a", 403, "deny"),
        ("post", "submit", 400, "deny"),
        ("post", "submit", 200, "allow"),
        ("list", "pods otel-demo", 401, "deny"),
    ]
    assert (lines[0]["turn"], lines[0]["justification"]) == ("7", "look at pods")
    assert lines[0]["bytes"] > 50
    stored = await gate.stored(phase="Submitted")
    assert (stored["requests"], stored["denied"]) == (2, 1)


async def test_the_instructions_name_neither_run_nor_product(gate: Door) -> None:
    for path in ("/instructions", "/attempt"):
        status, body = await gate.ask("GET", path)
        text = json.dumps(body).lower()
        assert status == 200
        assert not any(word in text for word in ("netpol", "reprise", "benchmark", "scenario", "chaos"))


# -- metrics and traces -----------------------------------------------------------------------------


async def test_prometheus_and_jaeger_are_reached_through_the_door(tmp_path: Path, cluster: Cluster) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        if "services" in request.path:
            return web.json_response({"data": ["cart", "reprise-operator"]})
        if "rules" in request.path:
            return web.json_response({"status": "success", "data": {"groups": []}})
        metrics = [
            {"metric": {"namespace": name}, "values": [[1, "1"]]} for name in ("otel-demo", "chaos-mesh")
        ]
        data = {"resultType": "matrix", "result": metrics}
        return web.json_response({"status": "success", "data": data})

    backends = web.Application()
    backends.router.add_route("*", "/{path:.*}", handle)
    async with door(tmp_path, cluster, Clock(), backends) as gate:
        query = {
            "query": "ALERTS",
            "start": "2026-01-02T12:30:00Z",
            "end": "2026-01-02T12:40:00Z",
            "step": "5",
        }
        for options in ({"params": query}, {"data": query}):
            method = "GET" if "params" in options else "POST"
            status, body = await gate.ask(method, "/prometheus/api/v1/query_range", **options)
            assert status == 200
            assert [row["metric"] for row in body["data"]["result"]] == [{"namespace": "otel-demo"}]
        assert asked[0] == asked[1]
        _, services = await gate.ask("GET", "/jaeger/api/services")
        assert services["data"] == ["cart"]
        status, alerts = await gate.ask("GET", "/alerts")
        assert status == 200
        assert [alert["state"] for alert in alerts] == []
        before = len(asked)
        for path, code in (
            ("/prometheus/api/v1/admin/tsdb/delete_series", 403),
            ("/prometheus/api/v1/status/config", 403),
            ("/prometheus/api/v1/targets", 403),
            ("/prometheus/api/v1/label/..%2F..%2Fstatus%2Fconfig/values", 404),
            ("/prometheus/api/v1/query?query=up%7Bnamespace%3D%22reprise-system%22%7D", 400),
            ("/prometheus/metrics", 403),
            ("/jaeger/api/services/reprise-operator/operations", 403),
            ("/jaeger/api/traces/..%2F..%2Fx", 404),
            ("/jaeger/api/sampling", 403),
        ):
            assert (path, (await gate.ask("GET", path))[0]) == (path, code)
        assert len(asked) == before


async def test_prometheus_is_away(gate: Door) -> None:
    # The fake backend has no routes, so no JSON comes back.
    status, body = await gate.ask("GET", "/prometheus/api/v1/query?query=up")
    assert status == 503
    assert "127.0.0.1" not in json.dumps(body)
