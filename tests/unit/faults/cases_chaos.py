"""One fault of each mechanism of Chaos Mesh."""

from collections.abc import Mapping

from reprise.domain.scenario import Fault

_RULE = "RULE quiet\nCLASS oteldemo.AdService\nMETHOD getAds\nAT ENTRY\nIF true\nDO return\nENDRULE\n"

FAULTS: Mapping[str, Fault] = {
    name: Fault(name, "Deployment", "cart", params)
    for name, params in {
        "dns-chaos-error": {"pattern": "valkey-cart*"},
        "dns-chaos-random": {},
        "http-chaos-abort": {},
        "http-chaos-delay": {},
        "http-chaos-patch": {"body": '{"quantity": 0}'},
        "io-chaos-fault": {"volume_path": "/data"},
        "io-chaos-latency": {"volume_path": "/data"},
        "jvm-chaos-exception": {"class_name": "oteldemo.AdService", "method": "getAds"},
        "jvm-chaos-latency": {"class_name": "oteldemo.AdService", "method": "getAds"},
        "jvm-chaos-rule-data": {"rule": _RULE},
        "jvm-chaos-stress": {"memory_type": "heap"},
        "network-chaos-bandwidth": {},
        "network-chaos-corrupt": {},
        "network-chaos-delay": {},
        "network-chaos-duplicate": {},
        "network-chaos-loss": {},
        "network-chaos-partition": {},
        "pod-chaos-container-kill": {},
        "pod-chaos-pod-failure": {},
        "pod-chaos-pod-kill": {},
        "stress-chaos-cpu": {},
        "stress-chaos-memory": {},
        "time-chaos-skew": {},
    }.items()
}
# The workload that is hit; the experiment is the injector's.
INDIRECT = frozenset(FAULTS)
