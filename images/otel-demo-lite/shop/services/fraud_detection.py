"""Reads every order and finds nothing suspicious.

Flag: kafkaQueueProblems (a second for every order, so that the topic piles up).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shop import flags, orders, process, telemetry
from shop.proto import demo_pb2

_SLOW_SECONDS = 1.0

_log = logging.getLogger(__name__)


class FraudDetection:
    """Looks at orders."""

    def __init__(self, flag: flags.Flags, sleep: Callable[[float], None] = time.sleep) -> None:
        self._flags = flag
        self._sleep = sleep

    def check(self, order: demo_pb2.OrderResult) -> None:
        """Look at one order."""
        if self._flags.number("kafkaQueueProblems") > 0:
            self._sleep(_SLOW_SECONDS)
        _log.info("order checked", extra={"order_id": order.order_id})


def main() -> None:
    """Consume until stopped."""
    telemetry.start("fraud-detection", with_metrics=True)
    detection = FraudDetection(flags.Flags.from_environment())
    orders.consume(process.setting("KAFKA_ADDR"), "fraud-detection", detection.check)
