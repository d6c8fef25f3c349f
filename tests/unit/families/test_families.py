"""The table of families, against the release, the manifests, the mechanisms and the alert rules."""

import json
from itertools import combinations
from typing import Any

import pytest
import yaml
from tests.unit.families import lite

from reprise.domain import errors
from reprise.domain.symptoms import AlertSymptom
from reprise.faults import registry
from reprise.faults.families import shop, table
from reprise.faults.families.family import Family
from reprise.faults.families.table import Wanted
from reprise.faults.mechanism import Observed

RELEASE: dict[str, Any] = json.loads((lite.ROOT / "tests/data/otel-demo-2.2.0.json").read_text())
RULES = {
    rule["alert"]
    for path in (lite.ROOT / "manifests/observability/rules").glob("*.yaml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
FAMILIES = sorted(table.FAMILIES)


@pytest.fixture(scope="module")
def observed() -> Observed:
    return lite.observed()


def test_the_space_holds_a_thousand_that_most_clusters_can_host() -> None:
    usual = table.choose(Wanted())
    assert table.sizes(usual).single >= 1000
    assert not any(one.seldom_supported or one.cluster_wide for one in usual)
    everything = table.choose(Wanted(unsupported=True, cluster_wide=True))
    assert len(everything) == len(table.FAMILIES)
    assert table.sizes(everything).single == sum(len(one.points) for one in table.FAMILIES.values())


def test_no_two_incidents_are_the_same() -> None:
    keys = [point.key(one.mechanism) for one in table.FAMILIES.values() for point in one.points]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_hold_no_choice_of_the_seed(name: str) -> None:
    """Names of created objects are the seed's: they would make two incidents of one."""
    chosen = {"name", "allow", "claim", "storage_class", "password", "binding", "target_port"}
    for point in table.FAMILIES[name].points:
        assert not chosen & set(point.params), point


@pytest.mark.parametrize("name", FAMILIES)
def test_every_incident_can_be_planned(name: str, observed: Observed) -> None:
    one = table.FAMILIES[name]
    for point in one.points:
        fault = point.fault(name)
        assert registry.check(fault) == ()
        for seed in (1, 2026):
            made = registry.inject(fault, seed, observed)
            assert made.mutations, point
            assert made.causes, point


@pytest.mark.parametrize("name", FAMILIES)
def test_targets_are_of_the_release(name: str) -> None:
    there = {
        "Deployment": {w for w, spec in RELEASE["workloads"].items() if spec["kind"] == "Deployment"},
        "Service": set(RELEASE["services"]),
        "ConfigMap": set(RELEASE["configMaps"]),
    }
    for point in table.FAMILIES[name].points:
        assert point.name in there[point.kind]
        assert point.hurts in there["Deployment"]
        if "variable" in point.params:
            (container,) = [
                c for c in RELEASE["workloads"][point.name]["containers"] if c["name"] == point.name
            ]
            current = container["env"][point.params["variable"]]
            assert isinstance(current, str)
            assert current != point.params.get("value")
        if "flag" in point.params:
            flag = RELEASE["flags"][point.params["flag"]]
            assert point.params["variant"] in {*flag["variants"]} - {flag["defaultVariant"]}
        for other in ("peer", "apart_from"):
            assert point.params.get(other, point.hurts) in there["Deployment"]


@pytest.mark.parametrize("name", FAMILIES)
def test_something_must_show_and_its_alert_exists(name: str) -> None:
    for point in table.FAMILIES[name].points:
        assert any(symptom.required for symptom in point.symptoms), point
        names = [symptom.name for symptom in point.symptoms]
        assert len(set(names)) == len(names)
        for symptom in point.symptoms:
            if isinstance(symptom, AlertSymptom):
                assert symptom.alert in RULES
                known = {*shop.WORKLOADS, "load-generator"}
                assert set(symptom.labels.values()) <= known


def test_the_shop_is_the_release() -> None:
    deployed = {name for name, spec in RELEASE["workloads"].items() if spec["kind"] == "Deployment"}
    assert {*shop.WORKLOADS, "load-generator"} <= deployed
    assert set(shop.SERVED) == set(RELEASE["services"]) & set(shop.WORKLOADS)
    for caller, callee in shop.edges():
        assert callee in deployed, caller
    waits = {
        name: container.removeprefix("wait-for-")
        for name, spec in RELEASE["workloads"].items()
        for container in spec["initContainers"]
        if container.startswith("wait-for-")
    }
    assert waits == dict(shop.STARTS_AFTER)


def names(chosen: tuple[Family, ...]) -> set[str]:
    return {one.mechanism for one in chosen}


def test_requests_choose_families() -> None:
    usual = names(table.choose(Wanted()))
    assert "coredns-misconfigured" not in usual
    assert "network-chaos-delay" not in usual
    assert names(table.choose(Wanted(cluster_wide=True))) - usual == {
        name for name in FAMILIES if table.FAMILIES[name].cluster_wide
    }
    assert names(table.choose(Wanted(tags=["database", "locking"]))) == {
        "postgresql-lock-held",
        "postgresql-slow-query",
    }
    two = ["service-deleted", "feature-flag"]
    assert names(table.choose(Wanted(mechanisms=two))) == set(two)
    assert table.choose(Wanted(mechanisms=two, tags=["locking"])) == ()


def test_words_that_no_family_knows_are_all_named() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        table.choose(Wanted(tags=["netwrok"], mechanisms=["label-changed"]))
    assert len(caught.value.problems) == 2
    assert "found 'netwrok'" in caught.value.problems[0]
    assert "found 'label-changed'" in caught.value.problems[1]


def test_independent_faults_hide_nothing_of_each_other() -> None:
    chosen = table.choose(Wanted())
    pairs = [(a, b) for a, b in combinations(list(table.combinable(chosen)), 2) if table.independent(a, b)]
    assert len(pairs) == table.sizes(chosen).double
    for (family_a, a), (family_b, b) in pairs[:: len(pairs) // 2000]:
        assert family_a.mechanism != family_b.mechanism
        assert a.hurts != b.hurts
        assert {a.hurts, b.hurts} != {"kafka", "checkout"}
    alone = {"resource-quota-insufficient", "limit-range-rejecting"}
    assert not alone & {one.mechanism for one, _ in table.combinable(chosen)}
    # What only callers tell could be told of the other fault.
    assert "service-deleted" not in {one.mechanism for one, _ in table.combinable(chosen)}
