"""Faults in Valkey, Kafka and PostgreSQL: what is planned, and what is refused."""

import re
from typing import Any

import pytest
from tests.unit.faults import cases_servers, shop
from tests.unit.faults.cases_servers import FAULTS
from tests.unit.faults.test_planners import ROLL, change, created, inject, steps

from reprise.domain import errors
from reprise.domain.scenario import Fault


def fault(mechanism: str, /, **params: Any) -> Fault:
    found = FAULTS[mechanism]
    return Fault(found.mechanism, found.kind, found.name, params)


@pytest.mark.parametrize(
    ("wanted", "path", "pattern"),
    [
        (
            fault("valkey-password-changed"),
            "spec.template.spec.containers[name=valkey-cart].args",
            r"\['--requirepass', '[0-9a-f]{20}'\]",
        ),
        (
            fault("valkey-out-of-memory"),
            "spec.template.spec.containers[name=valkey-cart].args",
            r"\['--maxmemory', '512kb', '--maxmemory-policy', 'noeviction'\]",
        ),
        (
            fault("kafka-broker-misconfigured"),
            "spec.template.spec.containers[name=kafka].env[name=KAFKA_ADVERTISED_LISTENERS].value",
            r"PLAINTEXT://kafka:(9094|9102|9192|10092)",
        ),
        (
            fault("kafka-broker-misconfigured", setting="message.max.bytes", value="64"),
            "spec.template.spec.containers[name=kafka].env[name=KAFKA_MESSAGE_MAX_BYTES]",
            r"\{'name': 'KAFKA_MESSAGE_MAX_BYTES', 'value': '64'\}",
        ),
        (
            fault("kafka-topic-misconfigured"),
            "spec.template.spec.containers[name=kafka].env[name=KAFKA_LOG_CLEANUP_POLICY]",
            r"\{'name': 'KAFKA_LOG_CLEANUP_POLICY', 'value': 'compact'\}",
        ),
        (
            fault("kafka-topic-misconfigured", setting="replication.factor"),
            "spec.template.spec.containers[name=kafka].env[name=KAFKA_DEFAULT_REPLICATION_FACTOR]",
            r"\{'name': 'KAFKA_DEFAULT_REPLICATION_FACTOR', 'value': '3'\}",
        ),
        (
            fault("postgresql-max-connections-low", max_connections=5),
            "spec.template.spec.containers[name=postgresql].args",
            r"\['-c', 'max_connections=5'\]",
        ),
        (
            fault("postgresql-credentials-rotated", password="r0tated"),
            'data["init.sql"]',
            re.escape(cases_servers.INIT.replace("otelp", "r0tated")),
        ),
    ],
)
def test_patches(wanted: Fault, path: str, pattern: str) -> None:
    made = inject(wanted)
    found, value = change(made)
    assert found == path
    assert re.fullmatch(pattern, str(value)), value
    if not path.startswith("data"):
        assert steps(made) == ROLL


def test_arguments_come_after_those_that_are_there() -> None:
    observed = shop.observed(*cases_servers.EXTRA, cases_servers.valkey(args=["--save", ""]))
    _, value = change(inject(fault("valkey-out-of-memory", maxmemory="1mb"), observed=observed))
    assert value == ["--save", "", "--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]


def test_rotated_credentials_are_felt_by_a_database_made_anew() -> None:
    made = inject(FAULTS["postgresql-credentials-rotated"])
    assert steps(made) == (["RecyclePods", "WaitAvailable"], ["RecyclePods", "WaitAvailable"])
    (cause,) = made.causes
    assert (cause.ref.kind, cause.ref.name, cause.owned) == ("ConfigMap", "postgresql-init", False)


def test_the_last_password_of_a_role_counts() -> None:
    twice = cases_servers.INIT + "ALTER ROLE otelu WITH PASSWORD 'second';\n"
    observed = shop.observed(*cases_servers.EXTRA, cases_servers.init(twice))
    _, text = change(inject(fault("postgresql-credentials-rotated", password="other"), observed=observed))
    assert text == twice.replace("second", "other")


@pytest.mark.parametrize(
    "name", ["postgresql-connections-exhausted", "postgresql-lock-held", "postgresql-slow-query"]
)
def test_clients_are_of_the_databases_image_and_log_in_as_its_pod_says(name: str) -> None:
    made = inject(FAULTS[name])
    manifest = created(made)
    (cause,) = made.causes
    assert (cause.ref.name, cause.owned) == (manifest["metadata"]["name"], True)
    template = manifest["spec"]["template"]
    assert manifest["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    assert container["image"] == "registry.example/demo:2.2.0-postgresql"
    assert container["env"] == [
        {"name": "PGHOST", "value": "postgresql"},
        {"name": "PGUSER", "value": "root"},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "root"}}},
        {"name": "PGDATABASE", "value": "otel"},
    ]
    # No Service may send it requests.
    labels = template["metadata"]["labels"]
    for service in shop.observed(*cases_servers.EXTRA).all("Service").values():
        assert not service["spec"]["selector"].items() <= labels.items()


def script(wanted: Fault) -> str:
    (container,) = created(inject(wanted))["spec"]["template"]["spec"]["containers"]
    return str(container["command"][2])


def test_lock_and_slow_query_name_the_table() -> None:
    table = 'accounting."order"'
    for name in ("postgresql-lock-held", "postgresql-slow-query"):
        assert f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" in script(fault(name, table=table))
    assert "pg_sleep(1.8)" in script(fault("postgresql-slow-query", milliseconds=1800))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            Fault("valkey-password-changed", "Deployment", "cart"),
            "serves port 6379; .*cart, which serves: 8080",
        ),
        (Fault("kafka-topic-misconfigured", "Deployment", "cart"), "expected Kafka"),
        (Fault("postgresql-lock-held", "Deployment", "cart"), "expected PostgreSQL"),
        (fault("valkey-password-changed", password="a b"), "params.password"),
        (fault("valkey-out-of-memory", maxmemory="much"), "params.maxmemory: .*'much'"),
        (fault("kafka-broker-misconfigured", setting="message.max.bytes"), "params.value: .*found nothing"),
        (fault("kafka-broker-misconfigured", setting="Bad Setting", value="1"), "params.setting"),
        (
            fault("kafka-broker-misconfigured", value="PLAINTEXT://kafka:9092"),
            "another value than the present",
        ),
        (
            fault("kafka-broker-misconfigured", setting="node.name", value="x"),
            "expected KAFKA_NODE_NAME to have a literal value",
        ),
        (fault("kafka-topic-misconfigured", setting="retention"), "one of: auto.create.topics.enable"),
        (fault("postgresql-max-connections-low", max_connections=3), "4 to 100, found 3"),
        (fault("postgresql-credentials-rotated", role="nobody"), "one of: otelu; found 'nobody'"),
        (fault("postgresql-credentials-rotated", password="otelp"), "another than the present one"),
        (fault("postgresql-lock-held", table="catalog.gone"), 'one of: accounting."order", catalog.products'),
        (fault("postgresql-lock-held", table="a; DROP TABLE b"), "params.table: expected schema.table"),
        (fault("postgresql-lock-held", name="postgresql"), "the name of no Deployment"),
        (fault("postgresql-connections-exhausted", name="No"), "params.name"),
        (fault("postgresql-slow-query", milliseconds=100), "1600 to 10000, found 100"),
    ],
)
def test_refuses(wanted: Fault, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(wanted, observed=shop.observed(*cases_servers.EXTRA))


@pytest.mark.parametrize(
    ("name", "instead", "message"),
    [
        (
            "valkey-out-of-memory",
            cases_servers.valkey(command=["/bin/sh", "-c", "valkey-server"]),
            "a shell's",
        ),
        ("postgresql-credentials-rotated", cases_servers.init("SELECT 1;"), "found no CREATE ROLE"),
        ("postgresql-lock-held", cases_servers.postgresql(env=[]), "no variable POSTGRES_DB"),
        ("postgresql-lock-held", shop.service("postgresql", 80), "a Service with port 5432"),
    ],
)
def test_what_the_application_lacks(name: str, instead: shop.Json, message: str) -> None:
    with pytest.raises(errors.Unsupported, match=message):
        inject(FAULTS[name], observed=shop.observed(*cases_servers.EXTRA, instead))
