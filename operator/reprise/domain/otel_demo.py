"""What the pinned release of otel-demo is made of, as far as names go, and what its parts used to be called.

A contract test holds the names to the release's own list.
"""

from collections.abc import Mapping

NAMESPACE = "otel-demo"
# Other names that the same application was installed under.
FORMER_NAMESPACES = frozenset({"astronomy-shop", "opentelemetry-demo", "otel", "otel-demo-app"})

DEPLOYMENTS = frozenset(
    {
        "accounting",
        "ad",
        "cart",
        "checkout",
        "currency",
        "email",
        "flagd",
        "fraud-detection",
        "frontend",
        "frontend-proxy",
        "image-provider",
        "kafka",
        "llm",
        "load-generator",
        "payment",
        "postgresql",
        "product-catalog",
        "product-reviews",
        "quote",
        "recommendation",
        "shipping",
        "valkey-cart",
    }
)
# Those two only read from a topic.
SERVICES = DEPLOYMENTS - {"accounting", "fraud-detection"}
CONFIG_MAPS = frozenset({"flagd-config", "postgresql-init", "product-catalog-product-catalog-otel-config"})

# kind -> its objects. The release has no Secret; the one here is how the database's password is handed on.
OBJECTS: Mapping[str, frozenset[str]] = {
    "ConfigMap": CONFIG_MAPS,
    "Deployment": DEPLOYMENTS,
    "Secret": frozenset({"postgresql-credentials"}),
    "Service": SERVICES,
    "ServiceAccount": frozenset({"otel-demo"}),
}

# Name in earlier releases (and in files written for them) -> name now.
FORMER_NAMES: Mapping[str, str] = {
    "accountingservice": "accounting",
    "adservice": "ad",
    "cartservice": "cart",
    "checkoutservice": "checkout",
    "currencyservice": "currency",
    "emailservice": "email",
    "frauddetection": "fraud-detection",
    "frauddetectionservice": "fraud-detection",
    "frontendproxy": "frontend-proxy",
    "imageprovider": "image-provider",
    "loadgenerator": "load-generator",
    "paymentservice": "payment",
    "postgres": "postgresql",
    "productcatalog": "product-catalog",
    "productcatalogservice": "product-catalog",
    "quoteservice": "quote",
    "recommendationservice": "recommendation",
    "redis": "valkey-cart",
    "redis-cart": "valkey-cart",
    "shippingservice": "shipping",
    "valkey": "valkey-cart",
}
# Charts used to put the release's name in front of every object's.
FORMER_PREFIXES = ("otel-demo-", "my-otel-demo-", "opentelemetry-demo-")


def spellings(name: str) -> tuple[str, ...]:
    """Everything that an object of the release is or was called, its present name first."""
    known = [name, *sorted(old for old, new in FORMER_NAMES.items() if new == name)]
    return (*known, *(prefix + spelling for spelling in known for prefix in FORMER_PREFIXES))
