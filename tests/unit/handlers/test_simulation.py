"""The whole life of a run above an API server in memory, the process killed before every single request."""

import base64
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import NoReturn

import pytest
from tests.unit.handlers.world import REF, Killed, World, live, operator

from reprise.adapters.kube import Json
from reprise.adapters.wire import benchmark_run
from reprise.domain import errors
from reprise.domain.run import Run, RunRef
from reprise.domain.run_status import ConditionType, Phase
from reprise.handlers import lease, reconcile

POLICY_CHANGES = {"ADDED": 1, "DELETED": 1}


def policies(world: World) -> dict[str, int]:
    found: dict[str, int] = {}
    for (event, kind, _), count in world.changes.items():
        if kind == "NetworkPolicy":
            found[event] = found.get(event, 0) + count
    return found


async def finish(world: World) -> None:
    world.apply_run()
    await live(world, operator(world))


async def test_a_run_goes_all_the_way() -> None:
    world = World()
    await finish(world)
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.COMPLETED, "Recovered")
    assert [item.phase for item in status.phases] == [
        phase for phase in Phase if phase not in (Phase.INVALID, Phase.FAILED)
    ]
    assert status.score is not None
    assert (status.score.mean, status.score.n) == (1.0, 1)
    assert status.drift is not None
    assert status.drift.differences == ()
    assert status.injection is not None
    assert status.injection.planned == status.injection.applied == status.injection.inverted == 2
    assert not world.broken()
    assert policies(world) == POLICY_CHANGES
    assert world.of_kind("Lease") == []


async def test_the_answer_is_nowhere_in_the_run_while_agents_work() -> None:
    world = World()
    world.submits = False
    world.apply_run()
    await live(world, operator(world), looks=20)
    assert world.run().status.phase is Phase.ATTEMPTING
    (policy,) = world.of_kind("NetworkPolicy")
    readable = repr(world.run_object()) + repr(world.of_kind("AgentAttempt")) + repr(world.of_kind("Event"))
    assert policy["metadata"]["name"] not in readable
    assert "'cart'" not in readable


async def test_control_run_changes_nothing() -> None:
    world = World()
    before = {k: v for k, v in world.objects().items() if "/otel-demo/" in k}
    world.apply_run("control")
    await live(world, operator(world))
    assert world.run().status.phase is Phase.COMPLETED
    assert {k: v for k, v in world.objects().items() if "/otel-demo/" in k} == before
    # The right answer would have been empty.
    assert world.run().status.attempts[0].score == 0.0


async def test_decoys_of_a_control_are_applied_and_taken_back() -> None:
    world = World()
    before = {k: v for k, v in world.objects().items() if "/otel-demo/" in k}
    world.submits = False
    world.apply_run("busy")
    await live(world, operator(world), looks=20)
    assert world.run().status.phase is Phase.ATTEMPTING
    during = {k: v for k, v in world.objects().items() if "/otel-demo/" in k}
    assert {during[path]["kind"] for path in during.keys() - before.keys()} == {"ConfigMap", "NetworkPolicy"}
    world.submits = True
    await live(world, operator(world))
    run = world.run()
    assert run.status.phase is Phase.COMPLETED
    assert {k: v for k, v in world.objects().items() if "/otel-demo/" in k} == before
    assert run.status.drift is not None
    assert run.status.drift.differences == ()


def kill_at(world: World, number: int) -> Callable[[str, str], None]:
    left = number

    def before(method: str, path: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    return before


async def count_requests() -> int:
    world = World()
    await finish(world)
    return len(world.requests)


def token_of(world: World, made: Json) -> bytes:
    """The token that the person who attaches gets."""
    name = f"{made['metadata']['name']}-kubeconfig"
    (secret,) = [item for item in world.of_kind("Secret", "default") if item["metadata"]["name"] == name]
    return base64.b64decode(secret["data"]["token"])


@pytest.mark.parametrize("part", range(4))
async def test_killed_before_any_request_it_continues(part: int) -> None:
    """The fault is applied once and taken back once, whichever line was the last."""
    total = await count_requests()
    assert total > 100
    for number in range(part, total, 4):
        world = World()
        world.apply_run()
        world.before = kill_at(world, number)
        with pytest.raises(Killed):
            await live(world, operator(world))
        world.before = lambda method, path: None
        await live(world, operator(world))
        status = world.run().status
        assert status.phase is Phase.COMPLETED, f"killed at {number}: {status}"
        assert status.score is not None
        assert (status.score.mean, status.score.n) == (1.0, 1), f"killed at {number}"
        assert policies(world) == POLICY_CHANGES, f"killed at {number}"
        (made,) = world.of_kind("AgentAttempt")
        token = token_of(world, made)
        assert made["spec"]["tokenSha256"] == hashlib.sha256(token).hexdigest(), f"killed at {number}"
        assert not world.broken(), f"killed at {number}"
        assert status.drift is not None
        assert status.drift.differences == (), f"killed at {number}"


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.terminal], ids=str)
async def test_deleted_in_a_phase_it_recovers_and_leaves_nothing(phase: Phase) -> None:
    world = World()
    world.submits = phase in (Phase.RECOVERING, Phase.PENDING)
    world.symptom_shows = phase is not Phase.MANIFESTING
    world.apply_run()
    await stop_in(world, phase)
    world.delete_run()
    assert await live(world, operator(world))
    assert not world.broken()
    assert world.of_kind("Lease") == []
    # Owned by the run, the Secrets beside it go with it.
    left = [item for item in world.of_kind("Secret") if item["metadata"]["namespace"] != "default"]
    assert [item["metadata"]["name"] for item in left] == ["gateway-tls"]
    assert world.of_kind("Job") == []
    assert all(item["spec"]["verdict"]["phase"] for item in world.of_kind("AgentAttempt"))


async def stop_in(world: World, phase: Phase) -> None:
    """Kill the operator as soon as the run is in the phase."""
    runtime = operator(world)

    def before(method: str, path: str) -> None:
        found = world.run_object().get("status", {}).get("phase", "Pending")
        if found == phase:
            raise Killed

    world.before = before
    with pytest.raises(Killed):
        await live(world, runtime, looks=30)
    world.before = lambda method, path: None
    assert world.run().status.phase is phase


async def test_symptom_never_seen_is_invalid_and_recovered() -> None:
    world = World()
    world.symptom_shows = False
    world.apply_run(gates={"symptomTimeoutSeconds": 5})
    await live(world, operator(world))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, "SymptomNotSeen")
    assert "down" in status.message
    assert not world.broken()
    assert policies(world) == POLICY_CHANGES


async def test_application_not_deployable_says_why_and_injects_nothing() -> None:
    world = World()
    cart = next(item for item in world.of_kind("Deployment") if item["metadata"]["name"] == "cart")
    cart["status"]["availableReplicas"] = 0
    world.store(cart)
    pod = next(
        item for item in world.of_kind("Pod", "otel-demo") if item["metadata"]["name"].startswith("cart")
    )
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod["status"]["containerStatuses"] = [{"name": "cart", "state": {"waiting": waiting}}]
    world.store(pod)
    world.apply_run(gates={"deployTimeoutSeconds": 5})
    await live(world, operator(world))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, "ApplicationNotAvailable")
    assert "Deployment cart: ImagePullBackOff: no such image" in status.message
    assert policies(world) == {}


async def test_api_server_away_for_a_while() -> None:
    world = World()
    world.apply_run()
    runtime = operator(world)
    await live(world, runtime, looks=1)

    def away(method: str, path: str) -> None:
        raise errors.Unreachable("nobody answers")

    world.before = away
    for _ in range(30):
        assert await reconcile.look(runtime, REF) is False
        world.now += dt.timedelta(seconds=1)
    world.before = lambda method, path: None
    await live(world, runtime)
    assert world.run().status.phase is Phase.COMPLETED
    assert policies(world) == POLICY_CHANGES


SECOND = RunRef("default", "second", "11111111-6f6b-4f0e-9f1c-3a4b5c6d7e8f")


async def test_the_second_run_waits_for_the_first_and_says_so() -> None:
    world = World()
    world.submits = False
    world.apply_run()
    runtime = operator(world)
    await live(world, runtime, looks=3)
    world.advance(5)
    world.apply_run("control", SECOND)
    await live(world, runtime, SECOND, looks=2)
    queued = world.run(SECOND).status.condition(ConditionType.QUEUED)
    assert queued is not None
    assert (queued.status, queued.message) == (True, "waits for default/first (Attempting)")
    world.submits = True
    await live(world, runtime)
    await live(world, runtime, SECOND)
    assert world.run(SECOND).status.phase is Phase.COMPLETED
    after = world.run(SECOND).status.condition(ConditionType.QUEUED)
    assert after is not None
    assert after.status is False


async def test_a_lock_whose_holder_is_over_or_gone_is_taken_over() -> None:
    world = World()
    await finish(world)
    world.apply_run("control", SECOND)
    kube, second = world, world.run(SECOND)
    for holder in (REF.uid, "no-such-run"):
        world.store(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "application-otel-demo", "namespace": "reprise-system", "labels": {}},
                "spec": {"holderIdentity": holder},
            }
        )
        assert await lease.acquire(kube, second) == SECOND.uid
        # Releasing what is not ours changes nothing.
        await lease.release(kube, world.run(REF))
        assert len(world.of_kind("Lease")) == 1


async def test_without_the_finalizer_nothing_is_injected() -> None:
    world = World()
    world.apply_run()
    found = world.run_object()
    found["metadata"]["finalizers"] = []
    world.store(found)
    await live(world, operator(world), looks=10)
    assert world.run().status.phase is Phase.INJECTING
    assert world.run().status.reason == "WaitingForFinalizer"
    assert policies(world) == {}


async def test_what_did_not_change_is_not_written() -> None:
    world = World()
    world.submits = False
    world.apply_run()
    runtime = operator(world)
    await live(world, runtime, looks=10)
    version = world.run_object()["metadata"]["resourceVersion"]
    before = len(world.writes())
    await live(world, runtime, looks=10)
    assert world.run_object()["metadata"]["resourceVersion"] == version
    assert len(world.writes()) == before


async def test_status_survives_the_wire() -> None:
    world = World()
    await finish(world)
    status = world.run().status
    wire = benchmark_run.status_to_wire(status)
    assert benchmark_run.status_from_wire(benchmark_run.Status.model_validate(wire)) == status
    assert reconcile.difference(wire, wire) == {}
    fewer = {**wire, "timeline": {"baselineAt": wire["timeline"]["baselineAt"]}}
    assert reconcile.difference(wire, fewer)["timeline"]["injectedAt"] is None
    assert reconcile.difference(wire, {k: v for k, v in wire.items() if k != "drift"}) == {"drift": None}


async def test_a_full_disk_while_recording_ends_the_run_and_says_so() -> None:
    class Full:
        async def record(self, run: Run) -> NoReturn:
            raise errors.Refused("expected a place to write the snapshot to, found: No space left on device")

    world = World()
    world.apply_run()
    await live(world, dataclasses.replace(operator(world), recorder=Full()))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, "Refused")
    assert "No space left on device" in status.message
    recorded = status.condition(ConditionType.RECORDED)
    assert recorded is not None
    assert (recorded.status, recorded.reason) == (False, "Refused")
    assert not world.broken(), "the fault is taken back"
