"""The collector's configuration in the real collector: which failed spans count as what.

It runs the Jaeger that `reprise up` compiled, with every port moved to a free one of this machine.
"""

import json
import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reprise.cluster import paths

CONFIG = Path(__file__).parents[2] / "manifests/observability/config/jaeger.yaml"
CLIENT, SERVER = 3, 2  # OTLP's numbers
WAIT_SECONDS = 120.0
GRPC, HTTP = "rpc.grpc.status_code", "http.response.status_code"
NAMES, CONNECTIONS = "traces_name_resolution_errors_calls_total", "traces_connections_exhausted_calls_total"


@dataclass(frozen=True)
class Failure:
    """A span that failed, and the metric that must count it besides the usual one."""

    name: str
    message: str
    counted: str = ""
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    kind: int = CLIENT


FAILURES = [
    Failure("http", "GET http://x: [Errno -2] Name or service not known", NAMES),
    Failure("http-retry", "GET http://x: [Errno -3] Temporary failure in name resolution", NAMES),
    Failure("node", "getaddrinfo ENOTFOUND cart", NAMES),
    Failure("go", "dial tcp: lookup cart on 10.96.0.10:53: no such host", NAMES),
    Failure("sql", 'could not translate host name "postgresql" to address: Name or service not known', NAMES),
    Failure("grpc", "rpc error: code = Unavailable desc = DNS resolution failed for a:1", NAMES, {GRPC: 14}),
    Failure(
        "grpc-python",
        "rpc error: code = Unavailable desc = errors resolving a:1: [field:hostname lookup error:address "
        "lookup failed for a:1: Domain name not found]",
        NAMES,
        {GRPC: 14},
    ),
    Failure("grpc-node", "14 UNAVAILABLE: Name resolution failed for target dns:a:1", NAMES, {GRPC: 14}),
    Failure("grpc-go", "name resolver error: produced zero addresses", NAMES, {GRPC: 14}),
    Failure(
        "grpc-callee",
        "rpc error: code = Unavailable desc = failed to charge: rpc error: code = Unavailable desc = DNS "
        "resolution failed for a:1",
        attributes={GRPC: 14},
    ),
    Failure("http-callee", "HTTP 500: getaddrinfo ENOTFOUND cart", attributes={HTTP: 500}),
    Failure("server", "DNS resolution failed for a:1", kind=SERVER),
    Failure("refused", "connection refused"),
    Failure("full", "FATAL:  sorry, too many clients already", CONNECTIONS),
    Failure("reserved", "FATAL:  remaining connection slots are reserved for roles", CONNECTIONS),
    Failure("pool", "timeout: connection pool exhausted", CONNECTIONS),
    Failure("full-server", "sorry, too many clients already", kind=SERVER),
]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@dataclass(frozen=True)
class Collector:
    otlp: int
    metrics: int

    def send(self, failures: list[Failure]) -> None:
        body = {
            "resourceSpans": [
                {
                    "resource": {"attributes": [attribute("service.name", "checkout")]},
                    "scopeSpans": [{"spans": [span(failure) for failure in failures]}],
                }
            ]
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.otlp}/v1/traces",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 – built above
            assert answer.status == 200

    def counted(self) -> set[tuple[str, str]]:
        """(metric, name of the span) of everything counted so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return set(re.findall(r'^(\w+_calls_total)\{.*span_name="([^"]+)"', text, re.MULTILINE))


def attribute(key: str, value: str | int) -> dict[str, object]:
    return {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}


def span(failure: Failure) -> dict[str, object]:
    now = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": failure.name,
        "kind": failure.kind,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "status": {"code": 2, "message": failure.message},
        "attributes": [attribute(*pair) for pair in failure.attributes.items()],
    }


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    built = sorted(paths.cache_dir().glob("go/jaeger-*/jaeger"))
    if not built:
        pytest.skip("no Jaeger: it is compiled by `reprise up` in the build profile")
    folder = tmp_path_factory.mktemp("collector")
    ports: dict[str, int] = {}

    def moved(match: re.Match[str]) -> str:
        return f"127.0.0.1:{ports.setdefault(match[1], free_port())}"

    config = folder / "jaeger.yaml"
    config.write_text(re.sub(r"0\.0\.0\.0:(\d+)", moved, CONFIG.read_text()))
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([built[-1], f"--config={config}"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not answers(ports["4318"]):
            assert running.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield Collector(ports["4318"], ports["8889"])
    finally:
        running.terminate()
        running.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def counted(collector: Collector) -> set[tuple[str, str]]:
    collector.send(FAILURES)
    wanted = {("traces_span_metrics_calls_total", failure.name) for failure in FAILURES}
    wanted |= {(failure.counted, failure.name) for failure in FAILURES if failure.counted}
    deadline = time.monotonic() + WAIT_SECONDS
    while not wanted <= (found := collector.counted()):
        # What is missing shows as a failure of its own row.
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return found


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_a_failure_counts_as_what_its_message_says(counted: set[tuple[str, str]], failure: Failure) -> None:
    metrics = {metric for metric, name in counted if name == failure.name}
    assert metrics == {"traces_span_metrics_calls_total", failure.counted} - {""}
