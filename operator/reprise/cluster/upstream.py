"""The upstream application: the pinned chart, rendered with our values. Needs a chart repository and a registry."""

from pathlib import Path

import yaml

from reprise.cluster.tools import Tools
from reprise.domain import errors

CHART = "opentelemetry-demo"
CHART_VERSION = "0.40.10"
CHART_REPOSITORY = "https://open-telemetry.github.io/opentelemetry-helm-charts"
# the base of built images where a registry can be reached
DEBIAN_IMAGE = "docker.io/library/debian:trixie-slim"


def render(tools: Tools, helm: Path, root: Path) -> list[object]:
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
            f"--app upstream needs chart {CHART} {CHART_VERSION} from its repository, and a registry for its images; "
            f"here: {exc}; use --app lite"
        ) from exc
    return [document for document in yaml.safe_load_all(text) if document]
