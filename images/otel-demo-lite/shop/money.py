"""Arithmetic with the Money message: units and nanos of one sign."""

from __future__ import annotations

from decimal import Decimal

from shop.proto import demo_pb2

_NANOS = 1_000_000_000


def total_nanos(amount: demo_pb2.Money) -> int:
    """The amount in billionths of a unit."""
    return int(amount.units) * _NANOS + int(amount.nanos)


def from_nanos(currency_code: str, nanos: int) -> demo_pb2.Money:
    """The Money of a number of billionths."""
    sign = -1 if nanos < 0 else 1
    units, rest = divmod(abs(nanos), _NANOS)
    return demo_pb2.Money(currency_code=currency_code, units=sign * units, nanos=sign * rest)


def from_decimal(currency_code: str, value: Decimal) -> demo_pb2.Money:
    """The Money of a decimal number of units."""
    return from_nanos(currency_code, int(value * _NANOS))


def times(amount: demo_pb2.Money, factor: int) -> demo_pb2.Money:
    """The amount, `factor` times."""
    return from_nanos(amount.currency_code, total_nanos(amount) * factor)


def add(left: demo_pb2.Money, right: demo_pb2.Money) -> demo_pb2.Money:
    """The sum of two amounts of one currency. Raises ValueError when the currencies differ."""
    if left.currency_code != right.currency_code:
        raise ValueError(f"expected one currency, found {left.currency_code} and {right.currency_code}")
    return from_nanos(left.currency_code, total_nanos(left) + total_nanos(right))


def as_text(amount: demo_pb2.Money) -> str:
    """For people: `19.90 USD`."""
    return f"{Decimal(total_nanos(amount)) / _NANOS:.2f} {amount.currency_code}"


def as_decimal(amount: demo_pb2.Money) -> Decimal:
    """The amount as a decimal number of units."""
    return Decimal(total_nanos(amount)) / _NANOS
