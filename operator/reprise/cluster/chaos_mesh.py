"""Chaos Mesh in a cluster: `manifests/chaos-mesh`, and what cannot lie there.

The CRDs are those of the very release that runs: 3 MB that change with each. The certificates are made once;
the webhooks trust them.
"""

import base64
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from reprise.adapters import x509
from reprise.cluster import gobuild, install, keys
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools

NAMESPACE = "chaos-mesh"
MODULE = "chaos-mesh"
_SOURCE = "github.com/chaos-mesh/chaos-mesh"
_SECRET = "certificates"  # noqa: S105 - its name
_SERVICE = "chaos-mesh-controller-manager"
_DAYS = 3650
# Kinds that scenarios create, by their plural, and what their webhooks' paths call them.
_KINDS = {
    "dnschaos": "dnschaos",
    "httpchaos": "httpchaos",
    "iochaos": "iochaos",
    "jvmchaos": "jvmchaos",
    "networkchaos": "networkchaos",
    "podchaos": "podchaos",
    "schedules": "schedule",
    "stresschaos": "stresschaos",
    "timechaos": "timechaos",
}


def crds_of_module(module: gobuild.GoModule, store: Store, tools: Tools) -> list[object]:
    """Those beside the sources that the programs are built from. Kept: a warm start needs no network."""

    def make(out: Path) -> None:
        files = sorted((module.source(_SOURCE, tools) / "helm" / "chaos-mesh" / "crds").glob("*.yaml"))
        crds = [crd for path in files for crd in parse(path.read_text())]
        # Read again in a tenth of a second; as YAML it takes half a minute.
        (out / "crds.json").write_text(json.dumps(crds))

    folder = store.ensure("crds", module.name, module.key(), make)
    store.prune("crds", module.name)
    crds: list[object] = json.loads((folder / "crds.json").read_text())
    return crds


def parse(text: str) -> list[object]:
    """The CRDs in a YAML stream."""
    documents = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [one for one in documents if install.kind_of(one) == "CustomResourceDefinition"]


def managed_by_helm(kubectl: install.Kubectl) -> bool:
    """True when somebody installed it with its own chart: that one is left alone."""
    words = ("-n", NAMESPACE, "-o", "jsonpath={.metadata.labels.app\\.kubernetes\\.io/managed-by}")
    found = kubectl.run("get", "deployment", "chaos-controller-manager", "--ignore-not-found", *words)
    return found.strip() == "Helm"


def certificates(kubectl: install.Kubectl, now: dt.datetime) -> dict[str, str]:
    """The data of the Secret: what the cluster has, else made now."""
    found = kubectl.run("get", "secret", _SECRET, "-n", NAMESPACE, "--ignore-not-found", "-o", "json")
    data: dict[str, str] = json.loads(found)["data"] if found.strip() else make_certificates(now)
    return data


def make_certificates(now: dt.datetime) -> dict[str, str]:
    """The authority, the webhooks' server, the daemons' server and their one client, in base 64."""
    authority = x509.Authority("chaos-mesh-ca", now, _DAYS)
    # NB: the last two names are built into Chaos Mesh.
    pairs = {
        "webhook": authority.issue(_SERVICE, [f"{_SERVICE}.{NAMESPACE}.svc"]),
        "daemon": authority.issue("chaos-daemon", ["chaos-daemon.chaos-mesh.org"]),
        "client": authority.issue("controller-manager", ["controller-manager.chaos-mesh.org"], client=True),
    }
    files = {"ca.crt": authority.certificate()}
    for name, pair in pairs.items():
        files |= {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def secret(data: dict[str, str]) -> dict[str, object]:
    """The Secret that the manifests mount."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _SECRET, "namespace": NAMESPACE},
        "data": data,
    }


def webhooks(data: dict[str, str]) -> list[object]:
    """Chaos Mesh fills in and judges experiments when they are made.

    NB: only its own kinds, so that nothing of the application waits for it; and only when they are made, so
    that an experiment can be let go of while Chaos Mesh is down.
    """
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{what}WebhookConfiguration",
            "metadata": {"name": f"chaos-mesh-{verb}"},
            "webhooks": [_webhook(verb, plural, word, data["ca.crt"]) for plural, word in _KINDS.items()],
        }
        for what, verb in (("Mutating", "mutate"), ("Validating", "validate"))
    ]


def _webhook(verb: str, plural: str, word: str, authority: str) -> dict[str, object]:
    service = {
        "name": _SERVICE,
        "namespace": NAMESPACE,
        "path": f"/{verb}-chaos-mesh-org-v1alpha1-{word}",
        "port": 443,
    }
    return {
        "name": f"{verb}.{word}.chaos-mesh.org",
        "clientConfig": {"caBundle": authority, "service": service},
        "rules": [
            {
                "apiGroups": ["chaos-mesh.org"],
                "apiVersions": ["v1alpha1"],
                "operations": ["CREATE"],
                "resources": [plural],
                "scope": "Namespaced",
            }
        ],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
    }


def stamped(documents: Sequence[object], data: dict[str, str]) -> list[object]:
    """The workloads with the certificates' digest on their pods: other certificates are other pods."""
    digest = keys.of(*(f"{name}={value}" for name, value in sorted(data.items())))
    return [
        _with_annotation(one, digest) if install.kind_of(one) in ("Deployment", "DaemonSet") else one
        for one in documents
    ]


def _with_annotation(document: object, digest: str) -> object:
    copied = json.loads(json.dumps(document))
    metadata = copied["spec"]["template"].setdefault("metadata", {})
    metadata.setdefault("annotations", {})["reprise.dev/certificates"] = digest
    return copied
