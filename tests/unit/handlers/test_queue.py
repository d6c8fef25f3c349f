"""Who waits for whom: by application, and by what is felt in the whole cluster."""

import datetime as dt
from typing import Any

import pytest
from tests.unit.handlers import world

from reprise.adapters.wire import benchmark_run, model
from reprise.domain.entities import ObjectRef
from reprise.domain.run import Run
from reprise.handlers import lease


def item(name: str, scenario: str, namespace: str, phase: str, at: int) -> dict[str, Any]:
    return {
        "apiVersion": model.API_VERSION,
        "kind": benchmark_run.KIND,
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:00:{at:02}Z",
        },
        "spec": {"scenario": scenario, "application": {"namespace": namespace}},
        "status": {"phase": phase},
    }


def run(entry: dict[str, Any]) -> Run:
    return benchmark_run.from_object(entry)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([("narrow", "a", "Baseline", 1)], "default/0 (Baseline)", id="same application"),
        pytest.param([("narrow", "b", "Baseline", 1)], "", id="another application"),
        pytest.param([("wide", "b", "Manifesting", 9)], "default/0 (Manifesting)", id="a wide one is active"),
        pytest.param([("wide", "b", "Pending", 1)], "default/0 (Pending)", id="an older wide one waits"),
        pytest.param([("wide", "b", "Pending", 9)], "", id="a younger wide one waits"),
        pytest.param([("wide", "b", "Completed", 1)], "", id="a wide one is over"),
    ],
)
def test_a_run_of_one_application(others: list[tuple[str, str, str, int]], expected: str) -> None:
    mine = item("mine", "narrow", "a", "Pending", 5)
    rest = [item(str(n), *other) for n, other in enumerate(others)]
    assert lease.ahead(run(mine), [mine, *rest], {"wide"}) == expected


def test_a_run_that_is_felt_everywhere_waits_for_all() -> None:
    mine = item("mine", "wide", "a", "Pending", 1)
    other = item("other", "narrow", "b", "Attempting", 5)
    assert lease.ahead(run(mine), [mine, other], {"wide"}) == "default/other (Attempting)"


async def test_a_scenario_of_ones_own_runs(tmp_path: Any) -> None:
    there = world.World()
    runtime = world.operator(there)
    text = """\
name: own
title: t
symptom: s
difficulty: easy
application: otel-demo
faults:
  - mechanism: service-selector-invalid
    target: {kind: Service, name: cart}
"""
    await runtime.scenarios.save(text, tmp_path / "own.yaml")  # type: ignore[attr-defined]
    there.apply_run("own", agent={"kind": "none"})
    there.now += dt.timedelta(seconds=120)
    await world.live(there, runtime)
    status = there.run().status
    assert (status.phase, status.injection and status.injection.inverted) == ("Completed", 1)


async def test_a_name_of_the_products_own_is_refused(tmp_path: Any) -> None:
    store = world.operator(world.World()).scenarios
    text = "name: control\ntitle: t\nsymptom: s\ndifficulty: hard\napplication: otel-demo\nfaults: []\n"
    with pytest.raises(Exception, match="expected a name that the product has not, found 'control'"):
        await store.save(text, tmp_path / "control.yaml")  # type: ignore[attr-defined]


async def test_what_the_cluster_lacks_is_said_before_anything_is_deployed() -> None:
    there = world.World()
    (enforcer,) = there.of_kind("Pod", "kube-system")
    await there.delete(ObjectRef("v1", "Pod", "kube-system", enforcer["metadata"]["name"]))
    runtime = world.operator(there)
    there.apply_run("two-faults")
    await world.live(there, runtime)
    status = there.run().status
    assert (status.phase, status.reason) == ("Invalid", "Unsupported")
    assert "enforces NetworkPolicy" in status.message
    assert [start.phase for start in status.phases] == ["Pending", "Invalid"]
