"""A snapshot of the real application: every signal is there, and nothing that an agent must not see."""

import datetime as dt
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reprise.adapters.jaeger import Jaeger
from reprise.adapters.kube import Kube
from reprise.adapters.prometheus import Prometheus
from reprise.domain import redaction
from reprise.snapshot import manifest, recorder, tables, verify
from reprise.snapshot.request import RecordRequest

SERVICE_PROXY = "http://127.0.0.1:{port}/api/v1/namespaces/observability/services/{service}/proxy"
SIGNALS = ("k8s_objects_raw.tsv", "otel_logs_raw.tsv", "otel_traces_raw.tsv", "topology.json")


@pytest.fixture
def backends(kubeconfig: str) -> Iterator[Callable[[str], str]]:
    """URLs of the services in the observability namespace, through `kubectl proxy`."""
    process = subprocess.Popen(
        ["kubectl", "--kubeconfig", kubeconfig, "proxy", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip().rpartition(":")[2]
    yield lambda service: SERVICE_PROXY.format(port=port, service=service)
    process.terminate()
    process.wait(10)
    process.stdout.close()


async def test_the_application(kubeconfig: str, backends: Callable[[str], str], tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    request = RecordRequest("live-test", "otel-demo", 0, now - dt.timedelta(minutes=1), now)
    async with (
        await Kube.connect(kubeconfig) as kube,
        Prometheus(backends("prometheus:9090")) as prometheus,
        Jaeger(backends("jaeger:16686")) as jaeger,
    ):
        made = await recorder.record(kube, prometheus, jaeger, tmp_path / "snap", request)
    report = verify.verify(tmp_path / "snap")
    assert report.problems == ()
    assert report.digest == made.digest
    rows = {entry.path: entry.rows for entry in made.files}
    assert all(rows[name] > 0 for name in SIGNALS), rows

    # A pod that has only just started may not have been scraped yet.
    scraped = (now - dt.timedelta(seconds=30)).isoformat()
    pods = {
        row["object_name"]
        for row in objects(tmp_path / "snap")
        if row["object_kind"] == "Pod"
        and json.loads(row["body"])["metadata"]["creationTimestamp"][:19] < scraped[:19]
    }
    assert {f"metrics/pod_{pod}.tsv" for pod in pods} - rows.keys() == set()
    assert rows["metrics/service_frontend.tsv"] > 0
    assert rows.keys().isdisjoint({"metrics/service_jaeger.tsv"})

    spans = tables.read_rows(tmp_path / "snap/otel_traces_raw.tsv")
    ids = [(row["TraceId"], row["SpanId"]) for row in spans]
    assert len(ids) == len(set(ids)), "no span twice"
    assert {json.loads(row["ResourceAttributes"])["k8s.namespace.name"] for row in spans} == {"otel-demo"}
    start, end = request.timeline["baselineAt"], request.timeline["recordedAt"]
    assert all(start[:19] <= row["Timestamp"][:19] <= end[:19] for row in spans)
    traced = {row["TraceId"] for row in tables.read_rows(tmp_path / "snap/otel_logs_raw.tsv")} - {""}
    assert traced & {row["TraceId"] for row in spans}, "logs and traces share their ids"

    graph = json.loads((tmp_path / "snap/topology.json").read_text())
    edges = {(edge["source"], edge["relation"], edge["target"]) for edge in graph["edges"]}
    assert ("App/frontend", "calls", "Service/product-catalog") in edges
    assert ("Deployment/cart", "depends_on", "Service/valkey-cart") in edges

    hidden = re.compile("|".join(map(re.escape, redaction.PRODUCT_WORDS)), re.IGNORECASE)
    for path in (tmp_path / "snap").rglob("*"):
        if path.is_file() and path.name != manifest.FILE_NAME:
            assert not hidden.search(path.read_text()), path.name


def objects(root: Path) -> list[dict[str, str]]:
    return tables.read_rows(root / "k8s_objects_raw.tsv")
