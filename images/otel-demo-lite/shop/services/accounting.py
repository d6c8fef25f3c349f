"""Keeps every order in the database."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from shop import database, money, orders, process, telemetry
from shop.proto import demo_pb2

_ORDER = 'INSERT INTO accounting."order" (order_id) VALUES (%(order_id)s) ON CONFLICT DO NOTHING'
_SHIPPING = """INSERT INTO accounting.shipping
 (shipping_tracking_id, shipping_cost_currency_code, shipping_cost,
  street_address, city, state, country, zip_code, order_id)
 VALUES (%(tracking)s, %(currency)s, %(cost)s,
  %(street_address)s, %(city)s, %(state)s, %(country)s, %(zip_code)s, %(order_id)s) ON CONFLICT DO NOTHING"""
_ITEM = """INSERT INTO accounting.orderitem
 (item_cost_currency_code, item_cost, product_id, quantity, order_id)
 VALUES (%(currency)s, %(cost)s, %(product_id)s, %(quantity)s, %(order_id)s) ON CONFLICT DO NOTHING"""

_log = logging.getLogger(__name__)


def statements(order: demo_pb2.OrderResult) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """(table, statement, rows) that keep the order."""
    address = order.shipping_address
    shipping: Mapping[str, Any] = {
        "tracking": order.shipping_tracking_id,
        "currency": order.shipping_cost.currency_code,
        "cost": money.as_decimal(order.shipping_cost),
        "street_address": address.street_address,
        "city": address.city,
        "state": address.state,
        "country": address.country,
        "zip_code": address.zip_code,
        "order_id": order.order_id,
    }
    items: list[Mapping[str, Any]] = [
        {
            "currency": item.cost.currency_code,
            "cost": money.as_decimal(item.cost),
            "product_id": item.item.product_id,
            "quantity": item.item.quantity,
            "order_id": order.order_id,
        }
        for item in order.items
    ]
    return [
        ("accounting.order", _ORDER, [{"order_id": order.order_id}]),
        ("accounting.shipping", _SHIPPING, [shipping]),
        ("accounting.orderitem", _ITEM, items),
    ]


def main() -> None:
    """Consume until stopped."""
    telemetry.start("accounting", with_metrics=True)
    store = database.Database(process.setting("DB_CONNECTION_STRING"))

    def keep(order: demo_pb2.OrderResult) -> None:
        store.write(statements(order))
        _log.info("order kept", extra={"order_id": order.order_id})

    orders.consume(process.setting("KAFKA_ADDR"), "accounting", keep)
