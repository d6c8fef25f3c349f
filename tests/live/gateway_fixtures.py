"""Fixtures of the gateway's live tests: a gateway of one's own, with metrics and traces where there are."""

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.live.gateway_harness import ROOT, Deployed, Gateway


@contextmanager
def forwarded(kubeconfig: str, service: str, port: int) -> Iterator[str]:
    """A local URL of a Service in the namespace `observability`; "" when there is none."""
    base = ["kubectl", "--kubeconfig", kubeconfig, "-n", "observability"]
    there = subprocess.run(
        [*base, "get", "endpoints", service, "-o", "json"], capture_output=True, check=False
    )
    if there.returncode != 0 or not json.loads(there.stdout).get("subsets"):
        yield ""
        return
    process = subprocess.Popen(
        [*base, "port-forward", "--address", "127.0.0.1", f"service/{service}", f":{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        match = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert match, f"kubectl port-forward to {service} said nothing"
        yield f"http://127.0.0.1:{match[1]}"
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, kubeconfig: str) -> Iterator[Gateway]:
    """A running gateway beside the cluster, with the administrator's rights: its rules are what is tested."""
    directory: Path = tmp_path_factory.mktemp("gateway")
    with ExitStack() as stack:
        made = Gateway(
            directory,
            kubeconfig,
            stack.enter_context(forwarded(kubeconfig, "prometheus", 9090)),
            stack.enter_context(forwarded(kubeconfig, "jaeger", 16686)),
        )
        made.admin("apply", "--server-side", "-k", str(ROOT / "crds"))
        made.admin("wait", "--for=condition=Established", "--timeout=300s", "crd/agentattempts.reprise.dev")
        made.start()
        yield made
        made.stop()
        made.admin("delete", "agentattempts", "-l", "door-test=true", "--ignore-not-found")


def deployed_gateway(directory: Path, beside: Gateway, kubeconfig: str) -> Gateway:
    """The one in the cluster. Skips where none is deployed."""
    deployment = ("deployment", "-n", "reprise-system", "gateway")
    if not beside.admin("get", *deployment, "--ignore-not-found", "-o", "name"):
        pytest.skip("no gateway is deployed in this cluster")
    beside.admin("rollout", "status", *deployment, "--timeout=300s")
    return Deployed(directory, kubeconfig)


@pytest.fixture(scope="session")
def shop(gateway: Gateway) -> Iterator[str]:
    """A namespace with a Deployment that crashes, its Service, and a Secret."""
    name = f"shop-{secrets.token_hex(3)}"
    image = gateway.admin(
        "get", "deployment", "-n", "kube-system", "coredns",
        "-o", "jsonpath={.spec.template.spec.containers[0].image}",
    )  # fmt: skip
    labels = {"app": "web"}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [
                            {
                                "name": "web",
                                "image": image,
                                "imagePullPolicy": "IfNotPresent",
                                "args": ["-version"],
                            }
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": name},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "password", "namespace": name},
            "stringData": {"value": "hunter2"},
        },
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    gateway.admin("apply", "-f", "-", stdin=manifest)
    # NB: `kubectl wait` with a selector fails at once while nothing matches.
    gateway.admin(
        "wait", "-n", name, "deployment/web", "--timeout=300s", "--for=jsonpath={.status.replicas}=1"
    )
    gateway.admin(
        "wait", "-n", name, "pod", "-l", "app=web", "--timeout=300s",
        "--for=jsonpath={.status.containerStatuses[0].restartCount}=1",
    )  # fmt: skip
    yield name
    gateway.admin("delete", "namespace", name, "--wait=false")
