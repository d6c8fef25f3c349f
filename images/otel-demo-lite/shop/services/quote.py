"""Shipping quotes: so much an item."""

from __future__ import annotations

from decimal import Decimal

from shop import process, telemetry, web

_COST_AN_ITEM_USD = Decimal("8.90")


def quote(request: web.Request) -> web.Response:
    """POST /getquote: dollars for `numberOfItems`."""
    count = request.json().get("numberOfItems")
    if not isinstance(count, int) or count < 0:
        raise web.WebFailure(400, f"expected numberOfItems as a number of 0 or more, found {count!r}")
    with telemetry.span("calculate-quote", attributes={"app.quote.items.count": count}):
        return web.json_response(float(_COST_AN_ITEM_USD * count))


def main() -> None:
    """Serve until stopped."""
    telemetry.start("quote")
    web.serve_until_stopped(int(process.setting("QUOTE_PORT")), [web.Route("POST", "/getquote", quote)])
