"""Every flag of the demo: what happens when it is on, and that it does not happen when it is off."""

import gc
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shop import flags, rpc, visits, web
from shop.proto import demo_pb2
from shop.services import (
    ad,
    cart,
    checkout,
    email,
    fraud_detection,
    frontend_proxy,
    llm,
    load_generator,
    payment,
    product_catalog,
    recommendation,
)

MakeFlags = Callable[[dict[str, Any]], flags.Flags]
FAILS = "fails"
WORKS = "works"


class MemoryStore:
    """Carts in memory."""

    def __init__(self) -> None:
        self.carts: dict[str, demo_pb2.Cart] = {}

    def load(self, user_id: str) -> demo_pb2.Cart:
        return self.carts.get(user_id, demo_pb2.Cart(user_id=user_id))

    def save(self, cart: demo_pb2.Cart) -> None:
        self.carts[cart.user_id] = cart


class NoStore:
    """A store that nobody reaches."""

    def load(self, user_id: str) -> demo_pb2.Cart:
        raise cart.StoreError("cannot access cart storage")

    def save(self, kept: demo_pb2.Cart) -> None:
        raise cart.StoreError("cannot access cart storage")


class Rows:
    """A database with one product of any id."""

    def query(self, table: str, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        identifier = parameters["id"] if parameters else "P1"
        return [(identifier, "name", "description", "picture", "USD", 1, 0, "books")]


class Answers:
    """A gRPC client with one answer for each method; it notes the calls."""

    def __init__(self, answers: dict[str, Any], calls: list[str] | None = None, name: str = "") -> None:
        self._answers = answers
        self._calls = calls if calls is not None else []
        self._name = name

    def call(self, method: str, request: Any, timeout_seconds: float = 3) -> Any:
        self._calls.append(f"{self._name}.{method}")
        return self._answers[method]


class Published:
    """A topic that counts copies."""

    def __init__(self) -> None:
        self.copies: list[int] = []

    def publish(self, order: demo_pb2.OrderResult, copies: int = 0) -> None:
        self.copies.append(copies)


def outcome(action: Callable[[], Any]) -> str:
    try:
        action()
    except rpc.RpcFailure:
        return FAILS
    return WORKS


def place_order(flag: flags.Flags) -> tuple[list[str], Published]:
    """One order; the calls that it made and what it published."""
    calls: list[str] = []
    money = demo_pb2.Money(currency_code="USD", units=1)
    basket = demo_pb2.Cart(user_id="u", items=[demo_pb2.CartItem(product_id="P1", quantity=1)])
    product = demo_pb2.Product(id="P1", price_usd=money)
    charge = demo_pb2.ChargeResponse(transaction_id="t")
    clients = {
        "cart": Answers({"GetCart": basket, "EmptyCart": demo_pb2.Empty()}, calls, "cart"),
        "catalog": Answers({"GetProduct": product}, calls, "catalog"),
        "currency": Answers({"Convert": money}, calls, "currency"),
        "payment": Answers({"Charge": charge}, calls, "payment"),
        "bad-payment": Answers({"Charge": charge}, calls, "bad-payment"),
    }

    def fetch(method: str, url: str, body: Any = None, *_: Any) -> web.Response:
        answers = {
            "get-quote": {"cost_usd": {"currency_code": "USD", "units": "1"}},
            "ship-order": {"tracking_id": "t"},
        }
        return web.json_response(answers.get(url.rpartition("/")[2], {}))

    published = Published()
    service = checkout.CheckoutService(flag, clients, "http://shipping", "http://email", published, fetch)
    service.place_order(demo_pb2.PlaceOrderRequest(user_id="u", user_currency="USD"))
    return calls, published


def llm_inaccurate(flag: flags.Flags) -> str:
    question = {"messages": [{"role": "user", "content": "Product L9ECAV7KIM"}]}
    request = web.Request("POST", "/", body=json.dumps(question).encode())
    answer = llm.Llm(flag, random.Random(1)).complete(request).json()
    return str(answer["choices"][0]["message"]["content"])


def llm_rate_limit(flag: flags.Flags) -> int:
    """How many of 100 questions are refused."""
    service = llm.Llm(flag, random.Random(1))
    refused = 0
    for _ in range(100):
        try:
            service.complete(web.Request("POST", "/", body=b"{}"))
        except web.WebFailure as failure:
            refused += failure.status == 429
    return refused


def product_catalog_failure(flag: flags.Flags) -> tuple[str, str]:
    service = product_catalog.ProductCatalog(flag, Rows())
    failing, other = (demo_pb2.GetProductRequest(id=key) for key in ("OLJCESPC7Z", "66VCHSJNUP"))
    return outcome(lambda: service.get_product(failing)), outcome(lambda: service.get_product(other))


def cache_growth(flag: flags.Flags) -> bool:
    """Whether the cache holds more than there is to hold."""
    answer = demo_pb2.ListProductsResponse(products=[demo_pb2.Product(id=f"P{n}") for n in range(8)])
    service = recommendation.Recommendation(flag, Answers({"ListProducts": answer}), random.Random(1))
    for _ in range(40):
        service.recommend(demo_pb2.ListRecommendationsRequest())
    return service.cache_size() > 8


def ad_failures(flag: flags.Flags) -> int:
    """How many of 1000 calls fail."""
    service = ad.AdService(flag, random.Random(1))
    return [outcome(lambda: service.get_ads(demo_pb2.AdRequest())) for _ in range(1000)].count(FAILS)


def collections(flag: flags.Flags) -> bool:
    """Whether a call makes full collections."""
    counted: list[dict[str, int]] = []
    gc.callbacks.append(lambda phase, info: counted.append(info))
    try:
        ad.AdService(flag, random.Random(1), collections=2).get_ads(demo_pb2.AdRequest())
    finally:
        gc.callbacks.pop()
    return sum(info["generation"] == 2 for info in counted) >= 2


def burning(flag: flags.Flags) -> bool:
    """Whether a call leaves a thread that computes; the flag is then switched off, which ends it."""
    service = ad.AdService(flag, random.Random(1))
    service.get_ads(demo_pb2.AdRequest())
    threads = [thread for thread in threading.enumerate() if thread.name == "load"]
    flag.values.clear()  # type: ignore[attr-defined]
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return bool(threads)


def queue_problems(flag: flags.Flags) -> tuple[int, bool]:
    """Copies of an order, and whether its reader is slow."""
    slept: list[float] = []
    fraud_detection.FraudDetection(flag, slept.append).check(demo_pb2.OrderResult())
    return place_order(flag)[1].copies[0], bool(slept)


def cart_failure(flag: flags.Flags) -> tuple[str, str]:
    service = cart.CartService(flag, MemoryStore(), NoStore())
    return (
        outcome(lambda: service.get_cart(demo_pb2.GetCartRequest(user_id="u"))),
        outcome(lambda: service.empty_cart(demo_pb2.EmptyCartRequest(user_id="u"))),
    )


def payment_failures(flag: flags.Flags) -> int:
    """How many of 1000 charges fail."""
    service = payment.PaymentService(flag, random.Random(1))
    card = demo_pb2.CreditCardInfo(
        credit_card_number="4432-8015-6152-0454",
        credit_card_expiration_year=9999,
        credit_card_expiration_month=1,
    )
    request = demo_pb2.ChargeRequest(credit_card=card)
    return [outcome(lambda: service.charge(request)) for _ in range(1000)].count(FAILS)


def payment_address(flag: flags.Flags) -> str:
    return next(call for call in place_order(flag)[0] if call.endswith("Charge"))


def flood(flag: flags.Flags) -> int:
    """Requests of one flood."""
    asked: list[str] = []

    def fetch(method: str, url: str, *_: Any) -> web.Response:
        asked.append(url)
        return web.Response()

    shop = visits.Shop("http://shop", flag, fetch)
    load_generator.Generator(shop, users=1, rate=1, seed=1).flood()
    assert set(asked) <= {"http://shop/"}
    return len(asked)


def image_delay(flag: flags.Flags) -> list[float]:
    """How long the proxy waits for the browser's picture."""
    slept: list[float] = []
    provider = frontend_proxy.Upstream("/images/", "image-provider", "image-provider", "8081", delayable=True)
    proxy = frontend_proxy.Proxy([provider], lambda *_: web.Response(), slept.append)

    def fetch(method: str, url: str, body: Any, headers: Any, *_: Any) -> web.Response:
        path = url.removeprefix("http://shop")
        return proxy.forward(web.Request(method, path, headers=headers or {}))

    visits.Shop("http://shop", flag, fetch).image("OLJCESPC7Z")
    return slept


def readiness(flag: flags.Flags) -> bool:
    return cart.CartService(flag, MemoryStore(), NoStore()).ready()


def leaked_bytes(flag: flags.Flags) -> int:
    service = email.EmailService(flag)
    body = json.dumps({"email": "a@example.com", "order": {"order_id": "1"}}).encode()
    for _ in range(3):
        service.send(web.Request("POST", "/send_order_confirmation", body=body))
    return service.kept_bytes()


WRONG, RIGHT = "Buyers are disappointed: most of them sent it back.", "Buyers like it and would buy it again."

# flag, its value, what to look at, what is seen with the flag on, what with it off
EFFECTS: list[tuple[str, Any, Callable[[flags.Flags], Any], Any, Any]] = [
    ("llmInaccurateResponse", True, llm_inaccurate, WRONG, RIGHT),
    ("llmRateLimitError", True, llm_rate_limit, range(30, 71), 0),
    ("productCatalogFailure", True, product_catalog_failure, (FAILS, WORKS), (WORKS, WORKS)),
    ("recommendationCacheFailure", True, cache_growth, True, False),
    ("adManualGc", True, collections, True, False),
    ("adHighCpu", True, burning, True, False),
    ("adFailure", True, ad_failures, range(70, 131), 0),
    ("kafkaQueueProblems", 100, queue_problems, (100, True), (0, False)),
    ("cartFailure", True, cart_failure, (WORKS, FAILS), (WORKS, WORKS)),
    ("paymentFailure", 0.5, payment_failures, range(440, 561), 0),
    ("paymentFailure", 1, payment_failures, 1000, 0),
    ("paymentUnreachable", True, payment_address, "bad-payment.Charge", "payment.Charge"),
    ("loadGeneratorFloodHomepage", 100, flood, 100, 0),
    ("imageSlowLoad", 5000, image_delay, [5.0], []),
    ("failedReadinessProbe", True, readiness, False, True),
    ("emailMemoryLeak", 10, leaked_bytes, 1_500_000, 0),
]


@pytest.mark.parametrize(
    ("flag", "value", "effect", "on", "off"), EFFECTS, ids=[f"{row[0]}={row[1]}" for row in EFFECTS]
)
def test_flag(
    flag: str, value: Any, effect: Callable[[flags.Flags], Any], on: Any, off: Any, flag_values: MakeFlags
) -> None:
    seen = effect(flag_values({flag: value}))
    assert seen in on if isinstance(on, range) else seen == on
    assert effect(flag_values({})) == off


def test_every_flag_of_the_demo_has_its_row(data: Path) -> None:
    reference = json.loads((data / "otel-demo-2.2.0.json").read_text())
    assert {row[0] for row in EFFECTS} == set(reference["flags"])
