"""The topic `orders`, from checkout to accounting and fraud detection; the trace goes through the headers."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable

import confluent_kafka
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from shop import process, telemetry
from shop.proto import demo_pb2

TOPIC = "orders"
_DELIVERY_SECONDS = 3.0
_POLL_SECONDS = 0.5
_CLIENT = {
    "reconnect.backoff.ms": 1000,
    "reconnect.backoff.max.ms": 2000,
    "socket.timeout.ms": 6000,
    "log.connection.close": False,
}

_log = logging.getLogger(__name__)


class PublishError(Exception):
    """The broker did not acknowledge the message."""


def _attributes(operation: str) -> dict[str, AttributeValue]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": TOPIC,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
    }


class Publisher:
    """Publishes orders. Safe for use by several threads."""

    def __init__(self, servers: str) -> None:
        self._producer = confluent_kafka.Producer(
            {
                **_CLIENT,
                "bootstrap.servers": servers,
                "client.id": "checkout",
                "message.timeout.ms": int(_DELIVERY_SECONDS * 1000),
                "linger.ms": 5,
            },
            logger=_log,
        )

    def publish(self, order: demo_pb2.OrderResult, copies: int = 0) -> None:
        """Publish the order, and `copies` of it that nobody waits for.

        Raises PublishError when the broker did not acknowledge the order in time.
        """
        with telemetry.span(f"{TOPIC} publish", SpanKind.PRODUCER, _attributes("publish")) as span:
            payload = order.SerializeToString()
            headers: dict[str, str | bytes | None] = {**telemetry.inject()}
            # Filled by whichever thread serves the client's callbacks; read here only.
            outcome: queue.SimpleQueue[tuple[confluent_kafka.KafkaError | None, confluent_kafka.Message]]
            outcome = queue.SimpleQueue()
            self._producer.produce(
                TOPIC,
                payload,
                headers=headers,
                on_delivery=lambda error, message: outcome.put((error, message)),
            )
            for _ in range(copies):
                self._producer.produce(TOPIC, payload, headers=headers)
            # The client gives a message up after message.timeout.ms; one second more is for its own clock.
            self._producer.flush(_DELIVERY_SECONDS + 1)
            try:
                error, message = outcome.get_nowait()
            except queue.Empty:
                raise PublishError(f"topic {TOPIC}: not acknowledged in time") from None
            if error is not None:
                raise PublishError(f"topic {TOPIC}: {error}")
            span.set_attribute("messaging.destination.partition.id", str(message.partition()))
            span.set_attribute("messaging.kafka.offset", message.offset() or 0)


class _Group:
    """Metrics of one consumer: what it has read, and how far behind it is."""

    def __init__(self, name: str, consumer: confluent_kafka.Consumer) -> None:
        self._consumer = consumer
        self._labels: dict[str, AttributeValue] = {"group": name, "topic": TOPIC}
        meter = metrics.get_meter("shop")
        self.consumed = meter.create_counter(
            "messaging.client.consumed.messages", description="Messages read."
        )
        meter.create_observable_gauge(
            "kafka.consumer.group.lag", [self._lag], description="Messages that wait for the group."
        )
        meter.create_observable_gauge(
            "kafka.consumer.group.partitions",
            [self._partitions],
            description="Partitions that the member reads.",
        )

    def count(self) -> None:
        """One more message was processed."""
        self.consumed.add(1, self._labels)

    def _partitions(self, options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(len(self._consumer.assignment()), self._labels)

    def _lag(self, options: CallbackOptions) -> Iterable[Observation]:
        for position in self._consumer.position(self._consumer.assignment()):
            _, high = self._consumer.get_watermark_offsets(position, cached=True)
            if high >= 0 and position.offset >= 0:
                labels = {**self._labels, "partition": str(position.partition)}
                yield Observation(max(0, high - position.offset), labels)


def consume(servers: str, group: str, handle: Callable[[demo_pb2.OrderResult], None]) -> None:
    """Call `handle` with each order until told to stop. A failing handler costs its order only."""
    consumer = confluent_kafka.Consumer(
        {
            **_CLIENT,
            "bootstrap.servers": servers,
            "group.id": group,
            "client.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1000,
            "session.timeout.ms": 10_000,
            "topic.metadata.refresh.interval.ms": 5_000,
            "allow.auto.create.topics": True,
            # The default of 64 MB would outgrow the pod when a queue has piled up.
            "queued.max.messages.kbytes": 4096,
            "fetch.message.max.bytes": 262_144,
        },
        logger=_log,
    )
    stop = process.stop_event()
    metric = _Group(group, consumer)
    consumer.subscribe([TOPIC])
    while not stop.is_set():
        message = consumer.poll(_POLL_SECONDS)
        if message is None:
            continue
        if error := message.error():
            _log.warning("topic %s: %s", TOPIC, error)
            continue
        _process(message, group, handle)
        metric.count()
    consumer.close()
    telemetry.stop()


def _process(
    message: confluent_kafka.Message, group: str, handle: Callable[[demo_pb2.OrderResult], None]
) -> None:
    carrier = {
        key: value.decode() if isinstance(value, bytes) else str(value or "")
        for key, value in dict(message.headers() or []).items()
    }
    attributes = {
        **_attributes("process"),
        "messaging.consumer.group.name": group,
        "messaging.kafka.consumer.group": group,
        "messaging.destination.partition.id": str(message.partition()),
        "messaging.kafka.offset": message.offset() or 0,
    }
    try:
        with telemetry.span(f"{TOPIC} process", SpanKind.CONSUMER, attributes, carrier):
            try:
                handle(demo_pb2.OrderResult.FromString(message.value() or b""))
            except Exception as error:
                _log.error("order was not processed: %s", error)
                raise
    except Exception as error:  # the loop goes on with the next order; span and log have this one
        _log.debug("next order after %r", error)
