"""The topic `orders`, from checkout to accounting and fraud detection; the trace goes through the headers."""

from __future__ import annotations

import logging
import queue
import threading
import time
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
# Seen: a broker lost its log with its pod, and for minutes the clients of the old one had no connection to
# the leader of the new topic, producer and consumers alike, though it was there. Probably librdkafka's issue
# 4898: a new topic begins with leader epoch 0, and to a client that saw a higher one that is old news. So
# clients that get nowhere are replaced.
_RENEW_SECONDS = 10.0
_IDLE_SECONDS = 15.0
_ASK_SECONDS = 2.0
_CLIENT = {
    "reconnect.backoff.ms": 1000,
    "reconnect.backoff.max.ms": 2000,
    "socket.timeout.ms": 6000,
    # A broker that is being replaced swallows the first packet; the default waits half a minute for it.
    "socket.connection.setup.timeout.ms": 2000,
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
        self._servers = servers
        self._renewing = threading.Lock()
        self._producer = self._made()
        self._made_at = time.monotonic()

    def _made(self) -> confluent_kafka.Producer:
        return confluent_kafka.Producer(
            {
                **_CLIENT,
                "bootstrap.servers": self._servers,
                "client.id": "checkout",
                "message.timeout.ms": int(_DELIVERY_SECONDS * 1000),
                "linger.ms": 5,
            },
            logger=_log,
        )

    def _renew(self, failed: confluent_kafka.Producer) -> None:
        """Replace a producer that failed, unless another thread did, or it is too young to be judged."""
        with self._renewing:
            if self._producer is failed and time.monotonic() - self._made_at >= _RENEW_SECONDS:
                self._producer, self._made_at = self._made(), time.monotonic()

    def publish(self, order: demo_pb2.OrderResult, copies: int = 0) -> None:
        """Publish the order, and `copies` of it that nobody waits for.

        Raises PublishError when the broker did not acknowledge the order in time.
        """
        attributes = _attributes("publish") | {"peer.service": "kafka"}  # as the release's own checkout does
        with telemetry.span(f"{TOPIC} publish", SpanKind.PRODUCER, attributes) as span:
            payload = order.SerializeToString()
            headers: dict[str, str | bytes | None] = {**telemetry.inject()}
            producer = self._producer
            # Filled by whichever thread serves the client's callbacks; read here only.
            outcome: queue.SimpleQueue[tuple[confluent_kafka.KafkaError | None, confluent_kafka.Message]]
            outcome = queue.SimpleQueue()
            producer.produce(
                TOPIC,
                payload,
                headers=headers,
                on_delivery=lambda error, message: outcome.put((error, message)),
            )
            for _ in range(copies):
                producer.produce(TOPIC, payload, headers=headers)
            # The client gives a message up after message.timeout.ms; one second more is for its own clock.
            producer.flush(_DELIVERY_SECONDS + 1)
            try:
                error, message = outcome.get_nowait()
            except queue.Empty:
                self._renew(producer)
                raise PublishError(f"topic {TOPIC}: not acknowledged in time") from None
            if error is not None:
                self._renew(producer)
                raise PublishError(f"topic {TOPIC}: {error}")
            span.set_attribute("messaging.destination.partition.id", str(message.partition()))
            span.set_attribute("messaging.kafka.offset", message.offset() or 0)


class _GroupMetrics:
    """What one member of a group has read, and how far behind it is."""

    def __init__(self, group: str) -> None:
        self._consumer: confluent_kafka.Consumer | None = None
        # NB: a closed consumer must not be asked, and metrics are collected by another thread.
        self._lock = threading.Lock()
        self._labels: dict[str, AttributeValue] = {"group": group, "topic": TOPIC}
        meter = metrics.get_meter("shop")
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", description="Messages read."
        )
        meter.create_observable_gauge(
            "kafka.consumer.group.lag", [self._lag], description="Messages that wait for the group."
        )
        meter.create_observable_gauge(
            "kafka.consumer.group.partitions", [self._partitions], description="Partitions that are read."
        )

    def watch(self, consumer: confluent_kafka.Consumer | None) -> None:
        """Report about this consumer from now on."""
        with self._lock:
            self._consumer = consumer

    def count(self) -> None:
        """One more message was processed."""
        self._consumed.add(1, self._labels)

    def _partitions(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            count = len(self._consumer.assignment()) if self._consumer else 0
        return [Observation(count, self._labels)]

    def _lag(self, options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            return list(self._observed(self._consumer)) if self._consumer else []

    def _observed(self, consumer: confluent_kafka.Consumer) -> Iterable[Observation]:
        for position in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(position, cached=True)
            # Before the first message there is no position; everything waits then.
            start = max(position.offset, 0)
            if high >= 0:
                labels = {**self._labels, "partition": str(position.partition)}
                yield Observation(max(0, high - start), labels)


def consume(servers: str, group: str, handle: Callable[[demo_pb2.OrderResult], None]) -> None:
    """Call `handle` with each order until told to stop. A failing handler costs its order only."""
    stop = process.stop_event()
    metric = _GroupMetrics(group)
    while not stop.is_set():
        _consume_assignment(servers, group, handle, metric, stop)
    telemetry.stop()


def _consume_assignment(
    servers: str,
    group: str,
    handle: Callable[[demo_pb2.OrderResult], None],
    metric: _GroupMetrics,
    stop: threading.Event,
) -> None:
    """Consume until the order to stop, until the group has lost its assignment, or until nothing comes though
    something is there.

    NB: the broker keeps its log in its pod. After a restart the topic is another one of the same name, and a
    consumer that remembers where it was in the old one would wait for that offset: it has to begin anew.
    """
    lost = threading.Event()
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
    consumer.subscribe([TOPIC], on_lost=lambda *_: lost.set())
    metric.watch(consumer)
    waits_since, missed = time.monotonic(), False
    while not (stop.is_set() or lost.is_set()):
        message = consumer.poll(_POLL_SECONDS)
        if message is None:
            if time.monotonic() - waits_since < _IDLE_SECONDS:
                continue
            # Twice, so that what came in between is no reason.
            if (there := _waits_for_nothing(consumer)) and missed:
                _log.warning(
                    "topic %s: nothing comes though something is there, group %s joins anew", TOPIC, group
                )
                break
            waits_since, missed = time.monotonic(), there
            continue
        waits_since, missed = time.monotonic(), False
        if error := message.error():
            _log.warning("topic %s: %s", TOPIC, error)
            continue
        _process(message, group, handle)
        metric.count()
    if lost.is_set():
        _log.warning("topic %s: the assignment is lost, group %s joins anew", TOPIC, group)
    metric.watch(None)
    consumer.close()


def _waits_for_nothing(consumer: confluent_kafka.Consumer) -> bool:
    """Whether the broker has something else than where the consumer waits. False when it does not answer."""
    try:
        for position in consumer.position(consumer.assignment()):
            low, high = consumer.get_watermark_offsets(position, timeout=_ASK_SECONDS, cached=False)
            # Before the first message there is no position; it begins with the first one then.
            if high != (position.offset if position.offset >= 0 else low):
                return True
    except confluent_kafka.KafkaException as error:
        _log.info("topic %s: the broker cannot be asked what is there: %s", TOPIC, error)
    return False


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
