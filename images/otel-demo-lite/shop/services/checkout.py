"""Orders: from the cart to the charge, the shipment, the confirmation and the topic of orders.

Flags: paymentUnreachable (the payment service is dialled at an address that does not exist),
kafkaQueueProblems (that many copies of every order are published).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import grpc
from google.protobuf import json_format
from opentelemetry import trace

from shop import flags, money, orders, process, rpc, telemetry, web
from shop.proto import demo_pb2

_BAD_PAYMENT_ADDRESS = "badAddress:50051"

_log = logging.getLogger(__name__)


class Caller(Protocol):
    """A gRPC client of one service."""

    def call(self, method: str, request: Any) -> Any:
        """The answer. Raises RpcFailure."""
        ...


class OrderPublisher(Protocol):
    """Where orders are published."""

    def publish(self, order: demo_pb2.OrderResult, copies: int = 0) -> None:
        """Publish the order and some copies."""
        ...


class CheckoutService:
    """PlaceOrder."""

    def __init__(
        self,
        flag: flags.Flags,
        clients: dict[str, Caller],
        shipping_url: str,
        email_url: str,
        publisher: OrderPublisher,
        fetch: Callable[..., web.Response] = web.fetch,
    ) -> None:
        """clients: by name: cart, catalog, currency, payment, bad-payment."""
        self._flags = flag
        self._clients = clients
        self._shipping_url = shipping_url
        self._email_url = email_url
        self._publisher = publisher
        self._fetch = fetch

    def place_order(self, request: demo_pb2.PlaceOrderRequest) -> demo_pb2.PlaceOrderResponse:
        """Buy what is in the user's cart."""
        _log.info("order placed", extra={"user_id": request.user_id, "user_currency": request.user_currency})
        with telemetry.span("prepareOrderItemsAndShippingQuoteFromCart"):
            cart = _step(
                "failed to get user cart",
                self._call,
                "cart",
                "GetCart",
                demo_pb2.GetCartRequest(user_id=request.user_id),
            )
            if not cart.items:
                raise rpc.RpcFailure(grpc.StatusCode.INVALID_ARGUMENT, "the cart is empty")
            items = [
                _step("failed to prepare order", self._price, item, request.user_currency)
                for item in cart.items
            ]
            shipping_usd = _step("failed to get shipping quote", self._quote, request.address, cart)
            shipping = _step(
                "failed to convert shipping cost", self._convert, shipping_usd, request.user_currency
            )
        total = shipping
        for item in items:
            total = money.add(total, money.times(item.cost, item.item.quantity))
        transaction = _step("failed to charge card", self._charge, total, request.credit_card)
        _log.info("payment went through", extra={"transaction_id": transaction})
        tracking = _step("failed to ship order", self._ship, request.address, cart)
        self._empty_cart(request.user_id)
        order = demo_pb2.OrderResult(
            order_id=str(uuid.uuid4()),
            shipping_tracking_id=tracking,
            shipping_cost=shipping,
            shipping_address=request.address,
            items=items,
        )
        trace.get_current_span().set_attributes(
            {
                "app.order.id": order.order_id,
                "app.order.items.count": len(items),
                "app.shipping.tracking.id": tracking,
            }
        )
        self._confirm(request.email, order)
        self._publish(order)
        return demo_pb2.PlaceOrderResponse(order=order)

    def _call(self, client: str, method: str, request: Any) -> Any:
        return self._clients[client].call(method, request)

    def _convert(self, amount: demo_pb2.Money, currency: str) -> demo_pb2.Money:
        request = demo_pb2.CurrencyConversionRequest(to_code=currency)
        getattr(request, "from").CopyFrom(amount)
        converted: demo_pb2.Money = self._call("currency", "Convert", request)
        return converted

    def _price(self, item: demo_pb2.CartItem, currency: str) -> demo_pb2.OrderItem:
        product = _step(
            f"failed to get product {item.product_id}",
            self._call,
            "catalog",
            "GetProduct",
            demo_pb2.GetProductRequest(id=item.product_id),
        )
        cost = _step(
            f"failed to convert price of {item.product_id}", self._convert, product.price_usd, currency
        )
        return demo_pb2.OrderItem(item=item, cost=cost)

    def _quote(self, address: demo_pb2.Address, cart: demo_pb2.Cart) -> demo_pb2.Money:
        answer = self._ship_request("get-quote", address, cart)
        return json_format.ParseDict(answer["cost_usd"], demo_pb2.Money())

    def _ship(self, address: demo_pb2.Address, cart: demo_pb2.Cart) -> str:
        return str(self._ship_request("ship-order", address, cart)["tracking_id"])

    def _ship_request(self, path: str, address: demo_pb2.Address, cart: demo_pb2.Cart) -> Any:
        body = {"address": _as_dict(address), "items": [_as_dict(item) for item in cart.items]}
        url = f"{self._shipping_url}/{path}"
        response = self._fetch("POST", url, body, None, web.NESTED_TIMEOUT_SECONDS)
        if response.status != 200:
            raise web.WebFailure(response.status, f"POST {url}: HTTP {response.status}")
        return response.json()

    def _charge(self, amount: demo_pb2.Money, card: demo_pb2.CreditCardInfo) -> str:
        client = "bad-payment" if self._flags.enabled("paymentUnreachable") else "payment"
        request = demo_pb2.ChargeRequest(amount=amount, credit_card=card)
        answer = _step("could not charge the card", self._call, client, "Charge", request)
        return str(answer.transaction_id)

    def _empty_cart(self, user_id: str) -> None:
        try:
            self._call("cart", "EmptyCart", demo_pb2.EmptyCartRequest(user_id=user_id))
        except rpc.RpcFailure as error:
            _log.warning("failed to empty the cart after the order: %s", error, extra={"user_id": user_id})

    def _confirm(self, email: str, order: demo_pb2.OrderResult) -> None:
        url = f"{self._email_url}/send_order_confirmation"
        try:
            response = self._fetch("POST", url, {"email": email, "order": _as_dict(order)})
        except web.WebFailure as error:
            _log.warning("failed to send order confirmation: %s", error)
            return
        if response.status != 200:
            _log.warning("failed to send order confirmation: POST %s: HTTP %d", url, response.status)

    def _publish(self, order: demo_pb2.OrderResult) -> None:
        try:
            self._publisher.publish(order, int(self._flags.number("kafkaQueueProblems")))
        except orders.PublishError as error:
            _log.error("failed to publish the order: %s", error, extra={"order_id": order.order_id})


def _as_dict(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _step(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result; its failure gets `what` in front and the code Unavailable or Internal."""
    try:
        return function(*arguments)
    except rpc.RpcFailure as error:
        raise rpc.RpcFailure(error.code, f"{what}: {_detail(error)}") from error
    except web.WebFailure as error:
        raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, f"{what}: {error}") from error


def _detail(error: rpc.RpcFailure) -> str:
    """The whole status where it came over the wire, the message alone where a step of ours has wrapped it."""
    return error.message if isinstance(error.__cause__, rpc.RpcFailure | web.WebFailure) else str(error)


def main() -> None:
    """Serve until stopped."""
    telemetry.start("checkout")
    addresses = {
        "cart": (process.setting("CART_ADDR"), "CartService"),
        "catalog": (process.setting("PRODUCT_CATALOG_ADDR"), "ProductCatalogService"),
        "currency": (process.setting("CURRENCY_ADDR"), "CurrencyService"),
        "payment": (process.setting("PAYMENT_ADDR"), "PaymentService"),
        "bad-payment": (_BAD_PAYMENT_ADDRESS, "PaymentService"),
    }
    service = CheckoutService(
        flags.Flags.from_environment(),
        {name: rpc.Client(address, kind) for name, (address, kind) in addresses.items()},
        process.setting("SHIPPING_ADDR"),
        process.setting("EMAIL_ADDR"),
        orders.Publisher(process.setting("KAFKA_ADDR")),
    )
    port = int(process.setting("CHECKOUT_PORT"))
    rpc.serve_until_stopped(port, "CheckoutService", {"PlaceOrder": service.place_order})
