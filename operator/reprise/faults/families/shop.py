"""The pinned otel-demo as far as families need it: who calls whom, and what shows when a workload is away.

A test holds the names to the release's own list.
"""

from collections.abc import Mapping

from reprise.domain.symptoms import AlertSymptom, Symptom

# caller -> callees, in the order of how often they are called.
CALLS: Mapping[str, tuple[str, ...]] = {
    "load-generator": ("frontend-proxy",),
    "frontend-proxy": ("frontend", "image-provider"),
    "frontend": (
        "product-catalog",
        "cart",
        "recommendation",
        "currency",
        "checkout",
        "product-reviews",
        "ad",
        "shipping",
    ),
    "checkout": ("cart", "product-catalog", "currency", "shipping", "payment", "email", "kafka"),
    "recommendation": ("product-catalog",),
    "shipping": ("quote",),
    "cart": ("valkey-cart",),
    "product-catalog": ("postgresql",),
    "product-reviews": ("postgresql", "product-catalog", "llm"),
    "accounting": ("kafka", "postgresql"),
    "fraud-detection": ("kafka",),
}
# They read from a topic; nobody calls them.
CONSUMERS = ("accounting", "fraud-detection")
# Who fails first and most often when this one cannot be reached. Without flagd services serve their defaults.
CALLER: Mapping[str, str] = {
    "ad": "frontend",
    "cart": "frontend",
    "checkout": "frontend",
    "currency": "frontend",
    "email": "checkout",
    "frontend": "frontend-proxy",
    "frontend-proxy": "load-generator",
    "image-provider": "frontend-proxy",
    "kafka": "checkout",
    "llm": "product-reviews",
    "payment": "checkout",
    "postgresql": "product-catalog",
    "product-catalog": "frontend",
    "product-reviews": "frontend",
    "quote": "shipping",
    "recommendation": "frontend",
    "shipping": "checkout",
    "valkey-cart": "cart",
}
# An init container of these waits for that one: whoever breaks both sees only the waiting.
STARTS_AFTER: Mapping[str, str] = {
    "accounting": "kafka",
    "cart": "valkey-cart",
    "checkout": "kafka",
    "fraud-detection": "kafka",
}
# What users notice. The load generator is no workload of the shop: it stands for the users.
NOTICE: Mapping[str, str] = {
    "accounting": "Orders go through, but they are not booked.",
    "ad": "Pages come without advertisements.",
    "cart": "Carts cannot be filled or shown, and nothing can be bought.",
    "checkout": "Every order fails; the shop can be looked at.",
    "currency": "Prices in other currencies than dollars are missing, and orders fail.",
    "email": "Orders go through, but no confirmation is sent.",
    "flagd": "Nobody notices yet, but features cannot be switched any more.",
    "fraud-detection": "Orders go through, but nobody looks at them for fraud.",
    "frontend": "Every page is an error.",
    "frontend-proxy": "The shop does not answer at all.",
    "image-provider": "Pages come without pictures.",
    "kafka": "Orders go through, but nothing behind the shop hears of them.",
    "llm": "The assistant answers no questions about products.",
    "payment": "Orders fail at the payment.",
    "postgresql": "Products and reviews cannot be read.",
    "product-catalog": "No products are shown, and orders fail.",
    "product-reviews": "Products come without reviews, and the assistant does not answer.",
    "quote": "Shipping costs are unknown, and orders fail.",
    "recommendation": "Pages come without recommendations.",
    "shipping": "Shipping costs are unknown, and orders fail.",
    "valkey-cart": "Carts cannot be filled or shown, and nothing can be bought.",
}
WORKLOADS = tuple(NOTICE)
# With a Service; and those of them whose absence callers report.
SERVED = tuple(name for name in WORKLOADS if name not in CONSUMERS)
CALLED = tuple(name for name in WORKLOADS if name in CALLER)
# Those that look other services up, and cannot do their work without.
CALLERS = tuple(name for name in WORKLOADS if name in CALLS)
# Every container of the pod states a memory limit, init containers included.
LIMITED_ALL = tuple(name for name in WORKLOADS if name not in (*STARTS_AFTER, "flagd", "llm"))
LIMITED = tuple(name for name in WORKLOADS if name != "llm")

# Alerts about workloads that serve on.
_HARMS_NOBODY = frozenset(
    {"KubeContainerWithoutMemoryLimit", "KubeDeploymentRolloutStuck", "KubeHpaMaxedOut"}
)


def alert(name: str, workload: str, *, required: bool = True) -> AlertSymptom:
    """The alert about the workload."""
    label = "deployment" if name.startswith("KubeDeployment") else "service_name"
    return AlertSymptom(f"{name} of {workload}", name, {label: workload}, required)


def feels(workload: str, *, required: bool = False) -> tuple[Symptom, ...]:
    """What shows at those who need the workload when it cannot be reached or does nothing."""
    if workload in CONSUMERS:
        return (alert("KafkaConsumerGroupInactive", workload, required=required),)
    if workload in CALLER:
        return (alert("HighRequestErrorRate", CALLER[workload], required=required),)
    return ()


def away(name: str, workload: str) -> tuple[Symptom, ...]:
    """This alert about the workload, and what may show beside it."""
    if name in _HARMS_NOBODY:
        return (alert(name, workload),)
    served = workload not in CONSUMERS
    beside: tuple[Symptom, ...] = ()
    if name == "DeploymentScaledToZero" and served:
        beside = (alert("ServiceWithoutEndpoints", workload, required=False),)
    elif name not in ("DeploymentScaledToZero", "CpuThrottlingHigh"):
        beside = (alert("KubeDeploymentReplicasMismatch", workload, required=False),)
    return (alert(name, workload), *beside, *feels(workload))


def cut(caller: str, callee: str) -> tuple[Symptom, ...]:
    """What shows when this caller alone does not reach this callee."""
    if callee == "kafka" and caller in CONSUMERS:
        return (alert("KafkaConsumerGroupInactive", caller),)
    if callee == "postgresql":
        return (alert("DatabaseOperationsFailing", caller),)
    return (alert("HighRequestErrorRate", caller),)


def edges() -> tuple[tuple[str, str], ...]:
    """(caller, callee) of the shop."""
    return tuple((caller, callee) for caller in CALLERS for callee in CALLS[caller])
