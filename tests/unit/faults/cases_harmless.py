"""One use of each decoy."""

from collections.abc import Mapping

from reprise.domain.scenario import Fault

FAULTS: Mapping[str, Fault] = {
    name: Fault(name, "Deployment", "cart")
    for name in (
        "config-map-added",
        "cpu-limit-set",
        "environment-variable-added",
        "image-pull-policy-changed",
        "label-changed",
        "log-level-changed",
        "network-policy-permissive",
        "pod-disruption-budget-permissive",
        "replicas-raised",
        "resource-quota-generous",
    )
}
