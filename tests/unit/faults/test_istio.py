"""Faults in a service mesh: their objects against the shape of Istio's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import EXTRA
from tests.unit.faults.test_planners import FAULTS, inject, with_params

from reprise.domain import errors, paths
from reprise.domain.mutation import Create, Patch, SetField
from reprise.domain.scenario import Fault
from reprise.faults import registry
from reprise.faults.mechanism import Json, Requirement

# The fields of security.istio.io/v1 that policies are made of; closed, unlike the API, so that a slip shows.
SHAPES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data/istio-security-v1.json").read_text())
_TYPES = {"object": dict, "array": list, "string": str}


def misfits(value: Any, shape: dict[str, Any], place: str = "spec") -> list[str]:
    if not isinstance(value, _TYPES[shape["type"]]):
        return [f"{place}: expected {shape['type']}, found {value!r}"]
    if "enum" in shape and value not in shape["enum"]:
        return [f"{place}: expected one of {shape['enum']}, found {value!r}"]
    found: list[str] = []
    if isinstance(value, dict):
        known = shape.get("properties")
        for key, entry in value.items():
            if "values" in shape:
                found += misfits(entry, shape["values"], f"{place}.{key}")
            elif known is not None and key not in known:
                found.append(f"{place}.{key}: unknown")
            elif known is not None:
                found += misfits(entry, known[key], f"{place}.{key}")
    if isinstance(value, list):
        for index, entry in enumerate(value):
            found += misfits(entry, shape["items"], f"{place}[{index}]")
    return found


def test_misfits_are_found() -> None:
    assert misfits({"mtls": {"mode": "strict"}, "selectors": {}}, SHAPES["PeerAuthentication"]) != []


def created(mechanism: str, **params: Any) -> Json:
    fault = FAULTS[mechanism]
    (mutation,) = inject(Fault(mechanism, fault.kind, fault.name, params)).mutations
    assert isinstance(mutation, Create)
    assert mutation.manifest["apiVersion"] == "security.istio.io/v1"
    assert mutation.manifest["metadata"]["namespace"] == shop.NAMESPACE
    return mutation.manifest


@pytest.mark.parametrize("name", ["istio-mtls-strict", "istio-authorization-denied"])
def test_shape(name: str) -> None:
    manifest = created(name)
    assert misfits(manifest["spec"], SHAPES[manifest["kind"]]) == []
    assert manifest["spec"]["selector"] == {"matchLabels": {"app": "cart"}}
    assert registry.MECHANISMS[name].requires == {Requirement.ISTIO}


def test_mutual_tls_is_demanded() -> None:
    manifest = created("istio-mtls-strict", name="peers")
    assert manifest["metadata"]["name"] == "peers"
    assert manifest["spec"]["mtls"] == {"mode": "STRICT"}


def test_the_one_caller_does_not_exist() -> None:
    spec = created("istio-authorization-denied", account="edge")["spec"]
    assert spec["action"] == "ALLOW"
    assert spec["rules"] == [{"from": [{"source": {"principals": ["cluster.local/ns/otel-demo/sa/edge"]}}]}]
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "edge", "namespace": shop.NAMESPACE},
    }
    with pytest.raises(errors.InvalidInput, match="that does not exist, found 'edge', which does"):
        inject(
            with_params("istio-authorization-denied", account="edge"),
            observed=shop.observed(*EXTRA, account),
        )


def test_the_namespace_leaves_the_mesh() -> None:
    injection = inject(FAULTS["istio-ambient-disabled"])
    (mutation,) = injection.mutations
    assert isinstance(mutation, Patch)
    assert mutation.changes == (SetField(("metadata", "labels", "istio.io/dataplane-mode"), paths.ABSENT),)
    assert str(mutation.ref) == "Namespace/otel-demo"
    assert [cause.ref for cause in injection.causes] == [mutation.ref]


@pytest.mark.parametrize("labels", [{}, {"istio.io/dataplane-mode": "none"}])
def test_a_namespace_outside_of_the_mesh_is_unsupported(labels: dict[str, str]) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "otel-demo", "labels": labels}}
    with pytest.raises(errors.Unsupported, match="to be in an ambient mesh"):
        inject(FAULTS["istio-ambient-disabled"], observed=shop.observed(*EXTRA, namespace))
