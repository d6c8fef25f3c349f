"""Families of faults in the servers behind the shop, and in the texts that configure them."""

from collections.abc import Iterator, Mapping
from typing import Any

from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family


def _at(workload: str, shows: tuple[Symptom, ...], ways: Mapping[str, Mapping[str, Any]]) -> Iterator[Point]:
    for way, params in ways.items():
        yield Point("Deployment", workload, workload, shop.NOTICE[workload], shows, params, way)


_PUBLISHING = shop.feels("kafka", required=True)
_STORING = (shop.alert("DatabaseOperationsFailing", "cart"),)
_READING = (shop.alert("DatabaseOperationsFailing", "product-catalog"),)
# Who reads and writes each table.
_TABLES = {
    "catalog.products": "product-catalog",
    "reviews.productreviews": "product-reviews",
    'accounting."order"': "accounting",
    "accounting.orderitem": "accounting",
    "accounting.shipping": "accounting",
}


def _locks() -> Iterator[Point]:
    for table, reader in _TABLES.items():
        shows = (shop.alert("DatabaseOperationsFailing", reader),)
        yield Point(
            "Deployment", "postgresql", "postgresql", shop.NOTICE[reader], shows, {"table": table}, table
        )


def _slow_queries() -> Iterator[Point]:
    for table, reader in _TABLES.items():
        if reader != "accounting":  # it has all the time of the world
            shows = (shop.alert("HighRequestLatency", reader),)
            notice = f"What {reader} serves comes late."
            yield Point("Deployment", "postgresql", "postgresql", notice, shows, {"table": table}, table)


# ConfigMap, way, find, replace, the workload that shows it, its alert.
_TEXTS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("flagd-config", "no JSON", '"flags": {', '"flags": [', "flagd", "KubePodCrashLooping"),
    (
        "postgresql-init",
        "another password",
        "PASSWORD 'otelp'",
        "PASSWORD 'astronomy'",
        "product-catalog",
        "DatabaseOperationsFailing",
    ),
    (
        "postgresql-init",
        "a table of products with another name",
        "catalog.products",
        "catalog.items",
        "product-catalog",
        "DatabaseOperationsFailing",
    ),
    (
        "postgresql-init",
        "a table of reviews with another name",
        "reviews.productreviews",
        "reviews.comments",
        "product-reviews",
        "DatabaseOperationsFailing",
    ),
)


def _texts() -> Iterator[Point]:
    for name, way, find, replace, workload, alert in _TEXTS:
        shows = (shop.alert(alert, workload),)
        params = {"find": find, "replace": replace}
        yield Point("ConfigMap", name, workload, shop.NOTICE[workload], shows, params, way)


def _keys() -> Iterator[Point]:
    for name, workload in (("flagd-config", "flagd"), ("postgresql-init", "postgresql")):
        shows = shop.away("KubePodCrashLooping", workload)
        yield Point("ConfigMap", name, workload, shop.NOTICE[workload], shows)


FAMILIES: tuple[Family, ...] = (
    family(
        "valkey-password-changed",
        "a password nobody knows",
        "medium",
        "database credentials",
        _at("valkey-cart", _STORING, {"": {}}),
    ),
    family(
        "valkey-out-of-memory",
        "writes refused",
        "medium",
        "database memory",
        _at("valkey-cart", _STORING, {"": {}}),
    ),
    family(
        "kafka-broker-misconfigured",
        "the broker's settings",
        "medium",
        "messaging configuration",
        _at(
            "kafka",
            _PUBLISHING,
            {
                "clients sent to another port": {},
                "clients sent to a name that is not there": {"value": "PLAINTEXT://kafka-0:9092"},
                "clients sent to their own pod": {"value": "PLAINTEXT://localhost:9092"},
                "listens elsewhere": {
                    "setting": "listeners",
                    "value": "PLAINTEXT://:9095,CONTROLLER://:9093",
                },
            },
        ),
    ),
    family(
        "kafka-topic-misconfigured",
        "the topic's settings",
        "hard",
        "messaging configuration",
        _at(
            "kafka",
            _PUBLISHING,
            {
                setting: {"setting": setting}
                for setting in (
                    "auto.create.topics.enable",
                    "cleanup.policy",
                    "max.message.bytes",
                    "replication.factor",
                )
            },
        ),
    ),
    family(
        "postgresql-credentials-rotated",
        "a password of yesterday",
        "medium",
        "database credentials",
        _at("postgresql", _READING, {"": {}}),
    ),
    family(
        "postgresql-max-connections-low",
        "too few sessions",
        "hard",
        "database connections",
        _at("postgresql", (AlertSymptom("sessions are refused", "DatabaseConnectionsExhausted"),), {"": {}}),
    ),
    family(
        "postgresql-connections-exhausted",
        "all sessions taken",
        "hard",
        "database connections",
        _at("postgresql", (shop.alert("DatabaseConnectionsExhausted", "product-catalog"),), {"": {}}),
    ),
    family("postgresql-lock-held", "a locked table", "hard", "database locking", _locks()),
    family(
        "postgresql-slow-query",
        "a table that is read slowly",
        "hard",
        "database locking latency",
        _slow_queries(),
    ),
    family("config-map-key-wrong", "a text that is wrong", "hard", "configuration", _texts()),
    family("config-map-key-removed", "a text that is gone", "medium", "configuration", _keys()),
)
