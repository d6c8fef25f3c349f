"""The gateway from outside: what it answers about objects, and what it writes down."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from tests.contract.gateway_fakes import (
    ANSWER,
    PODS,
    TOKEN,
    Clock,
    Cluster,
    Door,
    door,
    pod,
    trail,
)

from reprise.gateway.objects import MAX_PAGES

pytestmark = pytest.mark.usefixtures("quick")


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


async def test_one_request_does_not_walk_through_everything_that_is_hidden(gate: Door) -> None:
    gate.cluster.pods = [pod(f"pod-{number}", "chaos-mesh") for number in range(100)] + [pod("last")]
    before = len(gate.cluster.seen)
    status, page = await gate.ask("GET", "/api/v1/pods?limit=1")
    assert (status, page["items"]) == (200, [])
    assert len(gate.cluster.seen) - before <= MAX_PAGES
    while token := page["metadata"].get("continue"):
        status, page = await gate.ask("GET", f"/api/v1/pods?limit=1&continue={token}")
        assert status == 200
    assert [item["metadata"]["name"] for item in page["items"]] == ["last"]


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
