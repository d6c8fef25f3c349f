"""Shipments: what they cost, and their tracking ids."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from decimal import Decimal

from google.protobuf import json_format

from shop import money, process, telemetry, web

_log = logging.getLogger(__name__)


class Shipping:
    """POST /get-quote, POST /ship-order."""

    def __init__(self, quote_url: str, fetch: Callable[..., web.Response] = web.fetch) -> None:
        self._quote_url = quote_url
        self._fetch = fetch

    def get_quote(self, request: web.Request) -> web.Response:
        """`cost_usd` for the quantities in `items`."""
        count = sum(int(item.get("quantity", 0)) for item in request.json().get("items", []))
        answer = self._fetch("POST", f"{self._quote_url}/getquote", {"numberOfItems": count})
        if answer.status != 200:
            raise web.WebFailure(500, f"failed to get a quote: HTTP {answer.status} from {self._quote_url}")
        cost = money.from_decimal("USD", Decimal(str(answer.json())))
        _log.info("quote sent", extra={"items": count, "cost": money.as_text(cost)})
        return web.json_response(
            {"cost_usd": json_format.MessageToDict(cost, preserving_proto_field_name=True)}
        )

    def ship_order(self, request: web.Request) -> web.Response:
        """`tracking_id` of a new shipment."""
        request.json()
        tracking = str(uuid.uuid4())
        _log.info("shipment created", extra={"tracking_id": tracking})
        return web.json_response({"tracking_id": tracking})


def main() -> None:
    """Serve until stopped."""
    telemetry.start("shipping")
    service = Shipping(process.setting("QUOTE_ADDR"))
    routes = [
        web.Route("POST", "/get-quote", service.get_quote),
        web.Route("POST", "/ship-order", service.ship_order),
    ]
    web.serve_until_stopped(int(process.setting("SHIPPING_PORT")), routes)
