"""Currency conversion by fixed rates."""

from __future__ import annotations

from decimal import Decimal

import grpc

from shop import money, process, rpc, telemetry
from shop.proto import demo_pb2

# Units of the currency for one euro.
RATES = {
    "EUR": Decimal("1.0"),
    "USD": Decimal("1.08"),
    "JPY": Decimal("163.2"),
    "GBP": Decimal("0.84"),
    "CHF": Decimal("0.95"),
    "CAD": Decimal("1.48"),
    "SEK": Decimal("11.3"),
    "PLN": Decimal("4.28"),
    "INR": Decimal("90.4"),
    "BRL": Decimal("5.9"),
}


def supported(_: demo_pb2.Empty) -> demo_pb2.GetSupportedCurrenciesResponse:
    """GetSupportedCurrencies."""
    return demo_pb2.GetSupportedCurrenciesResponse(currency_codes=sorted(RATES))


def convert(request: demo_pb2.CurrencyConversionRequest) -> demo_pb2.Money:
    """Convert."""
    amount = getattr(request, "from")
    unknown = [code for code in (amount.currency_code, request.to_code) if code not in RATES]
    if unknown:
        raise rpc.RpcFailure(grpc.StatusCode.INVALID_ARGUMENT, f"unsupported currency: {', '.join(unknown)}")
    rate = RATES[request.to_code] / RATES[amount.currency_code]
    return money.from_nanos(request.to_code, int(money.total_nanos(amount) * rate))


def main() -> None:
    """Serve until stopped."""
    telemetry.start("currency")
    handlers: dict[str, rpc.Handler] = {"GetSupportedCurrencies": supported, "Convert": convert}
    rpc.serve_until_stopped(int(process.setting("CURRENCY_PORT")), "CurrencyService", handlers)
