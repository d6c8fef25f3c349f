"""The CRDs before a real API server: it takes them, fills in defaults, and refuses what a rule forbids.

Skipped where `reprise up` has not built it.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import api_server

CRDS = Path(__file__).parents[2] / "crds"
RUNS = "/apis/reprise.dev/v1alpha1/namespaces/default/benchmarkruns"
pytestmark = pytest.mark.skipif(
    not (api_server.ETCD and api_server.APISERVER), reason="no API server was built"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_server.Server]:
    with api_server.running(tmp_path_factory.mktemp("server")) as made:
        for name in ("benchmarkruns", "agentattempts"):
            status, text = made.send(
                "POST",
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                (CRDS / f"{name}.yaml").read_bytes(),
                "application/yaml",
            )
            assert status == 201, text
        deadline = time.monotonic() + api_server.START_SECONDS
        while made.send("GET", RUNS)[0] != 200:
            assert time.monotonic() < deadline, "the kind was never served"
            time.sleep(1)
        yield made


def create(server: api_server.Server, snapshot: Any, **spec: Any) -> tuple[int, dict[str, Any]]:
    mode = {"mode": "replay"} if (snapshot or {}).get("source") else {"scenario": "x"}
    run = {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "BenchmarkRun",
        "metadata": {"name": "one"},
        "spec": {**mode, **({} if snapshot is None else {"snapshot": snapshot}), **spec},
    }
    status, text = server.send("POST", f"{RUNS}?dryRun=All", json.dumps(run).encode())
    return status, json.loads(text)


NAME = "99305798-f5f5-4b1f-b7c4-3ae2235fbe68"
TAKEN = {
    "nothing said": None,
    "newest": {"retention": {"keepLast": 1}},
    "young": {"retention": {"keepDays": 30}},
    "both": {"enabled": True, "retention": {"keepLast": 20, "keepDays": 30}},
    "a folder": {"source": NAME},
    "an archive": {"source": f"{NAME}.tar.zst"},
    "a bucket": {"source": f"s3://incidents/{NAME}"},
    "below a prefix": {"source": f"s3://incidents/runs/2026/{NAME}.tar.zst"},
    "a web server": {"source": f"https://example.org:8443/runs/{NAME}.tar.zst"},
    "abfss": {"source": f"abfss://container/{NAME}"},
}
REFUSED = {
    "an empty policy": ({"retention": {}}, "expected keepLast, keepDays or both"),
    "keep none": ({"retention": {"keepLast": 0}}, "should be greater than or equal to 1"),
    "no days": ({"retention": {"keepDays": 0}}, "should be greater than or equal to 1"),
    "half a day": ({"retention": {"keepDays": 0.5}}, "Invalid"),
    "nothing recorded": ({"enabled": False, "retention": {"keepLast": 1}}, "only used by runs that record"),
    "a replay": ({"source": NAME, "retention": {"keepLast": 1}}, "only used by runs that record"),
    "up": ({"source": "../elsewhere"}, "spec.snapshot.source"),
    "below": ({"source": "a/b"}, "spec.snapshot.source"),
    "the node's files": ({"source": "file:///etc"}, "spec.snapshot.source"),
    "memory": ({"source": "memory://a/b"}, "spec.snapshot.source"),
    "a chain": ({"source": "simplecache::s3://bucket/a"}, "spec.snapshot.source"),
    "a chain behind": ({"source": "s3://bucket/a::file://b"}, "spec.snapshot.source"),
    "a password": ({"source": "https://me:secret@example.org/a"}, "spec.snapshot.source"),
    "a signature": ({"source": "https://example.org/a?sig=secret"}, "spec.snapshot.source"),
    "a bucket alone": ({"source": "s3://bucket"}, "spec.snapshot.source"),
    "a line": ({"source": f"{NAME}\n"}, "spec.snapshot.source"),
    "too long": ({"source": "s3://bucket/" + "a/" * 300 + "b"}, "Too long"),
}


@pytest.mark.parametrize("snapshot", TAKEN.values(), ids=TAKEN.keys())
def test_taken(server: api_server.Server, snapshot: Any) -> None:
    status, made = create(server, snapshot)
    assert status == 201, made
    assert ("retention" in made["spec"]["snapshot"]) is bool(snapshot and "retention" in snapshot)


@pytest.mark.parametrize(("snapshot", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(server: api_server.Server, snapshot: Any, message: str) -> None:
    status, answer = create(server, snapshot)
    assert (status, message in answer["message"]) == (422, True), answer
