"""The upstream application.

The pinned chart, rendered with our values. Needs a chart repository and a registry.
"""

from pathlib import Path

import yaml

from reprise.cluster.tools import Tools
from reprise.domain import errors

CHART = "opentelemetry-demo"
CHART_VERSION = "0.40.10"
CHART_REPOSITORY = "https://open-telemetry.github.io/opentelemetry-helm-charts"
CHAOS_MESH_CHART = "chaos-mesh"
CHAOS_MESH_VERSION = "2.8.4"
CHAOS_MESH_REPOSITORY = "https://charts.chaos-mesh.org"
# the base of built images where a registry can be reached
DEBIAN_IMAGE = "docker.io/library/debian:trixie-slim"

# what stands in for the images built from the pinned modules; the same versions under upstream's own names
IMAGES = {
    "prometheus": "quay.io/prometheus/prometheus:v3.15.0",
    "jaeger": "docker.io/jaegertracing/jaeger:2.13.0",
    "kube-state-metrics": "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.18.0",
    "metrics-server": "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
    "chaos-controller-manager": f"ghcr.io/chaos-mesh/chaos-mesh:v{CHAOS_MESH_VERSION}",
    "chaos-daemon": f"ghcr.io/chaos-mesh/chaos-daemon:v{CHAOS_MESH_VERSION}",
    "pause": "registry.k8s.io/pause:3.10.1",
}


def render(tools: Tools, helm: Path | str, root: Path) -> list[object]:
    """The chart's objects. Raises NotFound without our values, Unsupported when the chart cannot be had."""
    values = root / "manifests" / "otel-demo-upstream" / "values.yaml"
    if not values.is_file():
        raise errors.NotFound(
            "expected manifests/otel-demo-upstream/values.yaml in this checkout, found none"
        )
    try:
        text = tools.run(
            [
                helm, "template", "otel-demo", CHART, "--version", CHART_VERSION, "--repo", CHART_REPOSITORY,
                "--namespace", "otel-demo", "--values", values,
            ],
            log="helm",
            timeout_seconds=120,
        ).stdout  # fmt: skip
    except errors.ToolFailed as exc:
        raise errors.Unsupported(
            f"--app upstream needs chart {CHART} {CHART_VERSION} from its repository, and a "
            f"registry for its images; "
            f"here: {exc}; use --app lite"
        ) from exc
    return [document for document in yaml.safe_load_all(text) if document]


def chaos_mesh_crds(tools: Tools, helm: Path | str) -> str:
    """The CRDs of Chaos Mesh as YAML, from its chart. Raises Unsupported when that cannot be had."""
    try:
        return tools.run(
            [
                helm, "show", "crds", CHAOS_MESH_CHART, "--version", CHAOS_MESH_VERSION,
                "--repo", CHAOS_MESH_REPOSITORY,
            ],
            log="helm",
            timeout_seconds=120,
        ).stdout  # fmt: skip
    except errors.ToolFailed as exc:
        raise errors.Unsupported(
            f"Chaos Mesh needs chart {CHAOS_MESH_CHART} {CHAOS_MESH_VERSION} from its repository; here: {exc}"
        ) from exc
