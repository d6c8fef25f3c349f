"""Two switches in one ConfigMap: both are set, and both are taken back."""

import json
from typing import Any

import pytest
from tests.fakes.kube import FakeKube
from tests.unit.faults import shop
from tests.unit.itbench import table

from reprise.adapters import scenario_files
from reprise.adapters.engine import Engine

TEXT = (table.ROOT / "manifests/otel-demo/config/demo.flagd.json").read_text()
COMPOUNDS = {
    name: scenario
    for name, scenario in scenario_files.load_all(table.ROOT / "scenarios").items()
    if len(scenario.faults) == 2 and {fault.mechanism for fault in scenario.faults} == {"feature-flag"}
}


def switched(kube: FakeKube) -> dict[str, Any]:
    """The flags that are not as the release has them."""
    (held,) = [
        item["data"]["demo.flagd.json"]
        for item in kube.objects().values()
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "flagd-config"
    ]
    flags, before = json.loads(held)["flags"], json.loads(TEXT)["flags"]
    return {key: flag["defaultVariant"] for key, flag in flags.items() if flag != before[key]}


def test_there_are_some() -> None:
    assert len(COMPOUNDS) >= 4


@pytest.mark.parametrize("name", sorted(COMPOUNDS))
async def test_both_are_set_and_taken_back(name: str) -> None:
    scenario = COMPOUNDS[name]
    others = [item for item in shop.manifests() if item["metadata"]["name"] != "flagd-config"]
    kube = FakeKube(*others, shop.flags(TEXT))
    engine = Engine(kube)
    plan = await engine.plan(scenario, shop.NAMESPACE, 1)
    await engine.apply(plan)
    assert switched(kube) == {fault.params["flag"]: fault.params["variant"] for fault in scenario.faults}
    truth = await engine.truth(plan)
    assert {str(cause.entity) for cause in truth.root_causes} == {f"{shop.NAMESPACE}/ConfigMap/flagd-config"}
    await engine.revert(plan)
    assert switched(kube) == {}
