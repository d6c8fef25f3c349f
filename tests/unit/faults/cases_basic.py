"""One fault of each of the first mechanisms."""

from collections.abc import Mapping

from reprise.domain.scenario import Fault

FAULTS: Mapping[str, Fault] = {
    "container-image-nonexistent": Fault("container-image-nonexistent", "Deployment", "cart"),
    "environment-variable-wrong": Fault(
        "environment-variable-wrong", "Deployment", "cart", {"variable": "VALKEY_ADDR"}
    ),
    "feature-flag": Fault(
        "feature-flag", "ConfigMap", "flagd-config", {"flag": "paymentFailure", "variant": "100%"}
    ),
    "network-policy-ingress-block": Fault("network-policy-ingress-block", "Deployment", "frontend"),
    "resource-quota-insufficient": Fault(
        "resource-quota-insufficient", "Deployment", "checkout", {"hard": {"limits.memory": "1Gi"}}
    ),
    "service-selector-invalid": Fault("service-selector-invalid", "Service", "cart"),
    "service-target-port-wrong": Fault("service-target-port-wrong", "Service", "cart"),
    "workload-scaled-to-zero": Fault("workload-scaled-to-zero", "Deployment", "cart"),
}
