"""Attempts made for a measurement, on the deployed gateway, and the ways to the API server beside it."""

import base64
import hashlib
import json
import re
import secrets
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.connection import Place
from bench.kubectl import kubectl

# Nobody of a measurement may come to an end before it.
BUDGETS = {"wallClockSeconds": 3600, "requests": 10_000_000}


def _manifest(name: str, token: str, namespace: str) -> dict[str, Any]:
    start = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "AgentAttempt",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "run": {"name": name, "uid": name},
            "index": 1,
            "agent": {"kind": "external"},
            "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
            "application": {"namespace": namespace},
            "window": {"start": start},
            "budgets": BUDGETS,
            "injector": "hidden",
        },
    }


@contextmanager
def gateway(namespace: str, count: int) -> Iterator[list[Place]]:
    """The deployed gateway through attempts with a token of their own, made for as long as this lasts."""
    tokens = {f"bench-{secrets.token_hex(4)}": secrets.token_hex(32) for _ in range(count)}
    inside = ("-n", "reprise-system", "-o", "json")
    endpoints = json.loads(kubectl("get", "configmap", "endpoints", *inside))["data"]
    tls = json.loads(kubectl("get", "secret", "gateway-tls", *inside))["data"]
    context = ssl.create_default_context(cadata=base64.b64decode(tls["ca.crt"]).decode())
    items = [_manifest(name, token, namespace) for name, token in tokens.items()]
    try:
        kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        kubectl(
            "wait", "agentattempt", *tokens, "--for=jsonpath={.status.phase}=Pending", "--timeout=60s"
        )  # fmt: skip
        yield [Place(endpoints["gatewayExternal"], context, token) for token in tokens.values()]
    finally:
        kubectl("delete", "agentattempt", *tokens, "--wait=false", "--ignore-not-found")


@contextmanager
def proxy() -> Iterator[tuple[Place, int]]:
    """`kubectl proxy`, and its process id."""
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
        if found is None:
            raise RuntimeError("expected kubectl proxy to say where it listens, it did not")
        yield Place(f"http://{found[0]}"), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=10)


def direct() -> Place:
    """The API server with the kubeconfig's client certificate, as kubectl reaches it."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory) / "client.pem"
        pair.touch(mode=0o600)
        parts = (base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key"))
        pair.write_bytes(b"\n".join(parts))
        context.load_cert_chain(pair)
    return Place(cluster["server"], context)


def resident_mib(pid: int, peak: bool = False) -> float:
    """Resident memory of a process of this machine, now or at its highest."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"expected {name} of process {pid}; this measurement needs Linux")
