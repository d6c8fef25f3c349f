"""The values for the upstream chart, against what the chart renders. The chart itself is not run here."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (ROOT / "manifests" / "otel-demo-upstream" / "values.yaml").read_text()
    )
    return loaded


@pytest.fixture(scope="module")
def containers() -> dict[str, dict[str, Any]]:
    """Container name → its environment, as the chart renders it."""
    reference = json.loads((ROOT / "tests" / "data" / "otel-demo-2.2.0.json").read_text())
    return {
        container["name"]: container["env"]
        for workload in reference["workloads"].values()
        for container in workload["containers"]
    }


def overrides(block: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in block["envOverrides"]}


def test_every_sub_chart_is_off(values: dict[str, Any]) -> None:
    parts = {key: block for key, block in values.items() if key not in {"default", "components"}}
    assert parts == {
        name: {"enabled": False}
        for name in ("opentelemetry-collector", "jaeger", "prometheus", "grafana", "opensearch")
    }


def test_every_telemetry_address_follows_the_collectors_name(
    values: dict[str, Any], containers: dict[str, dict[str, Any]]
) -> None:
    assert overrides(values["default"])["OTEL_COLLECTOR_NAME"] == "jaeger.observability.svc.cluster.local"
    fixed = {
        (name, key)
        for name, environment in containers.items()
        for key, value in environment.items()
        if "otel-collector" in str(value) and key != "OTEL_COLLECTOR_NAME"
    }
    assert fixed == set()
    following = [
        name
        for name, environment in containers.items()
        if any("$(OTEL_COLLECTOR_NAME)" in str(value) for value in environment.values())
    ]
    assert {"checkout", "frontend-proxy", "flagd", "kafka"} <= set(following)


def test_overridden_variables_of_components_exist(
    values: dict[str, Any], containers: dict[str, dict[str, Any]]
) -> None:
    unknown = {
        (component, name)
        for component, block in values["components"].items()
        for name in overrides(block)
        if name not in containers.get(component, {})
    }
    assert unknown == set()


def test_namespace_is_the_one_of_the_lite_application(values: dict[str, Any]) -> None:
    lite = yaml.safe_load((ROOT / "manifests" / "otel-demo" / "kustomization.yaml").read_text())["namespace"]
    attributes = overrides(values["default"])["OTEL_RESOURCE_ATTRIBUTES"]
    assert dict(pair.split("=") for pair in attributes.split(","))["k8s.namespace.name"] == lite
