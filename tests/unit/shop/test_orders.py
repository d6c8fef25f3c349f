"""The orders' way: clients that get nowhere are replaced, and those that only wait are not."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import confluent_kafka
import pytest
from shop import orders, process
from shop.proto import demo_pb2

NOBODY = "127.0.0.1:1"


@pytest.fixture
def broker() -> Iterator[str]:
    """A broker that librdkafka plays; it lives as long as the client that it was asked of."""
    host = confluent_kafka.Producer({"test.mock.num.brokers": 1})
    [played] = host.list_topics(timeout=10).brokers.values()
    yield f"{played.host}:{played.port}"
    host.flush(1)


def order(number: int) -> demo_pb2.OrderResult:
    return demo_pb2.OrderResult(order_id=f"order-{number}")


def test_what_is_published_is_consumed(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, seen = threading.Event(), []
    monkeypatch.setattr(process, "stop_event", lambda: stop)
    publisher = orders.Publisher(broker)
    first = publisher._producer
    for number in range(3):
        publisher.publish(order(number))

    def handle(result: demo_pb2.OrderResult) -> None:
        seen.append(result.order_id)
        if len(seen) == 3:
            stop.set()

    thread = threading.Thread(target=orders.consume, args=(broker, "accounting", handle))
    thread.start()
    thread.join(60)
    assert seen == ["order-0", "order-1", "order-2"]
    assert publisher._producer is first, "it works: there is no reason to replace it"


def test_a_producer_that_fails_is_replaced_once_it_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "_DELIVERY_SECONDS", 0.1)
    publisher = orders.Publisher(NOBODY)
    first = publisher._producer
    with pytest.raises(orders.PublishError):
        publisher.publish(order(1))
    assert publisher._producer is first, "too young to be judged"
    monkeypatch.setattr(orders, "_RENEW_SECONDS", 0.0)
    with pytest.raises(orders.PublishError):
        publisher.publish(order(1))
    second = publisher._producer
    assert second is not first
    publisher._renew(first)
    assert publisher._producer is second, "another thread's failure of the old one"


@dataclass
class Position:
    offset: int


class Consumer:
    """Waits at a position; the broker has what is between `low` and `high`, or does not answer."""

    def __init__(self, waits_at: int | None, low: int = 0, high: int = 0, *, answers: bool = True) -> None:
        self._at = [] if waits_at is None else [Position(waits_at)]
        self._there = (low, high)
        self._answers = answers

    def assignment(self) -> list[Position]:
        return self._at

    def position(self, of: list[Position]) -> list[Position]:
        return of

    def get_watermark_offsets(self, of: Position, timeout: float, *, cached: bool) -> tuple[int, int]:
        assert not cached, "what the client remembers is what is in doubt"
        if not self._answers:
            raise confluent_kafka.KafkaException(confluent_kafka.KafkaError._TIMED_OUT)
        return self._there


@pytest.mark.parametrize(
    ("consumer", "waits_for_nothing"),
    [
        (Consumer(5, 0, 5), False),
        (Consumer(confluent_kafka.OFFSET_INVALID, 0, 0), False),
        (Consumer(confluent_kafka.OFFSET_INVALID, 7, 7), False),
        (Consumer(None, 0, 9), False),
        (Consumer(5, 0, 9, answers=False), False),
        (Consumer(5, 0, 9), True),
        (Consumer(57, 0, 3), True),
        (Consumer(57, 0, 0), True),
        (Consumer(confluent_kafka.OFFSET_INVALID, 0, 3), True),
    ],
    ids=[
        "all read", "nothing yet", "all of it expired", "nothing assigned", "no answer",
        "something there", "the topic is another one", "another one, and empty", "never began",
    ],
)  # fmt: skip
def test_who_waits_for_nothing(consumer: Consumer, *, waits_for_nothing: bool) -> None:
    assert orders._waits_for_nothing(consumer) is waits_for_nothing
