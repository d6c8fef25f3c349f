"""A model's endpoint in the cluster: the product's stand-in behind a Service, in a namespace of its own."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.live.conftest import Kubectl

MODEL = "some-model"
SECRET_KEY = "api-key"
_PORT = 8000
_LABELS = {"app": "model"}


@dataclass(frozen=True)
class Endpoints:
    """Makes endpoints; each plays its script from the beginning, once. `secret`, in the namespace `default`,
    holds the key."""

    kubectl: Kubectl
    namespace: str
    image: str
    key: str = field(default_factory=lambda: f"sk-{secrets.token_hex(8)}")

    @property
    def secret(self) -> str:
        """Its name is that of the namespace."""
        return self.namespace

    def start(self, name: str, answers: Sequence[Mapping[str, Any]], **script: Any) -> str:
        """Serve these answers (see reprise/agents/standin/script.py); returns the base URL then."""
        text = json.dumps({"answers": list(answers), "key": self.key, "model": MODEL, **script})
        manifests = {"apiVersion": "v1", "kind": "List", "items": self._manifests(name, text)}
        self.kubectl("create", "-f", "-", stdin=json.dumps(manifests))
        self.kubectl(
            "wait", f"pod/{name}", "-n", self.namespace, "--for=condition=Ready", "--timeout=300s",
            timeout_seconds=310,
        )  # fmt: skip
        return self.url(name)

    def url(self, name: str) -> str:
        return f"http://{name}.{self.namespace}.svc:{_PORT}/v1"

    def _manifests(self, name: str, script: str) -> list[dict[str, Any]]:
        meta = {"name": name, "namespace": self.namespace, "labels": {**_LABELS, "script": name}}
        container = {
            "name": "model",
            "image": self.image,
            "imagePullPolicy": "Never",
            "command": ["python3", "-m", "reprise.agents.standin", "/script/script.json"],
            "args": ["--host", "0.0.0.0", "--port", str(_PORT)],  # noqa: S104 - a pod's own
            "ports": [{"containerPort": _PORT}],
            "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
            "resources": {"limits": {"memory": "128Mi"}},
            "volumeMounts": [{"name": "script", "mountPath": "/script"}],
        }
        pod = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [{"name": "script", "configMap": {"name": name}}],
        }
        ports = [{"port": _PORT}]
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"script.json": script}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                "spec": {"selector": {"script": name}, "ports": ports},
            },
        ]


@contextmanager
def endpoints(kubectl: Kubectl) -> Iterator[Endpoints]:
    """A namespace for endpoints, removed at the end. The agents' image has the stand-in."""
    namespace = f"models-{secrets.token_hex(3)}"
    container = json.loads(kubectl("get", "deployment", "operator", "-n", "reprise-system", "-o", "json"))[
        "spec"
    ]["template"]["spec"]["containers"][0]
    image = next(item["value"] for item in container["env"] if item["name"] == "REPRISE_AGENT_IMAGE")
    kubectl("create", "namespace", namespace)
    made = Endpoints(kubectl, namespace, image)
    secret = ("secret", made.secret, "-n", "default")
    try:
        kubectl("create", "secret", "generic", *secret[1:], f"--from-literal={SECRET_KEY}={made.key}")
        yield made
    finally:
        kubectl("delete", *secret, "--ignore-not-found")
        kubectl("delete", "namespace", namespace, "--wait=false")
