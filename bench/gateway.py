"""What the gateway adds to the request behind `kubectl get pods`, against a direct call and `kubectl proxy`.

One kept-alive connection each, the requests interleaved, so that all three meet the same moments of the
machine. Direct is what kubectl does with its kubeconfig: TLS with a client certificate.
"""

import http.client
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from bench import attempts
from bench.connection import TABLE, Place
from bench.table import Figure, percentile, render, say

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "200"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
NAMESPACE = os.environ.get("BENCH_NAMESPACE", "otel-demo")
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods?limit=500"
WARM_UP = 20


class Way:
    """One way to the API server, over one connection."""

    def __init__(self, place: Place) -> None:
        parts = urlsplit(place.url)
        host = parts.hostname or ""
        if place.tls is None:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=30)
        else:
            self._connection = http.client.HTTPSConnection(host, parts.port, timeout=30, context=place.tls)
        self._headers = {"Accept": TABLE, "Accept-Encoding": "gzip"}
        if place.token:
            self._headers["Authorization"] = f"Bearer {place.token}"

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


def main() -> str:
    with ExitStack() as stack:
        ways = {
            "direct": Way(attempts.direct()),
            "kubectl proxy": Way(stack.enter_context(attempts.proxy())[0]),
            "gateway": Way(stack.enter_context(attempts.gateway(NAMESPACE, 1))[0]),
        }
        sizes = {name: [float(way.ask()[1]) / 1024] for name, way in ways.items()}
        for way in ways.values():
            for _ in range(WARM_UP):
                way.ask()
        rounds: dict[str, list[list[float]]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
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
