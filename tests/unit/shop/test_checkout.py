"""An order: its steps, and what each failing step says and does."""

from typing import Any

import grpc
import pytest
from shop import orders, rpc, web
from shop.proto import demo_pb2
from shop.services import checkout

DOWN = rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, "connection refused")
NOT_THERE = web.WebFailure(503, "POST http://x: connection refused")


class Parts:
    """Everything that checkout talks to. `broken` is the one step that fails."""

    def __init__(self, broken: str = "", items: int = 2) -> None:
        self.broken = broken
        self.steps: list[str] = []
        self.items = items

    def client(self, name: str) -> "Client":
        return Client(self, name)

    def step(self, name: str, failure: Exception) -> None:
        self.steps.append(name)
        if name == self.broken:
            raise failure

    def fetch(self, method: str, url: str, body: Any = None, *_: Any) -> web.Response:
        name = url.rpartition("/")[2]
        self.step(name, NOT_THERE)
        cost = {"currency_code": "USD", "units": "8", "nanos": 900_000_000}
        answers: dict[str, Any] = {"get-quote": {"cost_usd": cost}, "ship-order": {"tracking_id": "track"}}
        return web.json_response(answers.get(name, {}))

    def publish(self, order: demo_pb2.OrderResult, copies: int = 0) -> None:
        self.step("publish", orders.PublishError("topic orders: timed out"))

    def answer(self, method: str, request: Any) -> Any:
        match method:
            case "GetCart":
                items = [demo_pb2.CartItem(product_id=f"P{n}", quantity=2) for n in range(self.items)]
                return demo_pb2.Cart(items=items)
            case "GetProduct":
                return demo_pb2.Product(
                    id=request.id, price_usd=demo_pb2.Money(currency_code="USD", units=10)
                )
            case "Convert":
                amount = getattr(request, "from")
                return demo_pb2.Money(currency_code=request.to_code, units=amount.units, nanos=amount.nanos)
            case "Charge":
                self.charged = request.amount
                return demo_pb2.ChargeResponse(transaction_id="t")
        return demo_pb2.Empty()


class Client:
    def __init__(self, parts: Parts, name: str) -> None:
        self._parts = parts
        self._name = name

    def call(self, method: str, request: Any) -> Any:
        self._parts.step(method, DOWN)
        return self._parts.answer(method, request)


def place(parts: Parts, flag: Any) -> demo_pb2.OrderResult:
    clients = {name: parts.client(name) for name in ("cart", "catalog", "currency", "payment", "bad-payment")}
    service = checkout.CheckoutService(flag, clients, "http://shipping", "http://email", parts, parts.fetch)
    return service.place_order(demo_pb2.PlaceOrderRequest(user_id="u", user_currency="EUR")).order


def test_order_goes_through_every_service(flag_values: Any) -> None:
    parts = Parts()
    order = place(parts, flag_values())
    assert parts.steps == [
        "GetCart", "GetProduct", "Convert", "GetProduct", "Convert", "get-quote", "Convert",
        "Charge", "ship-order", "EmptyCart", "send_order_confirmation", "publish",
    ]  # fmt: skip
    assert (order.shipping_tracking_id, len(order.items)) == ("track", 2)
    # Two products, two pieces each at 10, and 8.90 for shipping.
    assert (parts.charged.currency_code, parts.charged.units, parts.charged.nanos) == ("EUR", 48, 900_000_000)


REFUSED = "rpc error: code = Unavailable desc = connection refused"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("GetCart", f"failed to get user cart: {REFUSED}"),
        ("GetProduct", f"failed to prepare order: failed to get product P0: {REFUSED}"),
        ("Convert", f"failed to prepare order: failed to convert price of P0: {REFUSED}"),
        ("get-quote", "failed to get shipping quote: POST http://x: connection refused"),
        ("Charge", f"failed to charge card: could not charge the card: {REFUSED}"),
        ("ship-order", "failed to ship order: POST http://x: connection refused"),
    ],
)
def test_failing_step_fails_the_order(broken: str, message: str, flag_values: Any) -> None:
    with pytest.raises(rpc.RpcFailure) as caught:
        place(Parts(broken), flag_values())
    assert (caught.value.code, caught.value.message) == (grpc.StatusCode.UNAVAILABLE, message)


@pytest.mark.parametrize("broken", ["EmptyCart", "send_order_confirmation", "publish"])
def test_steps_after_the_shipment_do_not_fail_the_order(
    broken: str, flag_values: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert place(Parts(broken), flag_values()).shipping_tracking_id == "track"
    assert "failed to" in caplog.text


def test_empty_cart_is_refused(flag_values: Any) -> None:
    with pytest.raises(rpc.RpcFailure, match="the cart is empty") as caught:
        place(Parts(items=0), flag_values())
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
