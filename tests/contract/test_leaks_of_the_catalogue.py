"""Every scenario of the catalogue: what passes the gateway's rules with its fault in names nothing of ours.

No cluster. The live hunt (tests/live/test_leak.py, and the one in every proof) reads what a cluster adds.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract import incidents
from tests.unit.faults.test_planners import TELLING

from reprise.adapters import scenario_files
from reprise.domain import access, redaction
from reprise.domain.scenario import Injector, Scenario
from reprise.faults import registry
from reprise.gateway import shape
from reprise.proof.crawl import Answer, Question
from reprise.proof.hunt import Hunter

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
SCENARIOS = scenario_files.load_all(ROOT / "scenarios")


def path_of(item: Json) -> access.ApiPath:
    """Where the API server has the object."""
    group, _, version = item["apiVersion"].rpartition("/")
    word = item["kind"].lower()
    ending = {"y": word[:-1] + "ies", "s": word + "es"}
    plural = word if word == "endpoints" else ending.get(word[-1], word + "s")
    meta = item["metadata"]
    return access.ApiPath(group, version, meta.get("namespace", ""), plural, meta["name"], "")


def through_the_door(item: Json, view: redaction.View) -> Iterator[bytes]:
    """The object in every form in which the gateway gives it; nothing where it gives none."""
    path = path_of(item)
    if "get" not in access.verbs(path.group, path.resource, view.injector_hidden):
        return
    row = {"cells": [path.name, *_texts(item.get("spec"))], "object": item}
    for body in (
        shape.as_object(view, path, item),
        shape.as_partial(view, path, item),
        *(shape.as_row(view, path, row, include) for include in ("None", "Metadata", "Object")),
    ):
        if body is not None:
            yield body


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value: whatever of it the server may make a cell of."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def view_of(scenario: Scenario) -> redaction.View:
    return redaction.View(incidents.WINDOW_START, scenario.injector is Injector.HIDDEN)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_nothing_of_ours_passes_the_door(name: str, record_property: Any) -> None:
    scenario = SCENARIOS[name]
    found = incidents.incident(scenario)
    hunter = Hunter.of(found.document, incidents.lite.NAMESPACE)
    for item in found.objects:
        for body in through_the_door(item, view_of(scenario)):
            hunter.hear(Question(path_of(item).url()), Answer(200, body))
    record_property("answers", hunter.tried)
    assert hunter.findings == []
    assert hunter.tried > 300


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_what_is_changed_does_not_say_that_it_was_meant(name: str) -> None:
    """The names and values that the plan writes into the application, in this scenario's own words."""
    scenario = SCENARIOS[name]
    if any(registry.MECHANISMS[fault.mechanism].composes for fault in scenario.faults):
        return  # the application's own text
    for item in incidents.incident(scenario).changed:
        if item["apiVersion"].startswith("chaos-mesh.org/"):
            continue
        assert not TELLING.search(item["metadata"]["name"]), item["metadata"]["name"]
        # `rollout restart` would leave it on what the fault is in.
        assert "restartedAt" not in json.dumps(item)


def test_without_the_rules_there_is_a_lot_to_find() -> None:
    """Else finding nothing would mean nothing."""
    scenario = next(
        one
        for one in SCENARIOS.values()
        if one.injector is Injector.HIDDEN and any("chaos" in fault.mechanism for fault in one.faults)
    )
    found = incidents.incident(scenario)
    hunter = Hunter.of(found.document, incidents.lite.NAMESPACE)
    for item in found.objects:
        hunter.hear(Question(path_of(item).url()), Answer(200, json.dumps(item).encode()))
    said = "\n".join(hunter.findings)
    for token in ("reprise", "kopf", "chaos-mesh", scenario.name, incidents.RUN_UID):
        assert repr(token) in said, token
    for kind in ("a root cause", "name of the run", "uid of the run", "name of the scenario"):
        assert f"({kind})" in said, kind


@pytest.mark.parametrize(
    "planted",
    ["for {scenario}", "{run}", "{truth}", "applied by reprise", "kopf.dev/last-handled", "{mechanism}"],
)
def test_a_leak_in_an_object_of_the_application_is_found(planted: str) -> None:
    scenario = SCENARIOS["frontend-unreachable"]
    found = incidents.incident(scenario)
    text = planted.format(
        scenario=scenario.name,
        run=incidents.RUN_UID,
        truth=found.document["truth"][0]["entity"],
        mechanism=scenario.faults[0].mechanism,
    )
    hunter = Hunter.of(found.document, incidents.lite.NAMESPACE)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"note": text}}
    # A door without rules: what they would have taken out for a word of ours is not the point here.
    hunter.hear(Question("/"), Answer(200, json.dumps(config).encode()))
    assert len(hunter.findings) == 1
