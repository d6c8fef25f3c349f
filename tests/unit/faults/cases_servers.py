"""One fault of each mechanism in the application's servers: Valkey, Kafka, PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from tests.unit.faults import shop

from reprise.domain.scenario import Fault

INIT = """\
-- One role, two tables.
CREATE ROLE otelu LOGIN PASSWORD 'otelp';
CREATE TABLE catalog.products (id text PRIMARY KEY);
CREATE TABLE accounting."order" (id text PRIMARY KEY);
"""

FAULTS: Mapping[str, Fault] = {
    "kafka-broker-misconfigured": Fault("kafka-broker-misconfigured", "Deployment", "kafka"),
    "kafka-topic-misconfigured": Fault("kafka-topic-misconfigured", "Deployment", "kafka"),
    "postgresql-connections-exhausted": Fault("postgresql-connections-exhausted", "Deployment", "postgresql"),
    "postgresql-credentials-rotated": Fault("postgresql-credentials-rotated", "Deployment", "postgresql"),
    "postgresql-lock-held": Fault("postgresql-lock-held", "Deployment", "postgresql"),
    "postgresql-max-connections-low": Fault("postgresql-max-connections-low", "Deployment", "postgresql"),
    "postgresql-slow-query": Fault("postgresql-slow-query", "Deployment", "postgresql"),
    "valkey-out-of-memory": Fault("valkey-out-of-memory", "Deployment", "valkey-cart"),
    "valkey-password-changed": Fault("valkey-password-changed", "Deployment", "valkey-cart"),
}


def _ports(*numbers: int) -> list[dict[str, Any]]:
    return [{"name": f"port-{number}", "containerPort": number} for number in numbers]


def valkey(**container: Any) -> shop.Json:
    return shop.deployment("valkey-cart", ports=_ports(6379), **container)


def kafka(**container: Any) -> shop.Json:
    env = [
        {"name": "KAFKA_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "KAFKA_ADVERTISED_LISTENERS", "value": "PLAINTEXT://kafka:9092"},
    ]
    return shop.deployment("kafka", **{"ports": _ports(9092, 9093), "env": env, **container})


def postgresql(**container: Any) -> shop.Json:
    env = [
        {"name": "POSTGRES_USER", "value": "root"},
        {"name": "POSTGRES_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "root"}}},
        {"name": "POSTGRES_DB", "value": "otel"},
    ]
    mounts = [{"name": "init", "mountPath": "/docker-entrypoint-initdb.d"}]
    made = shop.deployment(
        "postgresql", **{"ports": _ports(5432), "env": env, "volumeMounts": mounts, **container}
    )
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "init", "configMap": {"name": "postgresql-init"}}]
    return made


def init(text: str = INIT) -> shop.Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "postgresql-init", "namespace": shop.NAMESPACE, "uid": "configmap-init"},
        "data": {"init.sql": text},
    }


EXTRA = (
    valkey(),
    kafka(),
    postgresql(),
    init(),
    shop.service("postgresql", 5432),
    shop.service("kafka", 9092),
)
