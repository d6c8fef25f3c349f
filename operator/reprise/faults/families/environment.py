"""The family of wrong environment variables: where services look for others, where they listen."""

from collections.abc import Iterator, Mapping

from reprise.domain.symptoms import Symptom
from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family

# (workload, variable) -> (scheme, the host that it names, its port).
_ADDRESSES: Mapping[tuple[str, str], tuple[str, str, int]] = {
    ("frontend", "AD_ADDR"): ("", "ad", 8080),
    ("frontend", "CART_ADDR"): ("", "cart", 8080),
    ("frontend", "CHECKOUT_ADDR"): ("", "checkout", 8080),
    ("frontend", "CURRENCY_ADDR"): ("", "currency", 8080),
    ("frontend", "PRODUCT_CATALOG_ADDR"): ("", "product-catalog", 8080),
    ("frontend", "PRODUCT_REVIEWS_ADDR"): ("", "product-reviews", 3551),
    ("frontend", "RECOMMENDATION_ADDR"): ("", "recommendation", 8080),
    ("frontend", "SHIPPING_ADDR"): ("http://", "shipping", 8080),
    ("checkout", "CART_ADDR"): ("", "cart", 8080),
    ("checkout", "CURRENCY_ADDR"): ("", "currency", 8080),
    ("checkout", "EMAIL_ADDR"): ("http://", "email", 8080),
    ("checkout", "KAFKA_ADDR"): ("", "kafka", 9092),
    ("checkout", "PAYMENT_ADDR"): ("", "payment", 8080),
    ("checkout", "PRODUCT_CATALOG_ADDR"): ("", "product-catalog", 8080),
    ("checkout", "SHIPPING_ADDR"): ("http://", "shipping", 8080),
    ("cart", "VALKEY_ADDR"): ("", "valkey-cart", 6379),
    ("recommendation", "PRODUCT_CATALOG_ADDR"): ("", "product-catalog", 8080),
    ("product-reviews", "PRODUCT_CATALOG_ADDR"): ("", "product-catalog", 8080),
    ("shipping", "QUOTE_ADDR"): ("http://", "quote", 8080),
    ("accounting", "KAFKA_ADDR"): ("", "kafka", 9092),
    ("fraud-detection", "KAFKA_ADDR"): ("", "kafka", 9092),
}
# (workload, variable) -> the host that it names.
_HOSTS: Mapping[tuple[str, str], str] = {
    ("frontend-proxy", "FRONTEND_HOST"): "frontend",
    ("frontend-proxy", "IMAGE_PROVIDER_HOST"): "image-provider",
    ("product-reviews", "LLM_HOST"): "llm",
}
# (workload, variable) -> the callee, and a port on which it does not listen.
_PORTS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("frontend-proxy", "FRONTEND_PORT"): ("frontend", "3000"),
    ("frontend-proxy", "IMAGE_PROVIDER_PORT"): ("image-provider", "8090"),
    ("product-reviews", "LLM_PORT"): ("llm", "11434"),
}
# workload -> the variable that says on which port it listens.
_LISTENS: Mapping[str, str] = {
    "ad": "AD_PORT",
    "cart": "CART_PORT",
    "checkout": "CHECKOUT_PORT",
    "currency": "CURRENCY_PORT",
    "email": "EMAIL_PORT",
    "frontend": "FRONTEND_PORT",
    "frontend-proxy": "ENVOY_PORT",
    "image-provider": "IMAGE_PROVIDER_PORT",
    "payment": "PAYMENT_PORT",
    "product-catalog": "PRODUCT_CATALOG_PORT",
    "product-reviews": "PRODUCT_REVIEWS_PORT",
    "quote": "QUOTE_PORT",
    "recommendation": "RECOMMENDATION_PORT",
    "shipping": "SHIPPING_PORT",
}
_OTHER_PORT = "9555"
# Of the addresses for examples, which no network routes (RFC 5737).
_NOWHERE = "192.0.2.10"
# How each client writes where its database is.
_DATABASES: Mapping[str, str] = {
    "accounting": "Host={host};Port={port};Username={user};Password=otelp;Database={database}",
    "product-catalog": "postgres://{user}:otelp@{host}:{port}/{database}?sslmode=disable",
    "product-reviews": "host={host} port={port} user={user} password=otelp dbname={database}",
}
_DATABASE = {"host": "postgresql", "port": "5432", "user": "otelu", "database": "otel"}
_DATABASE_WAYS: Mapping[str, Mapping[str, str]] = {
    "another port": {"port": "5433"},
    "a name that is not there": {"host": "astronomy-db"},
    "an address that answers nobody": {"host": _NOWHERE},
    "another user": {"user": "astronomy"},
    "another database": {"database": "astronomy"},
}


def _point(
    workload: str, variable: str, value: str | None, way: str, callee: str, symptoms: tuple[Symptom, ...]
) -> Point:
    return Point(
        kind="Deployment",
        name=workload,
        hurts=workload,
        notice=shop.NOTICE[workload if workload in shop.CONSUMERS else callee],
        symptoms=symptoms,
        params={"variable": variable} | ({} if value is None else {"value": value}),
        way=f"{variable}, {way}",
    )


def _points() -> Iterator[Point]:
    for (workload, variable), (scheme, host, port) in _ADDRESSES.items():
        shows = shop.cut(workload, host)
        values = {
            # NB: one above Kafka's port is the controller's.
            "another port": "kafka:9094" if host == "kafka" else None,
            "a name that is not there": f"{scheme}{host}-service:{port}",
            "its own pod": f"{scheme}localhost:{port}",
            "an address that answers nobody": f"{scheme}{_NOWHERE}:{port}",
        }
        for way, value in values.items():
            yield _point(workload, variable, value, way, host, shows)
    for (workload, variable), host in _HOSTS.items():
        shows = shop.cut(workload, host)
        yield _point(workload, variable, f"{host}-service", "a name that is not there", host, shows)
        yield _point(workload, variable, _NOWHERE, "an address that answers nobody", host, shows)
    for (workload, variable), (callee, number) in _PORTS.items():
        yield _point(workload, variable, number, "another port", callee, shop.cut(workload, callee))
    for workload, variable in _LISTENS.items():
        shows = shop.feels(workload, required=True)
        yield _point(workload, variable, _OTHER_PORT, "listens elsewhere", workload, shows)
    for workload, form in _DATABASES.items():
        for way, other in _DATABASE_WAYS.items():
            value = form.format(**{**_DATABASE, **other})
            shows = shop.cut(workload, "postgresql")
            yield _point(workload, "DB_CONNECTION_STRING", value, way, workload, shows)
    heap = "-Xmx256M -Xms512M"
    crash = shop.away("KubePodCrashLooping", "kafka")
    yield _point("kafka", "KAFKA_HEAP_OPTS", heap, "a heap smaller than its beginning", "kafka", crash)


ENVIRONMENT: Family = family(
    "environment-variable-wrong", "a wrong setting", "medium", "roll-out configuration", _points()
)
