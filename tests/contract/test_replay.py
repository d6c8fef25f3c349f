"""A snapshot through the gateway: the same door, the same rules, and what only a recording can do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import snapshot_v2 as snapshots
from tests.support.replaying import Running, replaying

from reprise.adapters import kube
from reprise.domain import discovery, errors, rows
from reprise.domain.budget import Budget, Phase
from reprise.replay import serve
from reprise.replay.kube import SnapshotKube

PODS = "/api/v1/namespaces/otel-demo/pods"
TABLE = rows.TABLE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshots.build(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture
async def replay(root: Path, tmp_path: Path) -> AsyncIterator[Running]:
    async with replaying(root, tmp_path / "out", attempts=2) as running:
        yield running


def names(document: Any) -> list[str]:
    if document["kind"] == "Table":
        return [row["object"]["metadata"]["name"] for row in document["rows"]]
    return [item["metadata"]["name"] for item in document["items"]]


# -- objects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json", TABLE])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PODS, ["ad-1", "cart-1", "checkout-1", "email-1", "shipping-1"]),
        ("/api/v1/pods", ["coredns-1", "ad-1", "cart-1", "checkout-1", "email-1", "shipping-1"]),
        (PODS + "?labelSelector=app+in+(cart,ad),tier", []),
        (PODS + "?labelSelector=app+in+(cart,ad)", ["ad-1", "cart-1"]),
        (PODS + "?fieldSelector=status.phase=Pending", ["email-1", "shipping-1"]),
        ("/api/v1/nodes", ["worker-1"]),
        ("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name=ad-1", ["ad-1.a"]),
        ("/api/v1/events?fieldSelector=involvedObject.name%3Dad-1", ["ad-1.a"]),
        ("/apis/batch/v1/jobs", []),
    ],
)
async def test_lists(replay: Running, accept: str, path: str, expected: list[str]) -> None:
    status, document = await replay.ask(path, accept=accept)
    assert (status, names(document)) == (200, expected)
    assert document["metadata"]["resourceVersion"] == "300"


async def test_a_table_is_the_servers(replay: Running) -> None:
    _, document = await replay.ask(PODS + "/cart-1", accept=TABLE)
    assert [column["name"] for column in document["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    (row,) = document["rows"]
    assert row["cells"] == snapshots.pod_cells(snapshots.CART_RELABELLED)
    assert row["object"]["kind"] == "PartialObjectMetadata"
    _, document = await replay.ask(PODS + "/cart-1?includeObject=Object", accept=TABLE)
    assert document["rows"][0]["object"] == snapshots.CART_RELABELLED
    _, document = await replay.ask(PODS + "/cart-1?includeObject=None", accept=TABLE)
    assert "object" not in document["rows"][0]


async def test_pages(replay: Running) -> None:
    _, first = await replay.ask("/api/v1/pods?limit=4")
    token = first["metadata"]["continue"]
    _, second = await replay.ask(f"/api/v1/pods?limit=4&continue={token}")
    assert names(first) + names(second) == names((await replay.ask("/api/v1/pods"))[1])
    assert "continue" not in second["metadata"]
    # A token opens only for the attempt that it was made for, kept answers or not.
    assert (await replay.ask(f"/api/v1/pods?limit=4&continue={token}", attempt=1))[0] == 410
    _, other = await replay.ask("/api/v1/pods?limit=4", attempt=1)
    assert other["metadata"]["continue"] != token


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (PODS + "/x", 404, 'pods "x" not found'),
        ("/apis/apps/v1/namespaces/otel-demo/deployments/x", 404, 'deployments.apps "x" not found'),
        (PODS + "?fieldSelector=a=b", 400, "field label not supported: a"),
        (PODS + "?labelSelector==", 400, "found '=', expected: !, identifier, or 'end of string'"),
        (PODS + "/cart-1/log?container=x", 400, "container x is not valid for pod cart-1"),
        ("/api/v1/namespaces/otel-demo/secrets", 403, "secrets is forbidden"),
        ("/api/v1/namespaces/nowhere/pods", 403, 'no namespace "nowhere" is readable here'),
    ],
)
async def test_failures_are_statuses(replay: Running, path: str, code: int, message: str) -> None:
    status, document = await replay.ask(path)
    assert (status, document["code"], document["kind"]) == (code, code, "Status")
    assert document["message"].startswith(message)


async def test_nothing_is_written(replay: Running) -> None:
    assert (await replay.ask(PODS + "/cart-1", method="DELETE"))[0] == 403
    assert (await replay.ask(PODS, method="POST", json={}))[0] == 403


async def test_discovery_is_the_recorded_one(replay: Running) -> None:
    _, document = await replay.ask("/api/v1")
    assert {one["name"] for one in document["resources"]} >= {"pods", "pods/log", "nodes"}
    _, document = await replay.ask("/apis", accept=discovery.AGGREGATED)
    assert document["kind"] == "APIGroupDiscoveryList"
    assert (await replay.ask("/version"))[1]["gitVersion"] == "v1.36.3"
    assert (await replay.ask("/openapi/v3/api/v1"))[0] == 200
    assert (await replay.ask("/apis/autoscaling/v2"))[0] == 404


async def test_kept_answers_are_counted_and_audited_like_all(root: Path, tmp_path: Path) -> None:
    async with replaying(root, tmp_path / "out", limits=Budget(600, 3)) as running:
        answers = [await running.ask(PODS, accept=TABLE) for _ in range(4)]
    assert [status for status, _ in answers] == [200, 200, 200, 429]
    assert answers[0] == answers[1] == answers[2]
    (trail,) = (tmp_path / "out" / "audit").glob("*.jsonl")
    lines = [json.loads(line) for line in trail.read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 200, 429]
    assert len({line["bytes"] for line in lines[:3]}) == 1
    assert running.outcomes[0].phase is Phase.TURNS_EXHAUSTED
    assert running.outcomes[0].requests == 4


async def test_what_is_kept_is_not_made_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Counting(SnapshotKube):
        async def read(self, path: str, *rest: Any, **more: Any) -> kube.Response:
            read.append(path)
            return await super().read(path, *rest, **more)

    monkeypatch.setattr(serve, "SnapshotKube", Counting)
    async with replaying(root, tmp_path / "out", attempts=2) as running:
        read.clear()
        for attempt in (0, 1):
            for accept in (TABLE, "application/json"):
                await running.ask(PODS, accept=accept, attempt=attempt)
        assert read == [PODS, PODS]
        await running.ask(PODS + "?labelSelector=app=cart")
        await running.ask(PODS + "/cart-1")
        await running.ask(PODS + "/cart-1")
        assert read == [PODS, PODS, PODS, PODS + "/cart-1"]


async def test_a_kept_answer_is_for_one_view_only(root: Path, tmp_path: Path) -> None:
    """The second attempt's window begins later: an earlier Event is hidden from it, whoever asked before."""
    async with replaying(root, tmp_path / "out", attempts=2):
        pass
    stored = tmp_path / "out" / "attempts" / "attempt-2.json"
    obj = json.loads(stored.read_text())
    obj["spec"]["window"]["start"] = snapshots.text(snapshots.at(1200))
    stored.write_text(json.dumps(obj))
    async with replaying(root, tmp_path / "out", attempts=2) as running:
        found = [names((await running.ask("/api/v1/events", attempt=one))[1]) for one in (0, 1, 0, 1)]
    assert found == [["ad-1.a", "cart-1.b"], ["ad-1.a"]] * 2


# -- watch ------------------------------------------------------------------------------------------


async def watched(running: Running, query: str, accept: str = "application/json") -> list[Any]:
    headers = {"Authorization": f"Bearer {running.ready.keys[0].token}", "Accept": accept}
    url = f"{running.ready.url}{PODS}?watch=true&timeoutSeconds=1&{query}"
    async with running.http.get(url, headers=headers) as answer:
        assert answer.status == 200
        return [json.loads(line) async for line in answer.content]


async def test_a_frozen_watch_begins_with_what_there_is(replay: Running) -> None:
    events = await watched(replay, "labelSelector=app=cart")
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "cart-1")]
    events = await watched(replay, "", TABLE)
    assert [event["type"] for event in events] == ["ADDED"] * 5
    assert events[0]["object"]["columnDefinitions"]
    assert not events[1]["object"]["columnDefinitions"]


async def test_a_frozen_watch_from_now_is_quiet(replay: Running) -> None:
    assert await watched(replay, "resourceVersion=300") == []


async def test_initial_events_end_with_a_bookmark(replay: Running) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = await watched(replay, query)
    assert [event["type"] for event in events] == ["ADDED"] * 5 + ["BOOKMARK"]
    meta = events[-1]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == "300"


async def test_a_watch_from_before_tells_what_has_happened_since(replay: Running) -> None:
    events = await watched(replay, "resourceVersion=206")
    seen = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert seen == [("ADDED", "ad-1"), ("MODIFIED", "cart-1"), ("DELETED", "quote-1")]
    # What loses the label is gone for who watches the label.
    events = await watched(replay, "resourceVersion=206&labelSelector=tier=backend")
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
        ("DELETED", "cart-1")
    ]
    (event,) = await watched(replay, "resourceVersion=99")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_the_revision_of_an_attempt_is_of_another_history(root: Path, tmp_path: Path) -> None:
    """Attempts may live in a cluster that counts far beyond the recorded one."""
    async with replaying(root, tmp_path / "out"):
        pass
    stored = tmp_path / "out" / "attempts" / "attempt-1.json"
    obj = json.loads(stored.read_text())
    obj["metadata"]["resourceVersion"] = "100000"
    stored.write_text(json.dumps(obj))
    async with replaying(root, tmp_path / "out") as running:
        assert len(await watched(running, "resourceVersion=206")) == 3
        assert (await running.ask(PODS + "?resourceVersion=206"))[0] == 200


async def test_moving_time_is_replayed(root: Path, tmp_path: Path) -> None:
    """Ten seconds before the crash the pod is not there; a watch sees it come."""
    late = snapshots.build(tmp_path / "late")
    manifest = json.loads((late / "manifest.json").read_text())
    manifest["timeline"]["injectedAt"] = snapshots.text(snapshots.at(1209.5))
    (late / "manifest.json").write_text(json.dumps(manifest))
    async with replaying(late, tmp_path / "out", begins_at="injectedAt") as running:
        _, before = await running.ask(PODS)
        version = before["metadata"]["resourceVersion"]
        assert "ad-1" not in names(before)
        assert "quote-1" in names(before)
        (event,) = await watched(running, f"resourceVersion={version}")
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "ad-1")
        _, after = await running.ask(PODS)
        assert "ad-1" in names(after)
        _, left = await running.ask("/attempt")
        assert left["window"]["now"] < snapshots.text(snapshots.at(1500))


# -- the rest ---------------------------------------------------------------------------------------


async def test_logs(replay: Running) -> None:
    assert await replay.ask(PODS + "/cart-1/log?tailLines=1") == (200, "cart says 599\n")
    assert await replay.ask(PODS + "/cart-1/log?sinceSeconds=4") == (200, "cart says 599\n")
    assert (await replay.ask(PODS + "/ad-1/log?previous=true"))[1].startswith("old ad says 0\n")


async def test_traces(replay: Running) -> None:
    status, document = await replay.ask("/jaeger/api/traces?service=cart&limit=2")
    assert (status, [int(one["traceID"], 16) for one in document["data"]]) == (200, [5, 4])
    status, document = await replay.ask(f"/jaeger/api/traces/{3:032x}")
    assert document["data"] == [snapshots.traces()[2]]
    assert (await replay.ask("/jaeger/api/traces/abc"))[0] == 404
    assert (await replay.ask("/jaeger/api/dependencies"))[1]["data"][0]["child"] == "cart"


async def test_without_a_prometheus_all_else_works(replay: Running) -> None:
    status, document = await replay.ask("/prometheus/api/v1/query?query=up")
    assert (status, document["error"]) == (503, "metrics are not served here")
    assert (await replay.ask("/alerts"))[0] == 503
    _, document = await replay.ask("/prometheus/api/v1/rules")
    assert document["data"]["groups"][0]["rules"][0]["name"] == "AdDown"
    assert "up" in (await replay.ask("/prometheus/api/v1/metadata"))[1]["data"]


async def test_an_answer_is_taken_once_and_outlives_a_restart(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = {"entities": [{"name": "otel-demo/Deployment/ad"}]}
    async with replaying(root, out, attempts=2) as running:
        assert (await running.ask("/submit", method="POST", json=answer))[0] == 200
        assert (await running.ask("/submit", method="POST", json=answer))[0] == 409
        keys = [(key.attempt, key.token) for key in running.ready.keys]
        authority = running.ready.ca.read_bytes()
    first, second = running.outcomes
    assert (first.phase, first.entities) == (Phase.SUBMITTED, ("otel-demo/Deployment/ad",))
    assert (second.phase, second.entities) == (Phase.PENDING, None)
    async with replaying(root, out, attempts=2) as running:
        assert [(key.attempt, key.token) for key in running.ready.keys] == keys
        assert running.ready.ca.read_bytes() == authority
        assert (await running.ask("/submit", method="POST", json=answer))[0] == 409
        assert (await running.ask(PODS, attempt=1))[0] == 200


async def test_budgets_go_on_after_a_restart(root: Path, tmp_path: Path) -> None:
    for expected in ([200, 200], [200, 429]):
        async with replaying(root, tmp_path / "out", limits=Budget(600, 3)) as running:
            assert [(await running.ask(PODS))[0] for _ in range(2)] == expected


async def test_a_port_that_is_taken_is_said(root: Path, tmp_path: Path, replay: Running) -> None:
    port = int(replay.ready.url.rpartition(":")[2])
    with pytest.raises(errors.Conflict, match=str(port)):
        async with asyncio.timeout(60), replaying(root, tmp_path / "other", port=port):
            pass


async def test_a_lost_kubeconfig_is_said(root: Path, tmp_path: Path) -> None:
    async with replaying(root, tmp_path / "out"):
        pass
    (tmp_path / "out" / "attempt-1.kubeconfig").unlink()
    with pytest.raises(errors.InvalidInput, match=r"attempt-1\.kubeconfig"):
        async with replaying(root, tmp_path / "out"):
            pass
