"""What the gateway adds to the request behind `kubectl get pods`, against a direct call and `kubectl proxy`.

One kept-alive connection each, the requests interleaved, so that all three meet the same moments of the
machine. Direct is what kubectl does with its kubeconfig: TLS with a client certificate.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.table import Figure, render

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "200"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
NAMESPACE = os.environ.get("BENCH_NAMESPACE", "otel-demo")
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods?limit=500"
ACCEPT = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,"
    "application/json"
)
WARM_UP = 20


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True, input=stdin)
    return done.stdout


class Way:
    """One way to the API server, over one connection."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None, token: str = "") -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if context is None:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=30)
        else:
            self._connection = http.client.HTTPSConnection(host, parts.port, timeout=30, context=context)
        self._headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def ask(self) -> tuple[float, int]:
        """Milliseconds until the whole answer is here, and its bytes."""
        begun = time.perf_counter()
        self._connection.request("GET", PATH, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        elapsed = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{PATH} answered {answer.status}: {body[:200]!r}")
        return elapsed, len(body)


def direct(directory: Path) -> Way:
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    pair = directory / "client.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(
        b"\n".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key"))
    )
    context.load_cert_chain(pair)
    return Way(cluster["server"], context)


@contextmanager
def proxy() -> Iterator[Way]:
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
        if found is None:
            raise RuntimeError("expected kubectl proxy to say where it listens, it did not")
        yield Way(f"http://{found[0]}")
    finally:
        process.terminate()
        process.communicate(timeout=10)


@contextmanager
def gateway() -> Iterator[Way]:
    """The deployed gateway, through an attempt made for this."""
    token, name = secrets.token_hex(32), f"bench-{secrets.token_hex(4)}"
    start = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    attempt: dict[str, Any] = {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "AgentAttempt",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "run": {"name": name, "uid": name},
            "index": 1,
            "agent": {"kind": "external"},
            "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
            "application": {"namespace": NAMESPACE},
            "window": {"start": start},
            "budgets": {"wallClockSeconds": 3600, "requests": 1_000_000},
            "injector": "hidden",
        },
    }
    inside = ("-n", "reprise-system", "-o", "json")
    endpoints = json.loads(kubectl("get", "configmap", "endpoints", *inside))["data"]
    tls = json.loads(kubectl("get", "secret", "gateway-tls", *inside))["data"]
    kubectl("create", "-f", "-", stdin=json.dumps(attempt))
    try:
        kubectl("wait", "agentattempt", name, "--for=jsonpath={.status.phase}=Pending", "--timeout=30s")
        context = ssl.create_default_context(cadata=base64.b64decode(tls["ca.crt"]).decode())
        yield Way(endpoints["gatewayExternal"], context, token)
    finally:
        kubectl("delete", "agentattempt", name, "--wait=false")


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def main() -> str:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        ways = {
            "direct": direct(Path(directory)),
            "kubectl proxy": stack.enter_context(proxy()),
            "gateway": stack.enter_context(gateway()),
        }
        sizes = {name: [float(way.ask()[1]) / 1024] for name, way in ways.items()}
        for way in ways.values():
            for _ in range(WARM_UP):
                way.ask()
        rounds: dict[str, list[list[float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(REQUESTS):
                for name, way in ways.items():
                    taken[name].append(way.ask()[0])
            for name, values in taken.items():
                rounds[name].append(values)
    figures = []
    shares: dict[str, Callable[[list[float]], float]] = {
        "p50": lambda values: percentile(values, 0.50),
        "p99": lambda values: percentile(values, 0.99),
    }
    for label, of in shares.items():
        found = {name: [of(values) for values in each] for name, each in rounds.items()}
        figures += [Figure(f"{name} {label}", "ms", values) for name, values in found.items()]
        for other in ("direct", "kubectl proxy"):
            added = [mine - base for mine, base in zip(found["gateway"], found[other], strict=True)]
            figures.append(Figure(f"gateway − {other} {label}", "ms", added))
    figures += [Figure(f"{name} answer", "KiB", values) for name, values in sizes.items()]
    title = (
        f"Request behind `kubectl get pods -n {NAMESPACE}`: one connection each, interleaved, "
        f"{ROUNDS} rounds of {REQUESTS} requests; n counts rounds"
    )
    return render(title, figures)


if __name__ == "__main__":
    print(main())
