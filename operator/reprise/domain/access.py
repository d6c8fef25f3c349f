"""What an agent may ask of the Kubernetes API: reads of an allow-list, nothing else.

The allow-list is a table. What it does not name is refused with a text that says what is allowed, so that
an agent learns the rules from its first mistake.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

READS = frozenset({"get", "list", "watch"})

# group -> resource -> verbs. Every served version of a group counts.
READABLE: Mapping[str, Mapping[str, frozenset[str]]] = {
    "": {
        "configmaps": READS,
        "endpoints": READS,
        "events": READS,
        "limitranges": READS,
        "namespaces": READS,
        "nodes": READS,
        "persistentvolumeclaims": READS,
        "persistentvolumes": READS,
        "pods": READS,
        "pods/log": frozenset({"get"}),
        "replicationcontrollers": READS,
        "resourcequotas": READS,
        "serviceaccounts": READS,
        "services": READS,
    },
    "apps": {
        "controllerrevisions": READS,
        "daemonsets": READS,
        "deployments": READS,
        "replicasets": READS,
        "statefulsets": READS,
    },
    "autoscaling": {"horizontalpodautoscalers": READS},
    "batch": {"cronjobs": READS, "jobs": READS},
    # Only node heartbeats: `kubectl describe node` fails without them. See LEASE_NAMESPACE.
    "coordination.k8s.io": {"leases": READS},
    "discovery.k8s.io": {"endpointslices": READS},
    "events.k8s.io": {"events": READS},
    "metrics.k8s.io": {"nodes": frozenset({"get", "list"}), "pods": frozenset({"get", "list"})},
    "networking.k8s.io": {"ingressclasses": READS, "ingresses": READS, "networkpolicies": READS},
    "policy": {"poddisruptionbudgets": READS},
    "rbac.authorization.k8s.io": {
        "clusterrolebindings": READS,
        "clusterroles": READS,
        "rolebindings": READS,
        "roles": READS,
    },
    "scheduling.k8s.io": {"priorityclasses": READS},
    # Where Istio is installed: who may call whom in the mesh, as NetworkPolicies say it outside of one.
    "security.istio.io": {"authorizationpolicies": READS, "peerauthentications": READS},
    "storage.k8s.io": {"storageclasses": READS},
    # Policies that refuse pods; webhook configurations stay out, they would name the injector.
    "admissionregistration.k8s.io": {
        "validatingadmissionpolicies": READS,
        "validatingadmissionpolicybindings": READS,
    },
}
INJECTOR_GROUP = "chaos-mesh.org"
LEASE_NAMESPACE = "kube-node-lease"
# Questions about oneself: answered by the gateway from the table above, never by the API server.
REVIEWS: Mapping[str, frozenset[str]] = {
    "authorization.k8s.io": frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews"}),
    "authentication.k8s.io": frozenset({"selfsubjectreviews"}),
}
# Objects of these live outside namespaces; where one still names what is hidden, all of it is hidden.
CLUSTER_SCOPED = frozenset(
    {
        "clusterrolebindings",
        "clusterroles",
        "ingressclasses",
        "namespaces",
        "nodes",
        "persistentvolumes",
        "priorityclasses",
        "storageclasses",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    }
)
ALLOWED_TEXT = (
    "allowed here: GET (get, list, watch) of "
    + ", ".join(
        sorted(
            f"{resource}.{group}" if group else resource
            for group, resources in READABLE.items()
            for resource in resources
        )
    )
    + "; discovery; /prometheus, /jaeger, /alerts, /instructions; POST /submit and /mcp"
)
# Words of Kubernetes, and the one label of Prometheus that is none.
_SEGMENT = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.:_]*[A-Za-z0-9])?|__name__")


@dataclass(frozen=True)
class ApiPath:
    """A resource as a URL path names it. Empty strings stand for what the path does not name."""

    group: str
    version: str
    namespace: str
    resource: str
    name: str
    subresource: str

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def url(self) -> str:
        """The path for the API server, built from the parts and never from the agent's own text."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespace and self.resource != "namespaces":
            parts += ["namespaces", self.namespace]
        parts.append(self.resource)
        if self.name:
            parts.append(self.name)
        if self.subresource:
            parts.append(self.subresource)
        return "/".join(parts)


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused, as an HTTP status, a Kubernetes reason, and a text for the agent."""

    code: int
    reason: str
    message: str


def split(path: str) -> tuple[str, ...] | None:
    """The segments of a decoded URL path, or None when one is not a plain Kubernetes word.

    This is what keeps `..`, empty and encoded segments from ever reaching the API server.
    """
    parts = tuple(path.strip("/").split("/"))
    return parts if all(_SEGMENT.fullmatch(part) for part in parts) else None


def parse(parts: tuple[str, ...]) -> ApiPath | None:
    """The resource under /api/v1 or /apis/<group>/<version>; None for what is no resource path."""
    match parts:
        case ("api", version, *rest) if rest:
            group = ""
        case ("apis", group, version, *rest) if rest:
            pass
        case _:
            return None
    match rest:
        case ["namespaces"]:
            return ApiPath(group, version, "", "namespaces", "", "")
        case ["namespaces", name]:
            return ApiPath(group, version, name, "namespaces", name, "")
        case ["namespaces", namespace, "status" | "finalize" as subresource]:
            return ApiPath(group, version, namespace, "namespaces", namespace, subresource)
        case ["namespaces", namespace, resource]:
            return ApiPath(group, version, namespace, resource, "", "")
        case ["namespaces", namespace, resource, name]:
            return ApiPath(group, version, namespace, resource, name, "")
        case ["namespaces", namespace, resource, name, *sub]:
            return ApiPath(group, version, namespace, resource, name, "/".join(sub))
        case [resource]:
            return ApiPath(group, version, "", resource, "", "")
        case [resource, name]:
            return ApiPath(group, version, "", resource, name, "")
        case [resource, name, *sub]:
            return ApiPath(group, version, "", resource, name, "/".join(sub))
    return None


def is_group_allowed(group: str, injector_hidden: bool) -> bool:
    return group in READABLE or group in REVIEWS or (group == INJECTOR_GROUP and not injector_hidden)


def verbs(group: str, resource: str, injector_hidden: bool) -> frozenset[str]:
    """The verbs allowed on a resource (`pods/log` for a subresource); empty when it is hidden."""
    if group == INJECTOR_GROUP:
        return READS if not injector_hidden and "/" not in resource else frozenset()
    if resource in REVIEWS.get(group, ()):
        return frozenset({"create"})
    return READABLE.get(group, {}).get(resource, frozenset())


def verb_of(method: str, path: ApiPath, watch: bool) -> str:
    """The Kubernetes verb of a request, for decisions and for the audit trail."""
    match method:
        case "GET" | "HEAD":
            return "get" if path.name and not watch else "watch" if watch else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if path.name else "deletecollection"
        case _:
            return method.lower()


def decide(path: ApiPath, verb: str, injector_hidden: bool) -> Refusal | None:
    """None when the request may go on, else why not. Hidden namespaces are judged elsewhere: they depend
    on what the cluster has."""
    where = f' in the namespace "{path.namespace}"' if path.namespace else ""
    what = f'{path.full_resource} "{path.name}"' if path.name else path.full_resource
    group = path.group or "core"
    if verb in verbs(path.group, path.full_resource, injector_hidden):
        if path.group == "coordination.k8s.io" and path.namespace != LEASE_NAMESPACE:
            return Refusal(
                403,
                "Forbidden",
                f"{what} is forbidden: leases are readable in the namespace {LEASE_NAMESPACE} only; "
                f"{ALLOWED_TEXT}",
            )
        return None
    if verb not in READS:
        return Refusal(
            403,
            "Forbidden",
            f"{what} is forbidden: cannot {verb}{where}: only get, list and watch are allowed",
        )
    return Refusal(
        403,
        "Forbidden",
        f'{what} is forbidden: cannot {verb} resource "{path.full_resource}" in API group "{group}"{where}; '
        f"{ALLOWED_TEXT}",
    )


def rules(injector_hidden: bool) -> list[dict[str, list[str]]]:
    """The allow-list in the form of SelfSubjectRulesReview's resourceRules."""
    found = [
        {"verbs": sorted(allowed), "apiGroups": [group], "resources": [resource]}
        for group, resources in READABLE.items()
        for resource, allowed in resources.items()
    ]
    if not injector_hidden:
        found.append({"verbs": sorted(READS), "apiGroups": [INJECTOR_GROUP], "resources": ["*"]})
    return found
