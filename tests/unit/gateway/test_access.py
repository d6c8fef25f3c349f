"""The allow-list: what an agent may ask, by table."""

from pathlib import Path

import pytest
import yaml

from reprise.domain import access

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/api/v1/pods", "/api/v1/pods"),
        ("/api/v1/namespaces", "/api/v1/namespaces"),
        ("/api/v1/namespaces/shop", "/api/v1/namespaces/shop"),
        ("/api/v1/namespaces/shop/pods", "/api/v1/namespaces/shop/pods"),
        ("/api/v1/namespaces/shop/pods/a", "/api/v1/namespaces/shop/pods/a"),
        ("/api/v1/namespaces/shop/pods/a/log", "/api/v1/namespaces/shop/pods/a/log"),
        ("/api/v1/nodes/n", "/api/v1/nodes/n"),
        ("/api/v1/nodes/n/proxy/metrics", "/api/v1/nodes/n/proxy/metrics"),
        (
            "/apis/apps/v1/namespaces/shop/deployments/a/scale",
            "/apis/apps/v1/namespaces/shop/deployments/a/scale",
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
        ),
    ],
)
def test_a_path_is_read_and_written_back(path: str, url: str) -> None:
    parts = access.split(path)
    assert parts is not None
    found = access.parse(parts)
    assert found is not None
    assert found.url() == url


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/../secrets",
        "/api/v1//pods",
        "/api/v1/namespaces/a/pods/./log",
        "/api/v1/namespaces/a b/pods",
        "/api/v1/namespaces/a?x/pods",
        "/api/v1/namespaces/a\n/pods",
        "/api/v1/namespaces/a\\b/pods",
    ],
)
def test_a_path_of_odd_segments_is_no_path(path: str) -> None:
    assert access.split(path) is None


ALLOWED = [
    ("/api/v1/pods", "GET", False, "list"),
    ("/api/v1/namespaces/shop/pods/a", "GET", False, "get"),
    ("/api/v1/namespaces/shop/pods/a/log", "GET", False, "get"),
    ("/api/v1/namespaces/shop/pods", "GET", True, "watch"),
    ("/api/v1/namespaces/shop", "GET", False, "get"),
    ("/apis/networking.k8s.io/v1/networkpolicies", "GET", False, "list"),
    ("/apis/metrics.k8s.io/v1beta1/nodes", "GET", False, "list"),
    ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n", "GET", False, "get"),
    ("/apis/events.k8s.io/v1/events", "GET", True, "watch"),
    ("/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/a", "GET", False, "get"),
    ("/apis/security.istio.io/v1/peerauthentications", "GET", False, "list"),
]
REFUSED = [
    ("/api/v1/secrets", "GET", False),
    ("/api/v1/namespaces/shop/secrets/a", "GET", False),
    ("/api/v1/namespaces/shop/pods/a", "DELETE", False),
    ("/api/v1/namespaces/shop/pods", "POST", False),
    ("/api/v1/namespaces/shop/pods", "DELETE", False),
    ("/api/v1/namespaces/shop/pods/a", "PATCH", False),
    ("/api/v1/namespaces/shop/pods/a", "PUT", False),
    ("/api/v1/namespaces/shop/pods/a/exec", "POST", False),
    ("/api/v1/namespaces/shop/pods/a/exec", "GET", False),
    ("/api/v1/namespaces/shop/pods/a/attach", "GET", False),
    ("/api/v1/namespaces/shop/pods/a/portforward", "GET", False),
    ("/api/v1/namespaces/shop/pods/a/proxy", "GET", False),
    ("/api/v1/namespaces/shop/pods/a/ephemeralcontainers", "PATCH", False),
    ("/api/v1/namespaces/shop/pods/a/log/extra", "GET", False),
    ("/api/v1/namespaces/shop/services/a/proxy", "GET", False),
    ("/api/v1/nodes/n/proxy/metrics", "GET", False),
    ("/api/v1/namespaces/shop/status", "GET", False),
    ("/api/v1/watch/pods", "GET", False),
    ("/api/v1/namespaces/shop/serviceaccounts/default/token", "POST", False),
    ("/apis/apps/v1/namespaces/shop/deployments/a/scale", "GET", False),
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "GET", False),
    ("/apis/reprise.dev/v1alpha1/benchmarkruns", "GET", False),
    ("/apis/reprise.dev/v1alpha1/agentattempts", "GET", True),
    ("/apis/chaos-mesh.org/v1alpha1/networkchaos", "GET", False),
    ("/apis/security.istio.io/v1/requestauthentications", "GET", False),
    ("/apis/networking.istio.io/v1/virtualservices", "GET", False),
    ("/apis/coordination.k8s.io/v1/leases", "GET", False),
    ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", "GET", False),
    ("/apis/metrics.k8s.io/v1beta1/pods", "GET", True),
    ("/apis/authentication.k8s.io/v1/tokenreviews", "POST", False),
]


@pytest.mark.parametrize(("path", "method", "watch", "verb"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_reads_of_the_list_are_allowed(path: str, method: str, watch: bool, verb: str) -> None:
    found = access.parse(access.split(path) or ())
    assert found is not None
    assert access.verb_of(method, found, watch) == verb
    assert access.decide(found, verb, injector_hidden=True) is None


@pytest.mark.parametrize(
    ("path", "method", "watch"), REFUSED, ids=[f"{method} {path}" for path, method, _ in REFUSED]
)
def test_everything_else_is_refused_and_says_what_is_allowed(path: str, method: str, watch: bool) -> None:
    found = access.parse(access.split(path) or ())
    assert found is not None
    refusal = access.decide(found, access.verb_of(method, found, watch), injector_hidden=True)
    assert refusal is not None
    assert refusal.code == 403
    assert "allowed" in refusal.message


def test_the_injector_is_readable_only_when_it_is_visible() -> None:
    found = access.parse(("apis", "chaos-mesh.org", "v1alpha1", "networkchaos"))
    assert found is not None
    assert access.decide(found, "list", injector_hidden=False) is None
    assert access.decide(found, "create", injector_hidden=False) is not None
    assert access.decide(found, "list", injector_hidden=True) is not None


def test_the_cluster_role_grants_the_allow_list_and_nothing_else() -> None:
    documents = list(yaml.safe_load_all((ROOT / "manifests/gateway/rbac.yaml").read_text()))
    granted: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        for rule in document.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    granted.setdefault((group, resource), set()).update(rule["verbs"])
    expected: dict[tuple[str, str], set[str]] = {
        (group, resource): set(verbs)
        for group, resources in access.READABLE.items()
        for resource, verbs in resources.items()
    }
    expected["chaos-mesh.org", "*"] = set(access.READS)
    expected["reprise.dev", "agentattempts"] = set(access.READS)
    expected["reprise.dev", "agentattempts/status"] = {"patch"}
    assert granted == expected
    leases = [
        document["metadata"]["namespace"]
        for document in documents
        if any("leases" in rule["resources"] for rule in document.get("rules", ()))
    ]
    assert leases == [access.LEASE_NAMESPACE]
