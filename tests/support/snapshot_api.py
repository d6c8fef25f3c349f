"""`api/` of the made-up snapshot: what there is, as an API server tells it in each of its ways."""

from typing import Any

from tests.fakes.snapshot_v2 import Builder

Json = dict[str, Any]
READS = ["get", "list", "watch"]
# (group, version, plural, kind, namespaced, short name)
KINDS = (
    ("", "v1", "configmaps", "ConfigMap", True, "cm"),
    ("", "v1", "events", "Event", True, "ev"),
    ("", "v1", "namespaces", "Namespace", False, "ns"),
    ("", "v1", "nodes", "Node", False, "no"),
    ("", "v1", "pods", "Pod", True, "po"),
    ("", "v1", "services", "Service", True, "svc"),
    ("apps", "v1", "deployments", "Deployment", True, "deploy"),
    ("apps", "v1", "replicasets", "ReplicaSet", True, "rs"),
    ("batch", "v1", "jobs", "Job", True, "job"),
    ("coordination.k8s.io", "v1", "leases", "Lease", True, "lease"),
    ("events.k8s.io", "v1", "events", "Event", True, "ev"),
    ("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", False, ""),
    ("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, ""),
)


def write(out: Builder) -> None:
    out.json("api/version.json", {"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
    out.json("api/api.json", {"kind": "APIVersions", "versions": ["v1"]})
    groups = sorted({(group, version) for group, version, *_ in KINDS if group})
    listed = []
    for group, version in groups:
        known = {"groupVersion": f"{group}/{version}", "version": version}
        one = {"name": group, "versions": [known], "preferredVersion": known}
        listed.append(one)
        out.json(f"api/apis~{group}.json", {"kind": "APIGroup", "apiVersion": "v1", **one})
    out.json("api/apis.json", {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
    for group, version in [("", "v1"), *groups]:
        resources = [
            {
                "name": plural,
                "singularName": kind.lower(),
                "namespaced": namespaced,
                "kind": kind,
                "verbs": READS if group != "metrics.k8s.io" else READS[:2],
                **({"shortNames": [short]} if short else {}),
            }
            for its, _, plural, kind, namespaced, short in KINDS
            if its == group
        ]
        if not group:
            logs = {
                "name": "pods/log",
                "singularName": "",
                "namespaced": True,
                "kind": "Pod",
                "verbs": ["get"],
            }
            resources.append(logs)
        name = f"api/apis~{group}~{version}.json" if group else "api/api~v1.json"
        document = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": resources,
        }
        out.json(name, document)
    for name, chosen in (("api", [("", "v1")]), ("apis", groups)):
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [{"version": version, "resources": _aggregated(group), "freshness": "Current"}],
            }
            for group, version in chosen
        ]
        document = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }
        out.json(f"api/{name}.aggregated.json", document)
    _schemas(out)


def _aggregated(group: str) -> list[Json]:
    found = []
    for its, version, plural, kind, namespaced, short in KINDS:
        if its != group:
            continue
        one = {
            "resource": plural,
            "responseKind": {"group": group, "version": version, "kind": kind},
            "scope": "Namespaced" if namespaced else "Cluster",
            "singularResource": kind.lower(),
            "verbs": READS if group != "metrics.k8s.io" else READS[:2],
            **({"shortNames": [short]} if short else {}),
        }
        if (group, plural) == ("", "pods"):
            kind_of = {"group": "", "version": "v1", "kind": "Pod"}
            one["subresources"] = [{"subresource": "log", "responseKind": kind_of, "verbs": ["get"]}]
        found.append(one)
    return found


def _schemas(out: Builder) -> None:
    gvk = {"group": "", "version": "v1", "kind": "Pod"}
    spec = {
        "description": "What the pod shall be.",
        "type": "object",
        "properties": {"nodeName": {"description": "Where it shall run.", "type": "string"}},
    }
    pod_schema = {
        "description": "A pod.",
        "type": "object",
        "properties": {"spec": {"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}},
        "x-kubernetes-group-version-kind": [gvk],
    }
    operation = {"get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": gvk}}
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": {"/api/v1/namespaces/{namespace}/pods": operation},
        "components": {"schemas": {"io.k8s.api.core.v1.Pod": pod_schema, "io.k8s.api.core.v1.PodSpec": spec}},
    }
    out.json("api/openapi~v3~api~v1.json", document)
    index = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}}}
    out.json("api/openapi~v3.json", index)
