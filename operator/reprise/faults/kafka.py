"""Faults in Kafka: settings of the broker, and what topics take from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, server, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_PORT = 9092
_SETTING = re.compile(r"^[a-z]+(\.[a-z]+)*$")
_ADVERTISED = "advertised.listeners"
_LISTENER = re.compile(r"^(?P<before>[A-Z_]+://[^:/,]+:)(?P<port>\d{1,5})(?P<after>.*)$")


def _variable(setting: str) -> str:
    """The variable in which the broker's image expects the setting."""
    return "KAFKA_" + setting.upper().replace(".", "_")


def _plan_setting(target: str, setting: str, value: str, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = server.serves(deployment, _PORT, "Kafka")
    change = server.with_variable(deployment, container, _variable(setting), value)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


# -- kafka-broker-misconfigured ---------------------------------------------------------------------


@dataclass(frozen=True)
class BrokerParameters:
    """setting: a setting of the broker, as its documentation writes it.
    value: what it is set to; needed but for the address that the broker gives its clients, which gets a port
    that nothing serves."""

    setting: str = _ADVERTISED
    value: str | None = None

    def problems(self) -> list[str]:
        if not _SETTING.match(self.setting):
            return [f"setting: expected one such as {_ADVERTISED}, found {self.setting!r}"]
        if self.value is None and self.setting != _ADVERTISED:
            return [f"value: expected one for {self.setting}, found nothing"]
        return []


def _plan_broker(target: str, params: BrokerParameters, seed: int, observed: Observed) -> Injection:
    value = params.value
    if value is None:
        value = _other_port(observed.get("Deployment", target), seed, target, observed)
    return _plan_setting(target, params.setting, value, observed)


def _other_port(deployment: Json, seed: int, target: str, observed: Observed) -> str:
    container = server.serves(deployment, _PORT, "Kafka")
    name = _variable(_ADVERTISED)
    present = paths.get(container, ("env", paths.Item("name", name), "value"))
    found = _LISTENER.match(present) if isinstance(present, str) else None
    if not found:
        raise errors.InvalidInput(
            f"params.value: expected a value, because Deployment/{target} has no address in {name} to vary"
        )
    served = {
        str(port["port"])
        for service in observed.all("Service").values()
        for port in service["spec"].get("ports") or ()
    }
    port = int(found["port"])
    rng = seeded.chooser(seed, BROKER.name, target)
    other = seeded.pick(rng, [str(port + step) for step in (2, 10, 100, 1000)], served, "port")
    return f"{found['before']}{other}{found['after']}"


def _publishers_fail(target: str, params: object) -> tuple[Symptom, ...]:
    return (AlertSymptom("messages are not published", alert="HighRequestErrorRate"),)


BROKER = Mechanism(
    name="kafka-broker-misconfigured",
    summary="A setting of the Kafka broker is wrong: by default it sends clients where nobody serves.",
    parameters=BrokerParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_broker,
    symptoms=_publishers_fail,
)


# -- kafka-topic-misconfigured ----------------------------------------------------------------------

# What a topic without settings of its own takes from its broker: its name there, a value that hurts.
_TOPIC_SETTINGS: Mapping[str, tuple[str, str]] = {
    "auto.create.topics.enable": ("auto.create.topics.enable", "false"),
    "cleanup.policy": ("log.cleanup.policy", "compact"),
    "max.message.bytes": ("message.max.bytes", "128"),
    "replication.factor": ("default.replication.factor", "3"),
}


@dataclass(frozen=True)
class TopicParameters:
    """setting: the setting of the topic: `cleanup.policy` (compaction refuses messages without a key),
    `max.message.bytes`, and where topics are made anew with their broker `replication.factor` (more than
    there are brokers) and `auto.create.topics.enable`.
    value: what it is set to; by default one that keeps messages from being published."""

    setting: str = "cleanup.policy"
    value: str | None = None

    def problems(self) -> list[str]:
        if self.setting not in _TOPIC_SETTINGS:
            return [f"setting: expected one of: {', '.join(_TOPIC_SETTINGS)}; found {self.setting!r}"]
        return []


def _plan_topic(target: str, params: TopicParameters, seed: int, observed: Observed) -> Injection:
    setting, value = _TOPIC_SETTINGS[params.setting]
    return _plan_setting(target, setting, params.value or value, observed)


TOPIC = Mechanism(
    name="kafka-topic-misconfigured",
    summary="Topics take a wrong setting from their broker, so that what is published is refused.",
    parameters=TopicParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_topic,
    symptoms=_publishers_fail,
)

MECHANISMS = (BROKER, TOPIC)
