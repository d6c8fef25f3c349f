"""What is installed into a cluster, whoever made it.

Observability, CRDs, the operator and what it needs to know.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.cluster import images
from reprise.cluster.tools import Tools
from reprise.domain import errors

APPLICATION = "otel-demo"
SYSTEM_NAMESPACE = "reprise-system"
AGENTS_NAMESPACE = "reprise-agents"
OBSERVABILITY_NAMESPACE = "observability"
# a ConfigMap holds 1 MiB, with some room for the rest of the object
CONFIG_MAP_LIMIT_BYTES = 1_000_000
# a rollout is watched for this long, then the pods are looked at
LOOK_SECONDS = 30
RESTARTS_THAT_ARE_ENOUGH = 3
_NEVER_STARTS = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")
# NB: the application's objects are part of what an agent sees, so they look as if a person had applied them
FIELD_MANAGER = "kubectl"


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one cluster's kubeconfig."""

    tools: Tools
    program: Path | str
    kubeconfig: Path
    context: str | None = None

    def run(
        self, *words: str | Path, stdin: str | None = None, check: bool = True, timeout: float = 300
    ) -> str:
        """Standard output. Raises ToolFailed."""
        return self.tools.run(
            self._argv(words), log="kubectl", stdin=stdin, check=check, timeout_seconds=timeout
        ).stdout

    def succeeds(self, *words: str, timeout: float = 30) -> bool:
        """True when the command ends with 0 within `timeout` seconds."""
        try:
            return (
                self.tools.run(self._argv(words), log="kubectl", check=False, timeout_seconds=timeout).code
                == 0
            )
        except errors.ToolFailed:
            return False

    def _argv(self, words: Sequence[str | Path]) -> list[str | Path]:
        context = ["--context", self.context] if self.context else []
        return [self.program, "--kubeconfig", self.kubeconfig, *context, *words]

    def apply(self, documents: Sequence[object]) -> None:
        """Server-side apply, taking over fields that others own: this makes what is declared true again."""
        self.run(
            "apply", "--server-side", "--force-conflicts", "--field-manager", FIELD_MANAGER, "-f", "-",
            stdin=dump(documents),
        )  # fmt: skip

    def ready(self) -> bool:
        """True when the API server says that it is ready."""
        return self.succeeds("get", "--raw", "/readyz", "--request-timeout", "5s", timeout=10)


def dump(documents: Sequence[object]) -> str:
    """The objects as a YAML stream, each written as JSON.

    NB: kubectl reads YAML 1.1, where a bare `n` is false; PyYAML writes such strings without quotes.
    """
    return "".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents)


def render(tools: Tools, kubectl: Path | str, folder: Path) -> list[object]:
    """The objects of a kustomize folder, in its order. Raises ToolFailed, NotFound."""
    if not (folder / "kustomization.yaml").is_file():
        raise errors.NotFound(f"expected {folder.name}/kustomization.yaml in manifests/, found none")
    text = tools.run([kubectl, "kustomize", folder], log="kustomize").stdout
    return [document for document in yaml.safe_load_all(text) if document]


def kind_of(document: object) -> str:
    """The object's `kind`, empty for anything else."""
    return str(document.get("kind", "")) if isinstance(document, dict) else ""


def namespaces(names: Sequence[str]) -> list[object]:
    """Namespace objects."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]


def application_config_map(documents: Sequence[object]) -> dict[str, object]:
    """The ConfigMap from which the operator applies the application.

    Raises InvalidInput when it is too large.
    """
    text = dump(documents)
    if len(text.encode()) > CONFIG_MAP_LIMIT_BYTES:
        raise errors.InvalidInput(
            f"expected the rendered application within {CONFIG_MAP_LIMIT_BYTES} bytes, found "
            f"{len(text.encode())}"
        )
    return _config_map(f"application-{APPLICATION}", {"manifests.yaml": text})


def endpoints_config_map(gateway_external: str) -> dict[str, object]:
    """Where things answer: cluster URLs, and the gateway's URL on the host."""
    return _config_map(
        "endpoints",
        {
            "prometheus": f"http://prometheus.{OBSERVABILITY_NAMESPACE}.svc:9090",
            "jaeger": f"http://jaeger.{OBSERVABILITY_NAMESPACE}.svc:16686",
            "gateway": f"https://gateway.{SYSTEM_NAMESPACE}.svc:443",
            "gatewayExternal": gateway_external,
        },
    )


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
        "data": dict(data),
    }


def split(documents: Sequence[object]) -> tuple[list[object], list[object]]:
    """Namespaces and CRDs, which others stand on, then the rest."""
    first = {"Namespace", "CustomResourceDefinition"}
    return [d for d in documents if kind_of(d) in first], [d for d in documents if kind_of(d) not in first]


def apply_all(kubectl: Kubectl, documents: Sequence[object]) -> None:
    """Apply, foundations first, and wait until new kinds are served."""
    base, rest = split(documents)
    if base:
        kubectl.apply(base)
    crds = [f"crd/{d['metadata']['name']}" for d in base if isinstance(d, dict) and kind_of(d) != "Namespace"]
    if crds:
        kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *crds)
    if rest:
        kubectl.apply(rest)


def wait_for_rollout(kubectl: Kubectl, namespace: str, timeout_seconds: int) -> None:
    """Wait until every Deployment, StatefulSet and DaemonSet of the namespace is rolled out.

    Raises ToolFailed, naming the pods that are not ready and why; early when more waiting cannot help.
    """
    # Servers of snapshots come and go with the runs that replay them.
    own = ("-n", namespace, "-l", "app.kubernetes.io/name!=replay")
    listed = kubectl.run("get", "deployments,statefulsets,daemonsets", *own, "-o", "name").split()
    for name in listed:
        for waited in range(LOOK_SECONDS, timeout_seconds + 1, LOOK_SECONDS):
            watch = ("rollout", "status", name, "-n", namespace, f"--timeout={LOOK_SECONDS}s")
            if kubectl.succeeds(*watch, timeout=LOOK_SECONDS + 30):
                break
            pods = json.loads(kubectl.run("get", "pods", "-n", namespace, "-o", "json"))["items"]
            if waited + LOOK_SECONDS > timeout_seconds or hopeless(pods):
                why = "; ".join(unready(pods)) or "no pod"
                raise errors.ToolFailed(f"{namespace}: {name} is not ready after {waited} s: {why}")


def hopeless(pods: Sequence[Mapping[str, object]]) -> bool:
    """True when a container that is not ready keeps ending, or can never start. Pure."""
    for pod in pods:
        statuses = _mapping(pod.get("status")).get("containerStatuses")
        for container in statuses if isinstance(statuses, list) else []:
            reason = _mapping(_mapping(container.get("state")).get("waiting")).get("reason")
            ending = int(container.get("restartCount") or 0) >= RESTARTS_THAT_ARE_ENOUGH
            if not container.get("ready") and (ending or reason in _NEVER_STARTS):
                return True
    return False


def unready(pods: Sequence[Mapping[str, object]]) -> list[str]:
    """A sentence for each pod that is not ready: the container's waiting or last terminated reason. Pure."""
    found = []
    for pod in pods:
        status, metadata = _mapping(pod.get("status")), _mapping(pod.get("metadata"))
        if status.get("phase") == "Succeeded":
            continue
        statuses = status.get("containerStatuses")
        reasons = []
        for container in statuses if isinstance(statuses, list) else []:
            if container.get("ready"):
                continue
            waiting = _mapping(_mapping(container.get("state")).get("waiting"))
            ended = _mapping(_mapping(container.get("lastState")).get("terminated"))
            reason = str(waiting.get("reason") or "not ready")
            message = str(waiting.get("message") or "")[:160]
            last = f", last ended with {ended.get('reason')}" if ended else ""
            reasons.append(f"{container.get('name')} {reason}{last}{': ' + message if message else ''}")
        if not statuses:
            conditions = status.get("conditions")
            for condition in conditions if isinstance(conditions, list) else []:
                if condition.get("status") == "False" and condition.get("message"):
                    reasons.append(f"{condition.get('reason')}: {condition.get('message')}"[:200])
            reasons = reasons or [str(status.get("phase") or "no status")]
        if reasons:
            found.append(f"pod {metadata.get('name')}: {', '.join(reasons)}")
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Manifests:
    """The rendered parts, images not yet resolved.

    A part whose folder is missing is empty and listed in `absent`.
    """

    observability: Sequence[object]
    application: Sequence[object]
    operator: Sequence[object]
    crds: Sequence[object]
    absent: tuple[str, ...] = ()

    def image_names(self) -> set[str]:
        """Bare image names in any part."""
        return images.named_in([*self.observability, *self.application, *self.operator])


def load_manifests(
    root: Path, tools: Tools, kubectl: Path | str, application: Sequence[object] | None
) -> Manifests:
    """Render everything below `manifests/` and read `crds/`.

    `application` replaces the lite shop when given.
    """
    absent: list[str] = []

    def part(name: str) -> list[object]:
        folder = root / "manifests" / name
        if not (folder / "kustomization.yaml").is_file():
            absent.append(f"manifests/{name}")
            return []
        return render(tools, kubectl, folder)

    crds = [
        document
        for path in sorted((root / "crds").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if kind_of(document) == "CustomResourceDefinition"
    ]
    observability = part("observability")
    shop = list(application) if application is not None else part(APPLICATION)
    operator = part("operator")  # the gateway is a resource of it
    return Manifests(observability, shop, operator, crds, tuple(absent))
