"""Experiments of Chaos Mesh: when they are in force, when they are gone, and what is done where they hang."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fakes.kube import FakeKube
from tests.unit.faults import shop

from reprise.adapters import engine, engine_chaos, engine_plan, engine_steps, preflight
from reprise.domain import errors, plan, truth
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import BeforeCreate, Create, PlannedMutation
from reprise.domain.scenario import Difficulty, Fault, Injector, Scenario, TruthPolicy
from reprise.faults.mechanism import Requirement

Json = dict[str, Any]
API = "chaos-mesh.org/v1alpha1"
ONE = ObjectRef(API, "PodChaos", "chaos-mesh", "abcde")
SCHEDULE = ObjectRef(API, "Schedule", "chaos-mesh", "abcde")
LEFT = "2026-01-01T12:00:00Z"


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 1, 12, minute, second, tzinfo=UTC)


def experiment(
    name: str = "abcde",
    conditions: dict[str, bool] | None = None,
    records: list[Json] | None = None,
    **metadata: Any,
) -> Json:
    return {
        "apiVersion": API,
        "kind": "PodChaos",
        "metadata": {"name": name, "namespace": "chaos-mesh", **metadata},
        "spec": {},
        "status": {
            "conditions": [{"type": k, "status": str(v)} for k, v in (conditions or {}).items()],
            "experiment": {"containerRecords": records or []},
        },
    }


def schedule(begun: bool) -> Json:
    status = {"time": LEFT} if begun else {}
    meta = {"name": "abcde", "namespace": "chaos-mesh"}
    return {
        "apiVersion": API,
        "kind": "Schedule",
        "metadata": meta,
        "spec": {"type": "PodChaos"},
        "status": status,
    }


def pod(name: str, namespace: str = "otel-demo", **status: Any) -> Json:
    meta = {"name": name, "namespace": namespace, "labels": {"app": "cart"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": status}


FAILED = {"id": "otel-demo/cart-1", "events": [{"type": "Failed", "message": "no such qdisc"}]}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(experiment(conditions={"AllInjected": True, "Selected": True}), "", id="in force"),
        pytest.param(experiment(), "to be in force", id="new"),
        pytest.param(
            experiment(conditions={"Selected": False}), "to find a pod that runs", id="nobody selected"
        ),
        pytest.param(
            experiment(conditions={"AllInjected": False}, records=[FAILED]), "no such qdisc", id="failed"
        ),
    ],
)
async def test_an_experiment_is_in_force_when_it_says_so(found: Json, words: str) -> None:
    said = await engine_chaos.injected(FakeKube(found), ONE)
    assert words in said
    assert bool(said) is bool(words)


async def test_an_experiment_that_is_gone_is_not_waited_for() -> None:
    assert await engine_chaos.injected(FakeKube(), ONE) == ""


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        pytest.param([schedule(False)], "to begin", id="not begun"),
        pytest.param([schedule(True)], "", id="between two"),
        pytest.param(
            [schedule(True), experiment("abcde-1", labels={"managed-by": "abcde"})], "in force", id="runs"
        ),
        pytest.param(
            [schedule(True), experiment("other-1", labels={"managed-by": "other"})], "", id="another's"
        ),
        pytest.param(
            [
                schedule(True),
                experiment("abcde-1", records=[{"injectedCount": 1}], labels={"managed-by": "abcde"}),
            ],
            "",
            id="was in force",
        ),
    ],
)
async def test_a_schedule_is_in_force_once_its_first_is(objects: list[Json], words: str) -> None:
    said = await engine_chaos.injected(FakeKube(*objects), SCHEDULE)
    assert words in said
    assert bool(said) is bool(words)


HIT = {"id": "otel-demo/cart-1/cart", "phase": "Injected"}
SPARED = {"id": "otel-demo/cart-2/cart", "phase": "Not Injected"}


def hanging() -> FakeKube:
    found = experiment(records=[HIT, SPARED], deletionTimestamp=LEFT, finalizers=["chaos-mesh/records"])
    return FakeKube(found, pod("cart-1"), pod("cart-2"))


async def test_a_hanging_experiment_is_let_go_of_with_the_pods_that_it_hit() -> None:
    kube = hanging()
    assert await engine_chaos.released(kube, ONE, "PodChaos", at(1))
    names = {path.rpartition("/")[2] for path in kube.objects()}
    assert names == {"abcde", "cart-2"}
    found = await kube.get(ONE)
    assert found is not None
    assert found["metadata"]["finalizers"] == []


async def test_it_gets_time_first_by_the_objects_own_clock() -> None:
    kube = hanging()
    assert await engine_chaos.released(kube, ONE, "PodChaos", at(0, 30))
    assert kube.writes() == []


async def test_nobody_is_let_go_of_who_is_not_leaving_or_is_no_experiment() -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "otel-demo", "deletionTimestamp": LEFT, "finalizers": ["x"]},
        "spec": {},
    }
    kube = FakeKube(experiment(records=[HIT], finalizers=["chaos-mesh/records"]), policy, pod("cart-1"))
    await engine_chaos.release(kube, ONE, at(9))
    await engine_chaos.release(
        kube, ObjectRef("networking.k8s.io/v1", "NetworkPolicy", "otel-demo", "p"), at(9)
    )
    assert kube.writes() == []


async def test_chaos_mesh_that_is_at_it_after_all_is_left_alone() -> None:
    kube = hanging()

    def change(method: str, path: str) -> None:
        if method == "DELETE":
            kube.store(
                experiment(records=[SPARED], deletionTimestamp=LEFT, finalizers=["chaos-mesh/records"])
            )

    kube.before = change
    await engine_chaos.release(kube, ONE, at(1))
    found = await kube.get(ONE)
    assert found is not None
    assert found["metadata"]["finalizers"] == ["chaos-mesh/records"]


async def test_one_that_somebody_changed_does_not_hold_up_recovery() -> None:
    assert await engine_chaos.released(FakeKube(experiment()), ONE, "PodChaos", at(9)) == ""


async def test_what_a_schedule_made_goes_with_it() -> None:
    kube = FakeKube(
        experiment("abcde-1", labels={"managed-by": "abcde"}),
        experiment("other-1", labels={"managed-by": "other"}),
    )
    assert "1 of" in await engine_chaos.released(kube, SCHEDULE, "PodChaos", at(0))
    assert await engine_chaos.released(kube, SCHEDULE, "PodChaos", at(0)) == ""
    assert {path.rpartition("/")[2] for path in kube.objects()} == {"other-1"}


async def test_recovery_lets_go_of_what_hangs() -> None:
    kube = hanging()
    manifest = {k: v for k, v in experiment().items() if k != "status"}
    planned = plan.Plan(
        scenario="s",
        namespace="otel-demo",
        seed=0,
        mutations=(PlannedMutation(Create(manifest), BeforeCreate()),),
        settle=(),
        recover=(plan.WaitReleased(ONE, "PodChaos"),),
        truth=truth.Truth(()),
    )
    progress = await engine.Engine(kube).revert(planned)
    assert not progress.settled
    found = await kube.get(ONE)
    assert found is not None
    assert found["metadata"]["finalizers"] == [], "2026-01-01 is long ago"
    kube.drop(API, "PodChaos", "chaos-mesh", "abcde")
    assert (await engine.Engine(kube).revert(planned)).settled


@pytest.mark.parametrize(
    ("state", "replaced"),
    [
        ({"waiting": {"reason": "CrashLoopBackOff"}}, True),
        ({"terminated": {"exitCode": 137}}, True),
        ({"waiting": {"reason": "ContainerCreating"}}, False),
        ({"running": {}}, False),
    ],
)
async def test_pods_in_back_off_are_replaced_and_others_are_not(state: Json, replaced: bool) -> None:
    statuses = [{"name": "cart", "state": state}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "otel-demo"},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}},
    }
    kube = FakeKube(deployment, pod("cart-1", containerStatuses=statuses), pod("cart-2"))
    step = plan.ReplaceBackedOff(ObjectRef("apps/v1", "Deployment", "otel-demo", "cart"))
    assert ("1 pods" in await engine_steps.perform(kube, step, at(0))) is replaced
    assert await engine_steps.perform(kube, step, at(0)) == ""
    left = [path.rpartition("/")[2] for path in kube.objects() if "/pods/" in path]
    assert left == (["cart-2"] if replaced else ["cart-1", "cart-2"])


# -- what the cluster must have ---------------------------------------------------------------------


def controller(ready: int) -> Json:
    meta = {"name": "chaos-controller-manager", "namespace": "chaos-mesh"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "status": {"readyReplicas": ready},
    }


def daemons(ready: int, wanted: int) -> Json:
    status = {"numberReady": ready, "desiredNumberScheduled": wanted}
    meta = {"name": "chaos-daemon", "namespace": "chaos-mesh"}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "status": status}


def daemon(node: str, message: str | None, state: str = "state") -> Json:
    found = {"name": "probe", state: {"terminated": {"message": message}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"chaos-daemon-{node}",
            "namespace": "chaos-mesh",
            "ownerReferences": [{"kind": "DaemonSet", "name": "chaos-daemon", "uid": "1"}],
        },
        "spec": {"nodeName": node},
        "status": {"initContainerStatuses": [] if message is None else [found]},
    }


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        pytest.param([controller(1), daemons(2, 2)], "", id="all there"),
        pytest.param([daemons(2, 2)], "chaos-controller-manager", id="no controller"),
        pytest.param([controller(1)], "chaos-daemon", id="no daemon"),
        pytest.param([controller(0), daemons(2, 2)], "found no ready replica", id="controller down"),
        pytest.param([controller(1), daemons(1, 2)], "on 2 nodes, found it on 1", id="a daemon down"),
    ],
)
async def test_chaos_mesh_must_run(objects: list[Json], words: str) -> None:
    said = await preflight.lacks(FakeKube(*objects), Requirement.CHAOS_MESH)
    assert words in said
    assert bool(said) is bool(words)


async def test_chaos_mesh_must_be_served() -> None:
    kube = FakeKube()
    del kube._resources[API]
    assert "install it" in await preflight.lacks(kube, Requirement.CHAOS_MESH)


OK = "netem ok\nprio ok\ntbf ok\nipset ok\ntproxy ok\ntoda ok\nbyteman ok\n"
UNKNOWN = OK.replace("netem ok", "netem Error: Specified qdisc kind is unknown. ")


@pytest.mark.parametrize(
    ("requirement", "pods", "words"),
    [
        (Requirement.NETEM, [daemon("a", OK), daemon("b", OK)], ""),
        (Requirement.NETEM, [daemon("a", OK, "lastState")], ""),
        (
            Requirement.NETEM,
            [daemon("a", OK), daemon("b", UNKNOWN)],
            "sch_netem on node b, found: Error: Specified",
        ),
        (
            Requirement.NETEM,
            [daemon("a", OK.replace("prio ok", "prio no"))],
            "sch_prio and sch_sfq on node a",
        ),
        (Requirement.NETEM, [daemon("a", None)], "no answer"),
        (Requirement.NETEM, [], "no pod of"),
        (Requirement.TBF, [daemon("a", UNKNOWN)], ""),
        (
            Requirement.TPROXY,
            [daemon("a", OK.replace("tproxy ok", "tproxy no program"))],
            "found: no program",
        ),
        (Requirement.TODA, [daemon("a", OK.replace("toda ok", "toda none"))], "toda in the image"),
        (Requirement.BYTEMAN, [daemon("a", OK)], ""),
    ],
)
async def test_what_the_daemons_tried_is_what_nodes_can(
    requirement: Requirement, pods: list[Json], words: str
) -> None:
    said = await preflight.lacks(FakeKube(*pods), requirement)
    assert words in said
    assert bool(said) is bool(words)


async def test_names_are_answered_by_a_server_of_chaos_mesh() -> None:
    assert "DNS server" in await preflight.lacks(FakeKube(), Requirement.CHAOS_DNS)
    meta = {"name": "chaos-mesh-dns-server", "namespace": "chaos-mesh"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {}}
    assert await preflight.lacks(FakeKube(service), Requirement.CHAOS_DNS) == ""


async def test_a_scenario_says_all_that_is_missing() -> None:
    with pytest.raises(errors.Unsupported) as caught:
        await preflight.check(FakeKube(), [Requirement.CHAOS_MESH, Requirement.NETEM])
    assert "chaos-controller-manager" in str(caught.value)
    assert "sch_netem" in str(caught.value)


@pytest.mark.parametrize(("params", "kind"), [({}, "PodChaos"), ({"schedule": "@every 20s"}, "Schedule")])
@pytest.mark.parametrize("counts", [True, False])
def test_an_experiment_that_agents_see_is_the_cause_where_the_scenario_says_so(
    params: dict[str, str], kind: str, counts: bool
) -> None:
    kill, policy = Fault("pod-chaos-pod-kill", "Deployment", "cart", params), TruthPolicy(experiments=counts)
    wanted = Scenario(
        "a", "b", "c", Difficulty.EASY, (), "otel-demo", (kill,), (), policy, injector=Injector.VISIBLE
    )
    faults, _ = engine_plan.inject(wanted, 1, shop.observed())
    (cause,) = engine_plan.truth(wanted, faults, "otel-demo").root_causes
    assert str(cause.entity) == "otel-demo/Deployment/cart"
    assert [(e.namespace, e.kind) for e in cause.equivalents] == ([("chaos-mesh", kind)] if counts else [])
