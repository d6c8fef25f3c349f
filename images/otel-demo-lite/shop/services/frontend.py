"""The shop's pages and the API behind them: HTTP and JSON in front, gRPC to the services behind."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from google.protobuf import json_format
from opentelemetry import trace

from shop import process, rpc, telemetry, web
from shop.proto import demo_pb2

_CHECKOUT_SECONDS = 12.0
_ASSISTANT_SECONDS = 8.0  # it asks the catalog, the database and the model
_DEFAULT_CURRENCY = "USD"
_MOST_RECOMMENDATIONS = 4

_log = logging.getLogger(__name__)

_PAGE = (
    "<!doctype html><html lang=en><title>{title}</title><body><h1>{title}</h1>"
    "<div id=app data-api=/api>Telescopes and everything around them.</div></body></html>"
)


class Caller(Protocol):
    """A gRPC client of one service."""

    def call(self, method: str, request: Any, timeout_seconds: float = rpc.TIMEOUT_SECONDS) -> Any:
        """The answer. Raises RpcFailure."""
        ...


class Frontend:
    """Handlers of the API. Every RpcFailure becomes an answer with status 500, as in the demo."""

    def __init__(
        self, clients: Mapping[str, Caller], shipping_url: str, fetch: Callable[..., web.Response] = web.fetch
    ) -> None:
        """clients: by name: ad, cart, checkout, currency, catalog, reviews, recommendation."""
        self._clients = clients
        self._shipping_url = shipping_url
        self._fetch = fetch

    def _call(
        self, client: str, method: str, request: Any, timeout_seconds: float = rpc.TIMEOUT_SECONDS
    ) -> Any:
        try:
            return self._clients[client].call(method, request, timeout_seconds)
        except rpc.RpcFailure as error:
            raise web.WebFailure(500, f"{client} {method}: {error}") from error

    def page(self, request: web.Request) -> web.Response:
        """A page; everything in it comes from the API."""
        return web.html_response(_PAGE.format(title=html.escape(request.path.strip("/") or "Astronomy shop")))

    def products(self, request: web.Request) -> web.Response:
        """GET /api/products."""
        answer = self._call("catalog", "ListProducts", demo_pb2.Empty())
        currency = request.first("currencyCode", _DEFAULT_CURRENCY)
        return web.json_response([self._in_currency(product, currency) for product in answer.products])

    def product(self, request: web.Request) -> web.Response:
        """GET /api/products/{id}."""
        currency = request.first("currencyCode", _DEFAULT_CURRENCY)
        return web.json_response(self._in_currency(self._product(request.params["id"]), currency))

    def _product(self, identifier: str) -> demo_pb2.Product:
        product: demo_pb2.Product = self._call(
            "catalog", "GetProduct", demo_pb2.GetProductRequest(id=identifier)
        )
        return product

    def _in_currency(self, product: demo_pb2.Product, currency: str) -> dict[str, Any]:
        if product.price_usd.currency_code != currency:
            request = demo_pb2.CurrencyConversionRequest(to_code=currency)
            getattr(request, "from").CopyFrom(product.price_usd)
            product.price_usd.CopyFrom(self._call("currency", "Convert", request))
        return _camel(product)

    def reviews(self, request: web.Request) -> web.Response:
        """GET /api/product-reviews/{id}."""
        query = demo_pb2.GetProductReviewsRequest(product_id=request.params["id"])
        answer = self._call("reviews", "GetProductReviews", query)
        return web.json_response([_camel(review) for review in answer.product_reviews])

    def score(self, request: web.Request) -> web.Response:
        """GET /api/product-reviews-avg-score/{id}."""
        query = demo_pb2.GetAverageProductReviewScoreRequest(product_id=request.params["id"])
        return web.json_response(self._call("reviews", "GetAverageProductReviewScore", query).average_score)

    def ask(self, request: web.Request) -> web.Response:
        """POST /api/product-ask-ai-assistant/{id}."""
        query = demo_pb2.AskProductAIAssistantRequest(
            product_id=request.params["id"], question=str(request.json().get("question", ""))
        )
        return web.json_response(
            self._call("reviews", "AskProductAIAssistant", query, _ASSISTANT_SECONDS).response
        )

    def cart(self, request: web.Request) -> web.Response:
        """GET /api/cart: the items, each with its product."""
        cart = self._call("cart", "GetCart", demo_pb2.GetCartRequest(user_id=request.first("sessionId")))
        items = [
            {
                "productId": item.product_id,
                "quantity": item.quantity,
                "product": _camel(self._product(item.product_id)),
            }
            for item in cart.items
        ]
        return web.json_response({"userId": cart.user_id, "items": items})

    def add_to_cart(self, request: web.Request) -> web.Response:
        """POST /api/cart."""
        body = request.json()
        item = _message(body.get("item"), demo_pb2.CartItem())
        user_id = str(body.get("userId", ""))
        self._call("cart", "AddItem", demo_pb2.AddItemRequest(user_id=user_id, item=item))
        cart = self._call("cart", "GetCart", demo_pb2.GetCartRequest(user_id=user_id))
        return web.json_response(_camel(cart))

    def empty_cart(self, request: web.Request) -> web.Response:
        """DELETE /api/cart."""
        self._call(
            "cart", "EmptyCart", demo_pb2.EmptyCartRequest(user_id=str(request.json().get("userId", "")))
        )
        return web.Response(204)

    def checkout(self, request: web.Request) -> web.Response:
        """POST /api/checkout: the order, each item with its product."""
        order_request = _message(request.json(), demo_pb2.PlaceOrderRequest())
        trace.get_current_span().set_attribute("app.user.id", order_request.user_id)
        order = self._call("checkout", "PlaceOrder", order_request, _CHECKOUT_SECONDS).order
        answer = _camel(order)
        for item in answer.get("items", []):
            item["item"]["product"] = _camel(self._product(item["item"]["productId"]))
        return web.json_response(answer)

    def currencies(self, _: web.Request) -> web.Response:
        """GET /api/currency."""
        return web.json_response(
            list(self._call("currency", "GetSupportedCurrencies", demo_pb2.Empty()).currency_codes)
        )

    def ads(self, request: web.Request) -> web.Response:
        """GET /api/data: ads for the context keys."""
        answer = self._call(
            "ad", "GetAds", demo_pb2.AdRequest(context_keys=request.query.get("contextKeys", []))
        )
        return web.json_response([_camel(ad) for ad in answer.ads])

    def recommendations(self, request: web.Request) -> web.Response:
        """GET /api/recommendations: products."""
        query = demo_pb2.ListRecommendationsRequest(
            user_id=request.first("sessionId"), product_ids=request.query.get("productIds", [])
        )
        identifiers = self._call(
            "recommendation", "ListRecommendations", query, web.NESTED_TIMEOUT_SECONDS
        ).product_ids
        products = [self._product(identifier) for identifier in identifiers[:_MOST_RECOMMENDATIONS]]
        return web.json_response([_camel(product) for product in products])

    def shipping(self, request: web.Request) -> web.Response:
        """GET /api/shipping: the cost of shipping `itemList`."""
        try:
            items = json.loads(request.first("itemList", "[]"))
            body = {
                "items": [{"product_id": item["productId"], "quantity": item["quantity"]} for item in items]
            }
        except (ValueError, KeyError, TypeError) as error:
            raise web.WebFailure(400, f"expected itemList as a JSON list of items: {error}") from None
        url = f"{self._shipping_url}/get-quote"
        answer = self._fetch("POST", url, body, None, web.NESTED_TIMEOUT_SECONDS)
        if answer.status != 200:
            raise web.WebFailure(500, f"shipping get-quote: HTTP {answer.status}")
        return web.json_response(_camel(_message(answer.json()["cost_usd"], demo_pb2.Money())))

    def routes(self) -> list[web.Route]:
        """What the frontend serves."""
        return [
            web.Route("GET", "/api/products", self.products),
            web.Route("GET", "/api/products/{id}", self.product),
            web.Route("GET", "/api/product-reviews/{id}", self.reviews),
            web.Route("GET", "/api/product-reviews-avg-score/{id}", self.score),
            web.Route("POST", "/api/product-ask-ai-assistant/{id}", self.ask),
            web.Route("GET", "/api/cart", self.cart),
            web.Route("POST", "/api/cart", self.add_to_cart),
            web.Route("DELETE", "/api/cart", self.empty_cart),
            web.Route("POST", "/api/checkout", self.checkout),
            web.Route("GET", "/api/currency", self.currencies),
            web.Route("GET", "/api/data", self.ads),
            web.Route("GET", "/api/recommendations", self.recommendations),
            web.Route("GET", "/api/shipping", self.shipping),
            web.Route("GET", "/", self.page),
            web.Route("GET", "/cart", self.page),
            web.Route("GET", "/product/{id}", self.page),
        ]


def _camel(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message)


def _message(value: Any, message: Any) -> Any:
    try:
        return json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError) as error:
        raise web.WebFailure(400, f"expected {message.DESCRIPTOR.name}: {error}") from None


def main() -> None:
    """Serve until stopped."""
    telemetry.start("frontend")
    services = {
        "ad": ("AD_ADDR", "AdService"),
        "cart": ("CART_ADDR", "CartService"),
        "checkout": ("CHECKOUT_ADDR", "CheckoutService"),
        "currency": ("CURRENCY_ADDR", "CurrencyService"),
        "catalog": ("PRODUCT_CATALOG_ADDR", "ProductCatalogService"),
        "reviews": ("PRODUCT_REVIEWS_ADDR", "ProductReviewService"),
        "recommendation": ("RECOMMENDATION_ADDR", "RecommendationService"),
    }
    clients = {
        name: rpc.Client(process.setting(variable), kind) for name, (variable, kind) in services.items()
    }
    web.serve_until_stopped(
        int(process.setting("FRONTEND_PORT")), Frontend(clients, process.setting("SHIPPING_ADDR")).routes()
    )
