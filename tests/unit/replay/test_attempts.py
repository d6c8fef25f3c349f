"""Attempts in files: what the gateway asks of them, and that a restart forgets nothing."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support import snapshot_v2 as snapshots

from reprise.domain import errors
from reprise.domain.budget import Budget, Phase
from reprise.gateway import attempt as attempts
from reprise.replay import source
from reprise.replay.attempts import AttemptStore

LIMITS = Budget(600, 20)
URL = f"/apis/{attempts.GROUP_VERSION}/namespaces/default/agentattempts/attempt-1"


@pytest.fixture
def found(tmp_path: Path) -> source.Source:
    return source.read(snapshots.build(tmp_path / "snapshot"))


@pytest.fixture
def store(tmp_path: Path, found: source.Source) -> AttemptStore:
    made = AttemptStore(tmp_path / "attempts", found)
    made.ensure("attempt-1", "secret", LIMITS, snapshots.RECORDED)
    return made


async def test_the_gateway_can_read_what_is_made(store: AttemptStore) -> None:
    listed = await store.request("GET", attempts.COLLECTION)
    (one,) = (attempts.from_json(item) for item in listed["items"])
    assert one.limits == LIMITS
    assert one.view.window_start == snapshots.BASELINE
    assert one.application_namespace == snapshots.NAMESPACE
    assert one.url == URL
    assert store.opens("attempt-1", "secret")
    assert not store.opens("attempt-1", "other")


async def test_a_status_survives_a_restart(tmp_path: Path, found: source.Source, store: AttemptStore) -> None:
    status = {"phase": "Submitted", "requests": 3, "submission": {"entities": ["a/Pod/b"]}}
    await store.request("PATCH", f"{URL}/status", body={"metadata": {}, "status": status})
    again = AttemptStore(tmp_path / "attempts", found)
    again.ensure("attempt-1", "another", Budget(1, 1), snapshots.RECORDED)
    assert again.opens("attempt-1", "secret")
    (outcome,) = again.outcomes(tmp_path / "audit")
    assert (outcome.phase, outcome.requests, outcome.entities) == (Phase.SUBMITTED, 3, ("a/Pod/b",))


@pytest.mark.parametrize("precondition", [{"uid": "x"}, {"resourceVersion": "999"}])
async def test_a_patch_for_another_state_is_refused(
    tmp_path: Path, store: AttemptStore, precondition: dict[str, str]
) -> None:
    with pytest.raises(errors.Conflict):
        await store.request("PATCH", f"{URL}/status", body={"metadata": precondition, "status": {}})
    assert store.outcomes(tmp_path / "audit")[0].phase is Phase.PENDING


async def test_what_is_not_there(store: AttemptStore) -> None:
    with pytest.raises(errors.NotFound):
        await store.request("GET", URL + "0")
    with pytest.raises(errors.Refused):
        await store.request("DELETE", URL)


async def test_a_watch_tells_changes_after_its_version(store: AttemptStore) -> None:
    listed = await store.request("GET", attempts.COLLECTION)
    query = [("watch", "true"), ("resourceVersion", listed["metadata"]["resourceVersion"])]
    async with asyncio.timeout(10), await store.open(attempts.COLLECTION, query) as answer:
        parts = answer.content.iter_any()
        following = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0)
        await store.request("PATCH", f"{URL}/status", body={"status": {"phase": "Running"}})
        event = json.loads(await following)
    assert event["type"] == "MODIFIED"
    assert event["object"]["status"] == {"phase": "Running"}


def test_attempts_on_another_snapshot_are_not_mixed(tmp_path: Path, store: AttemptStore) -> None:
    other = snapshots.build(tmp_path / "other")
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "id": "f" * 16}))
    with pytest.raises(errors.InvalidInput, match="0123456789abcdef"):
        AttemptStore(tmp_path / "attempts", source.read(other))


def test_a_damaged_file_is_named(tmp_path: Path, found: source.Source, store: AttemptStore) -> None:
    (tmp_path / "attempts" / "attempt-1.json").write_text("{}")
    with pytest.raises(errors.Corrupt, match=r"attempt-1\.json"):
        AttemptStore(tmp_path / "attempts", found)
