"""One fault of each mechanism that changes a pod template."""

from collections.abc import Mapping

from reprise.domain.scenario import Fault

FAULTS: Mapping[str, Fault] = {
    name: Fault(name, "Deployment", "cart")
    for name in (
        "container-command-invalid",
        "container-image-wrong-architecture",
        "container-limits-removed",
        "container-resources-insufficient",
        "dns-policy-default",
        "ephemeral-storage-exceeded",
        "init-container-crashing",
        "init-container-hanging",
        "liveness-probe-killing",
        "node-selector-unmatched",
        "persistent-volume-claim-missing",
        "persistent-volume-claim-unbound",
        "pod-anti-affinity-unschedulable",
        "readiness-probe-wrong",
        "rollout-progress-deadline-exceeded",
        "service-account-missing",
        "service-account-without-rights",
    )
}
EXTRA = (
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "worker-of-shop",
            "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "status": {
            "images": [
                {"names": ["registry.example/demo:2.2.0-cart"]},
                {"names": ["registry.example/demo-arm64:2.2.0"]},
            ]
        },
    },
)
# The claim's StorageClass is what is wrong; that the Deployment mounts it is not.
INDIRECT = ("persistent-volume-claim-unbound",)
UNSUPPORTED = {"service-account-without-rights": "a RoleBinding of ServiceAccount/default"}
