"""Each mechanism on a real cluster, by its effect: plan, apply, feel it, take it back, find no trace.

A small shop in a namespace of its own stands in for the application, so that these tests disturb no run.
"""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.live import first, small_shop

from reprise.adapters import scenario_files, symptom_probe
from reprise.adapters.engine import Engine, Progress
from reprise.adapters.kube import Kube
from reprise.adapters.prometheus import Alert, Sample
from reprise.domain import errors
from reprise.domain import plan as plans
from reprise.domain.entities import ObjectRef
from reprise.domain.scenario import Fault
from reprise.domain.symptoms import EventSymptom

SCENARIOS = scenario_files.load_files(first.PATHS)
INCIDENTS = {s.faults[0].mechanism: s for s in SCENARIOS.values() if not s.control}
# The small shop has fewer pods than the real one.
_QUOTA = INCIDENTS["resource-quota-insufficient"]
INCIDENTS["resource-quota-insufficient"] = dataclasses.replace(
    _QUOTA, faults=(dataclasses.replace(_QUOTA.faults[0], params={"hard": {"pods": "3"}}),)
)
DEADLINE_SECONDS = 120

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until(check: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Ask until the answer is true; at the deadline fail with the last answer."""
    answer = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            # Several objects and logs have no one watch.
            while not (answer := await check()):  # noqa: ASYNC110
                await asyncio.sleep(0.3)
    except TimeoutError:
        pytest.fail(f"expected {what} within {DEADLINE_SECONDS} s, found {answer!r}")
    return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube(kubeconfig: str) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as connection:
        yield connection


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(kube: Kube) -> AsyncIterator[str]:
    """The namespace of a small shop that serves."""
    namespace = f"small-shop-{uuid4().hex[:6]}"
    ref = ObjectRef("v1", "Namespace", "", namespace)
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        for manifest in small_shop.manifests(namespace, await small_shop.image(kube)):
            await kube.create(manifest)
        try:
            await until(lambda: serves(kube, namespace), "the shop to serve")
        except BaseException:
            for pod in await kube.list_objects("v1", "Pod", namespace):
                print(pod["metadata"]["name"], json.dumps(pod["status"].get("containerStatuses")))
            print(await seen(kube, namespace))
            raise
        yield namespace
    finally:
        await kube.delete(ref)


async def seen(kube: Kube, namespace: str) -> dict[str, Any]:
    """What the client got last."""
    pods = await kube.list_objects("v1", "Pod", namespace, label_selector="app.kubernetes.io/name=client")
    if not pods or pods[0]["status"]["phase"] != "Running":
        return {}
    lines = (await kube.logs(namespace, pods[0]["metadata"]["name"], tailLines="1")).split("\n")
    found: dict[str, Any] = json.loads(lines[0]) if lines[0] else {}
    return found


async def serves(kube: Kube, namespace: str) -> bool:
    return small_shop.healthy(await seen(kube, namespace))


async def settle(move: Callable[[plans.Plan], Awaitable[Progress]], plan: plans.Plan) -> Progress:
    last: list[Progress] = []

    async def step() -> bool:
        last.append(await move(plan))
        return last[-1].settled

    try:
        await until(step, "the plan to settle")
    except BaseException:
        print(last[-1:])
        raise
    return last[-1]


def stored(plan: plans.Plan) -> plans.Plan:
    """The plan as another process would load it."""
    return plans.from_json(json.loads(json.dumps(plans.to_json(plan))))


async def felt(mechanism: str, kube: Kube, namespace: str) -> bool:
    """Whether a user of the shop feels the fault of this mechanism."""
    now = await seen(kube, namespace)
    match mechanism:
        case "environment-variable-wrong":
            return bool(now) and now["cart"].startswith("valkey-cart:") and now["cart"] != "valkey-cart:6379"
        case "feature-flag":
            return small_shop.variant(now) == "100%"
        case _:
            target = INCIDENTS[mechanism].faults[0].name
            others = {name: text for name, text in now.items() if name != target}
            return (
                bool(now)
                and now[target].startswith("error")
                and not any(text.startswith("error") for text in others.values())
            )


class NoMetrics:
    """The small shop has none: only Events can be looked at."""

    async def query(self, expr: str, at: float | None = None) -> list[Sample]:
        raise AssertionError(expr)

    async def alerts(self) -> list[Alert]:
        raise AssertionError("alerts")


async def event_seen(kube: Kube, namespace: str, symptom: EventSymptom, since: datetime) -> bool:
    (reading,) = await symptom_probe.observe([symptom], NoMetrics(), kube, namespace, since)
    return reading.seen


@pytest.mark.parametrize("mechanism", sorted(INCIDENTS))
async def test_mechanism_by_effect(mechanism: str, kube: Kube, shop: str) -> None:
    scenario = INCIDENTS[mechanism]
    await until(lambda: serves(kube, shop), "the shop to serve before the fault")
    engine = Engine(kube)
    before = await engine.fingerprint(shop)
    since = datetime.now(UTC)
    plan = stored(await engine.plan(scenario, shop, seed=7))
    try:
        assert await engine.drift(shop, before) == (), "planning must change nothing"

        # A new engine for each call: nothing may live in memory.
        progress = await settle(lambda p: Engine(kube).apply(p), plan)
        assert (progress.done, progress.conflicts) == (progress.total, ())
        await until(lambda: felt(mechanism, kube, shop), f"users to feel {mechanism}")
        for symptom in scenario.symptoms:
            if isinstance(symptom, EventSymptom):
                await until(lambda s=symptom: event_seen(kube, shop, s, since), symptom.name)
        assert (await Engine(kube).apply(plan)).settled, "applying twice must equal applying once"
        assert await engine.drift(shop, before) != ()

        truth = await engine.truth(plan)
        assert [cause.entity for cause in truth.root_causes] == [plan.mutations[0].ref.entity]
        pods = [e for cause in truth.root_causes for e in cause.equivalents if e.kind == "Pod"]
        owned = mechanism in ("environment-variable-wrong", "container-image-nonexistent")
        assert bool(pods) == owned, truth
    finally:
        reverted = await settle(lambda p: Engine(kube).revert(p), plan)
    assert (reverted.done, reverted.conflicts) == (reverted.total, ())
    await until(lambda: serves(kube, shop), "the shop to serve again")
    assert [str(d) for d in await engine.drift(shop, before)] == []
    assert (await Engine(kube).revert(plan)).settled, "reverting twice must equal reverting once"


class Killed(Exception):
    """The process died."""


class Mortal(Kube):
    """A connection that lets `lives` writes through and dies at the next."""

    lives = 1

    async def raw(self, method: str, path: str, **options: Any) -> Any:
        if method != "GET" and ("dryRun", "All") not in options.get("query", ()):
            if self.lives == 0:
                raise Killed
            self.lives -= 1
        return await super().raw(method, path, **options)


async def test_killed_after_every_write(kubeconfig: str, kube: Kube, shop: str) -> None:
    # All mechanisms at once, but for the quota: it would keep the others' pods from being replaced.
    faults = tuple(s.faults[0] for m, s in INCIDENTS.items() if m != "resource-quota-insufficient")
    everything = dataclasses.replace(next(iter(INCIDENTS.values())), name="everything", faults=faults)
    await until(lambda: serves(kube, shop), "the shop to serve before the faults")
    before = await Engine(kube).fingerprint(shop)
    plan = stored(await Engine(kube).plan(everything, shop, seed=3))
    deaths = 0

    def one_life(method: str) -> Callable[[plans.Plan], Awaitable[Progress]]:
        async def live(plan: plans.Plan) -> Progress:
            nonlocal deaths
            async with await Mortal.connect(kubeconfig) as mortal:
                try:
                    move = getattr(Engine(mortal), method)
                    progress: Progress = await move(plan)
                    return progress
                except Killed:
                    deaths += 1
                    return Progress(0, len(plan.mutations), settled=False)

        return live

    try:
        applied = await settle(one_life("apply"), plan)
        assert (applied.done, applied.conflicts) == (len(faults), ())
        assert deaths >= len(faults) - 1
    finally:
        reverted = await settle(one_life("revert"), plan)
    assert (reverted.done, reverted.conflicts) == (len(faults), ())
    await until(lambda: serves(kube, shop), "the shop to serve again")
    assert [str(d) for d in await Engine(kube).drift(shop, before)] == []


async def test_what_somebody_else_changed_is_reported_and_left_alone(kube: Kube, shop: str) -> None:
    await until(lambda: serves(kube, shop), "the shop to serve before the fault")
    engine = Engine(kube)
    before = await engine.fingerprint(shop)
    plan = await engine.plan(INCIDENTS["service-selector-invalid"], shop, seed=1)
    service = ObjectRef("v1", "Service", shop, "ad")
    key = "app.kubernetes.io/name"
    await settle(engine.apply, plan)
    await kube.patch(service, {"spec": {"selector": {key: "ad-of-somebody-else"}}})
    try:
        progress = await engine.revert(plan)
        assert progress.settled
        assert progress.done == 0
        (conflict,) = progress.conflicts
        assert f"{shop}/Service/ad" in conflict
        assert "ad-of-somebody-else" in conflict
        (difference,) = await engine.drift(shop, before)
        assert str(difference) == (
            f'{shop}/Service/ad: spec.selector["{key}"]: expected "ad", found "ad-of-somebody-else"'
        )
    finally:
        await kube.patch(service, {"spec": {"selector": {key: "ad"}}})
    assert await engine.drift(shop, before) == ()


async def test_a_fault_that_is_not_in_force_has_no_truth(kube: Kube, shop: str) -> None:
    engine = Engine(kube)
    plan = await engine.plan(INCIDENTS["service-target-port-wrong"], shop, seed=1)
    with pytest.raises(errors.Conflict, match="Service/cart"):
        await engine.truth(plan)


async def test_missing_targets_are_all_named(kube: Kube, shop: str) -> None:
    faults = (
        Fault("workload-scaled-to-zero", "Deployment", "no-such"),
        Fault("service-selector-invalid", "Service", "nor-this"),
    )
    scenario = dataclasses.replace(next(iter(INCIDENTS.values())), faults=faults)
    with pytest.raises(errors.NotFound, match=r"no-such.*nor-this"):
        await Engine(kube).plan(scenario, shop, seed=0)
