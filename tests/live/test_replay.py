"""A snapshot of a live incident answers as the live cluster did: kubectl, PromQL, traces, the built-in agent.

One run, an external agent: the snapshot is taken before agents come, and the incident lasts while they work,
so both can be asked the same. What may differ is written down in `same`.
"""

import base64
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Kubectl, state_dir

from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.triage.agent import Triage

RUN = "replay-is-same"
NAMESPACE = "otel-demo"
# A change that every signal shows and that nothing keeps changing while it lasts.
SCENARIO = "frontend-unreachable"

COMMANDS = """
get pods
get pods -o wide
get pods -o name
get pods -o json
get pods -o yaml
get pods --show-labels
get pods -l opentelemetry.io/name=cart
get pods -l opentelemetry.io/name!=cart
get pods -l opentelemetry.io/name in (cart,ad)
get pods --field-selector status.phase=Running
get pods --field-selector status.phase=Pending
get pods --sort-by=.metadata.name
get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName
get pods -o jsonpath={.items[*].metadata.name}
get pods -o go-template={{range.items}}{{.metadata.name}}{{end}}
get pods --limit=3 -o name
get pods --chunk-size=5 -o name
get pods --no-headers
get pods -A -l k8s-app=kube-dns
get pods nobody
get deployments
get deployments -o wide
get deployment cart -o yaml
get deployment cart -o json
get deployment/cart deployment/ad
get deploy,svc,cm
get all
get replicasets
get statefulsets
get daemonsets -A
get services
get services -o wide
get service cart -o yaml
get endpoints
get endpointslices
get configmaps
get configmap flagd-config -o yaml
get networkpolicies
get networkpolicies -o yaml
get resourcequotas
get limitranges
get hpa
get pdb
get serviceaccounts
get namespaces
get nodes
get nodes -o wide
get storageclasses
get priorityclasses
get roles -n kube-system
get clusterroles -l kubernetes.io/bootstrapping=rbac-defaults
get secrets
get benchmarkruns.reprise.dev -A
get events --field-selector type=Warning
describe deployment cart
describe service frontend
describe networkpolicy
describe pod -l opentelemetry.io/name=cart
describe configmap flagd-config
events --types=Warning
top pods
top nodes
explain deployment.spec.strategy
explain networkpolicy.spec --recursive
api-resources
api-versions
version
auth can-i list pods
auth can-i delete pods
auth can-i --list
logs deploy/cart --tail=5 --timestamps
logs deploy/cart -c cart --tail=3 --timestamps
logs deploy/cart --previous
logs nobody
delete pod nobody
get pods --watch --request-timeout=2s -o name
""".strip().splitlines()

QUERIES = """
up
count(up)
sum by (job) (up)
ALERTS
ALERTS{alertstate="firing"}
count by (alertname) (ALERTS)
kube_pod_info{namespace="otel-demo"}
kube_pod_status_phase{namespace="otel-demo"} == 1
kube_pod_container_status_ready{namespace="otel-demo"}
kube_pod_container_status_restarts_total{namespace="otel-demo"}
kube_deployment_status_replicas_available{namespace="otel-demo"}
kube_deployment_spec_replicas{namespace="otel-demo"}
kube_service_info{namespace="otel-demo"}
kube_node_status_condition{status="true"}
sum by (service_name) (traces_span_metrics_calls_total)
sum by (service_name, status_code) (traces_span_metrics_calls_total)
sum by (service_name) (rate(traces_span_metrics_calls_total[30s]))
sum by (service_name) (rate(traces_span_metrics_calls_total{status_code="STATUS_CODE_ERROR"}[30s]))
histogram_quantile(0.95, sum by (le) (rate(traces_span_metrics_duration_milliseconds_bucket[30s])))
max by (pod) (container_memory_working_set_bytes{namespace="otel-demo"})
sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="otel-demo"}[30s]))
topk(3, sum by (pod) (container_memory_working_set_bytes{namespace="otel-demo"}))
absent(up{job="nothing"})
increase(traces_span_metrics_calls_total{service_name="frontend"}[20s])
changes(kube_deployment_status_replicas_available{namespace="otel-demo"}[20s])
max_over_time(up[20s])
last_over_time(up[20s])
avg(kube_deployment_status_replicas_available{namespace="otel-demo"})
label_replace(up, "x", "$1", "job", "(.*)")
sort_desc(sum by (service_name) (traces_span_metrics_calls_total))
""".strip().splitlines()

SEARCHES = [
    {"service": "frontend"},
    {"service": "frontend-proxy"},
    {"service": "cart"},
    {"service": "checkout"},
    {"service": "frontend", "minDuration": "20ms"},
    {"service": "cart", "maxDuration": "50ms"},
    {"service": "product-catalog"},
    {"service": "frontend-proxy", "tags": '{"error":"true"}'},
    {"service": "load-generator"},
    {"service": "nobody"},
]


@dataclass
class Door:
    """One side: its kubeconfig."""

    kubeconfig: Path

    def __post_init__(self) -> None:
        config = json.loads(self.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.url = cluster["server"]
        self.token = config["users"][0]["user"]["token"]
        pem = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=pem)

    def kubectl(self, line: str) -> str:
        words = _in(line) if " in (" in line else line.split()
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return f"{done.returncode}\n{done.stdout}{done.stderr}"

    def ask(self, path: str, **query: str) -> Any:
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the gateway's
        with urllib.request.urlopen(request, context=self.tls, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())


def _in(line: str) -> list[str]:
    """`get pods -l x in (a,b)`: the selector is one word."""
    before, _, selector = line.partition(" -l ")
    return [*before.split(), "-l", selector]


@dataclass(frozen=True)
class Incident:
    live: Door
    replay: Door
    recorded_at: float


@pytest.fixture(scope="module")
def incident(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    folder = tmp_path_factory.mktemp("replay")
    manifest = {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "BenchmarkRun",
        "metadata": {"name": RUN, "namespace": "default"},
        "spec": {
            "scenario": SCENARIO,
            "agent": {"kind": "external"},
            # Queries look back: the window has to hold all that they see.
            "gates": {"baselineWindowSeconds": 90},
            "budgets": {"wallClockSeconds": 900, "requests": 100000},
        },
    }
    kubectl("delete", "benchmarkrun", RUN, "-n", "default", "--ignore-not-found", timeout_seconds=300)
    kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        kubectl(
            "wait", f"benchmarkrun/{RUN}", "-n", "default", "--timeout=600s",
            "--for=jsonpath={.status.phase}=Attempting", timeout_seconds=620,
        )  # fmt: skip
        yield from _both(kubectl, folder)
    finally:
        kubectl("delete", "benchmarkrun", RUN, "-n", "default", timeout_seconds=600)


def _both(kubectl: Kubectl, folder: Path) -> Iterator[Incident]:
    name = f"{RUN}-1-kubeconfig"
    kubectl("wait", f"secret/{name}", "-n", "default", "--for=create", "--timeout=300s")
    encoded = kubectl("get", "secret", name, "-n", "default", "-o", "jsonpath={.data.kubeconfig}")
    (folder / "live").write_bytes(base64.b64decode(encoded))
    run = json.loads(kubectl("get", "benchmarkrun", RUN, "-n", "default", "-o", "json"))
    snapshot = state_dir() / "data" / "snapshots" / run["metadata"]["uid"]
    times = json.loads((snapshot / "manifest.json").read_text())["timeline"]
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from reprise.cli.main import main; main()", "replay", str(snapshot),
            "--port", "0", "--out", str(folder / "out"), "--requests", "100000", "-o", "json",
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        kubeconfig = folder / "out" / "attempt-1.kubeconfig"
        deadline = time.monotonic() + 120
        while not kubeconfig.is_file():
            assert process.poll() is None, "the replay ended before it served"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        recorded = time.mktime(time.strptime(times["recordedAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        yield Incident(Door(folder / "live"), Door(kubeconfig), recorded)
    finally:
        process.terminate()
        process.wait(30)


# -- what may differ -----------------------------------------------------------------------------

_AGE = re.compile(r"\b\d+[dhms](?:\d+[hms])*\b(?: ago)?")
_MOVING = (
    # Versions of the whole collection move with every write anywhere.
    (re.compile(r'("?resourceVersion"?: ?)"?\d*"?'), r"\1-"),
    # Nodes report every ten seconds, and kubelets count.
    (re.compile(r'("?(?:lastHeartbeatTime|renewTime|RenewTime|lastProbeTime)"?: *).*'), r"\1-"),
)


def same(command: str, text: str) -> str:
    """The answer without what time alone changes, in the same way for both sides."""
    for pattern, put in _MOVING:
        text = pattern.sub(put, text)
    text = _AGE.sub("-", text)
    if command.startswith("top"):
        # The usage is another one every fifteen seconds: who is in the list must be the same.
        text = re.sub(r"\d+(?:m|Mi|%)", "-", text)
        return "\n".join(sorted(" ".join(line.split()) for line in text.splitlines()))
    if "describe node" in command:
        text = re.sub(r"\(\d+%\)", "-", text)
    # Columns are as wide as the ages in them.
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_kubectl(incident: Incident, command: str) -> None:
    live, replayed = incident.live.kubectl(command), incident.replay.kubectl(command)
    if command.startswith("logs deploy"):
        live = incident.live.kubectl(re.sub(r"--tail=\d+", "--tail=500", command))
        known = set(live.splitlines())
        lines = replayed.splitlines()
        assert lines[0] == live.splitlines()[0]
        # The live log has gone on: what was recorded is still in it, line by line.
        assert [line for line in lines if line not in known] == []
        return
    assert same(command, replayed) == same(command, live)


@pytest.mark.parametrize("query", QUERIES)
def test_promql(incident: Incident, query: str) -> None:
    # The last scrapes of the window may have been written after they were read; kubelets' are of a time of
    # their own, up to two of their intervals before they are scraped.
    late = 35 if "container_" in query else 6
    at = f"{incident.recorded_at - late:.3f}"
    path = "/prometheus/api/v1/query"
    live, replayed = (side.ask(path, query=query, time=at) for side in (incident.live, incident.replay))

    def rows(answer: Any) -> list[str]:
        return sorted(json.dumps(row, sort_keys=True) for row in answer["data"]["result"])

    assert rows(replayed) == rows(live)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: "-".join(search.values()))
def test_traces(incident: Incident, search: dict[str, str]) -> None:
    # As much as one answer may hold.
    start, end = (str(int((incident.recorded_at - before) * 1e6)) for before in (30, 6))
    live, replayed = (
        side.ask("/jaeger/api/traces", **search, start=start, end=end, limit="500")
        for side in (incident.live, incident.replay)
    )

    def spans(answer: Any) -> dict[str, list[tuple[str, str, int, int]]]:
        return {
            trace["traceID"]: sorted(
                (s["spanID"], s["operationName"], s["startTime"], s["duration"]) for s in trace["spans"]
            )
            for trace in answer["data"]
        }

    assert spans(replayed) == spans(live)


def test_the_agent_reaches_the_same_submission(incident: Incident) -> None:
    assert _triage(incident.replay) == _triage(incident.live)


def _triage(side: Door) -> list[str]:
    config = json.loads(side.kubeconfig.read_text())
    ca = side.kubeconfig.with_suffix(".ca")
    ca.write_bytes(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
    journal = Journal()
    door = HttpDoor(side.url, side.token, str(ca), journal)
    return sorted(cause.entity for cause in Triage(journal).investigate(door))
