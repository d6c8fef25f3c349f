"""What a run remembers, in one Secret."""

import base64

import pytest
from tests.fakes.kube import FakeKube

from reprise.adapters import run_store
from reprise.adapters.run_store import RunStore
from reprise.domain import drift, errors, plan, truth
from reprise.domain.entities import EntityId

PLAN = plan.Plan("a", "otel-demo", 1, (), (), (), truth.Truth())
TRUTH = truth.Truth((truth.RootCause(EntityId("a", "Pod", "b"), (EntityId("", "Node", "c"),)),))
BASELINE = drift.Fingerprint({"a/Pod/b": {"spec.x": 1}})


async def test_round_trip_in_one_secret() -> None:
    kube = FakeKube()
    store = RunStore(kube)
    assert await store.load_plan("u") is None
    await store.save_plan("u", PLAN)
    await store.save_baseline("u", BASELINE)
    await store.save_truth("u", TRUTH)
    again = RunStore(kube)
    assert await again.load_plan("u") == PLAN
    assert await again.load_baseline("u") == BASELINE
    assert await again.load_truth("u") == TRUTH
    (secret,) = await kube.list_objects(
        "v1", "Secret", "reprise-system", label_selector=f"{run_store.RUN_LABEL}=u"
    )
    assert secret["metadata"]["name"] == "run-u"
    await store.delete("u")
    await store.delete("u")
    assert await store.load_truth("u") is None


async def test_saving_the_same_again_writes_nothing() -> None:
    kube = FakeKube()
    for _ in range(2):
        await RunStore(kube).save_plan("u", PLAN)
    assert len(kube.writes()) == 1


async def test_a_second_plan_is_refused_a_second_baseline_replaces() -> None:
    store = RunStore(FakeKube())
    await store.save_plan("u", PLAN)
    with pytest.raises(errors.InvalidInput, match="injected once"):
        await store.save_plan("u", plan.Plan("b", "otel-demo", 1, (), (), (), truth.Truth()))
    await store.save_baseline("u", BASELINE)
    await store.save_baseline("u", drift.Fingerprint({}))
    assert await store.load_baseline("u") == drift.Fingerprint({})


async def test_two_writers_lose_nothing() -> None:
    kube = FakeKube()
    await RunStore(kube).save_plan("u", PLAN)
    other = RunStore(kube)
    pending = [True]

    def meddle(method: str, path: str) -> None:
        if method == "PUT" and pending:
            pending.clear()
            secret = kube.objects()[path]
            kube.store({**secret, "data": {**secret["data"], "other": "eA=="}})

    kube.before = meddle
    await other.save_truth("u", TRUTH)
    (secret,) = await kube.list_objects("v1", "Secret", "reprise-system")
    assert set(secret["data"]) == {"plan", "truth", "other"}


async def test_damaged_data_is_corrupt() -> None:
    kube = FakeKube()
    await RunStore(kube).save_plan("u", PLAN)
    (secret,) = await kube.list_objects("v1", "Secret", "reprise-system")
    for damaged in ("bm90IGd6aXA=", base64.b64encode(b"\x1f\x8b\x08").decode()):
        kube.store({**secret, "data": {"plan": damaged}})
        with pytest.raises(errors.Corrupt, match="plan"):
            await RunStore(kube).load_plan("u")


async def test_too_much_is_refused_with_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_store, "LIMIT_BYTES", 10)
    with pytest.raises(errors.Unsupported, match="at most 10 bytes"):
        await RunStore(FakeKube()).save_plan("u", PLAN)
