"""Charges credit cards.

Flag: paymentFailure (that share of the charges fails).
"""

from __future__ import annotations

import datetime
import logging
import random
import uuid
from collections.abc import Callable

import grpc

from shop import flags, money, process, rpc, telemetry
from shop.proto import demo_pb2

_log = logging.getLogger(__name__)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


class PaymentService:
    """Charge."""

    def __init__(
        self, flag: flags.Flags, chance: random.Random, today: Callable[[], datetime.date] = _today
    ) -> None:
        self._flags = flag
        self._chance = chance
        self._today = today

    def charge(self, request: demo_pb2.ChargeRequest) -> demo_pb2.ChargeResponse:
        """Charge the card, or say why not."""
        if self._chance.random() < self._flags.number("paymentFailure"):
            raise rpc.RpcFailure(grpc.StatusCode.INTERNAL, "payment request failed: invalid token")
        card = request.credit_card
        if not _luhn(card.credit_card_number):
            raise rpc.RpcFailure(grpc.StatusCode.INVALID_ARGUMENT, "credit card number is not valid")
        today = self._today()
        if (card.credit_card_expiration_year, card.credit_card_expiration_month) < (today.year, today.month):
            raise rpc.RpcFailure(grpc.StatusCode.INVALID_ARGUMENT, "credit card has expired")
        transaction = str(uuid.uuid4())
        _log.info(
            "transaction complete",
            extra={"transaction_id": transaction, "amount": money.as_text(request.amount)},
        )
        return demo_pb2.ChargeResponse(transaction_id=transaction)


def _luhn(number: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1)."""
    digits = [int(character) for character in number if character.isdigit()]
    if len(digits) < 12:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def main() -> None:
    """Serve until stopped."""
    telemetry.start("payment")
    service = PaymentService(flags.Flags.from_environment(), random.Random())  # noqa: S311
    rpc.serve_until_stopped(
        int(process.setting("PAYMENT_PORT")), "PaymentService", {"Charge": service.charge}
    )
