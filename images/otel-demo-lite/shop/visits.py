"""What visitors of the shop do: the kinds of visits, how often each comes, and their order."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shop import flags, web

PRODUCTS = (
    "0PUK6V6EV0",
    "1YMWWN1N4O",
    "2ZYFJ3GM2N",
    "66VCHSJNUP",
    "6E92ZMYYFZ",
    "9SIQT8TOJO",
    "L9ECAV7KIM",
    "LS4PSXUNUM",
    "OLJCESPC7Z",
    "HQTGWGPNH4",
)
CATEGORIES = ("binoculars", "telescopes", "accessories", "assembly", "travel", "books")
CURRENCIES = ("USD", "USD", "EUR", "CAD")
_TIMEOUT_SECONDS = 16.0
_PICTURES_OF_HOME = 3
_DELAY_HEADER = "x-envoy-fault-delay-request"


class PageError(Exception):
    """The shop answered with an error."""


class Shop:
    """The shop as a browser sees it."""

    def __init__(self, url: str, flag: flags.Flags, fetch: Callable[..., web.Response] = web.fetch) -> None:
        self._url = url.rstrip("/")
        self._flags = flag
        self._fetch = fetch

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> web.Response:
        """The answer to a GET. Raises PageError for a status of 400 or more, WebFailure for none."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: Any) -> web.Response:
        """The answer to a POST of JSON. Raises as `get` does."""
        return self._ask("POST", path, body, None)

    def image(self, product: str) -> web.Response:
        """A product's picture. The flag imageSlowLoad makes the browser ask for a delay."""
        delay = int(self._flags.number("imageSlowLoad"))
        return self.get(f"/images/products/{product}.svg", {_DELAY_HEADER: str(delay)} if delay else None)

    def flood_size(self) -> int:
        """How many requests a flood of the home page has; 0 for no flood."""
        return int(self._flags.number("loadGeneratorFloodHomepage"))

    def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None) -> web.Response:
        response = self._fetch(method, f"{self._url}{path}", body, headers, _TIMEOUT_SECONDS)
        if response.status >= 400:
            raise PageError(
                f"{method} {path}: HTTP {response.status} {response.body[:300].decode(errors='replace')}"
            )
        return response


def fetch_untraced(
    method: str, url: str, body: Any, headers: Mapping[str, str] | None, timeout_seconds: float
) -> web.Response:
    """What `web.fetch` does, without a span."""
    payload = None if body is None else json.dumps(body).encode()
    return web.exchange(
        method, url, payload, {"content-type": "application/json", **(headers or {})}, timeout_seconds
    )


@dataclass(frozen=True)
class Visit:
    """A kind of visit; `weight` of every `sum of weights` visits are of this kind."""

    name: str
    weight: int
    play: Callable[[Shop, random.Random], None]


def _home(shop: Shop, choices: random.Random) -> None:
    shop.get("/")
    shop.get(f"/api/products?currencyCode={choices.choice(CURRENCIES)}")
    shop.get("/api/currency")
    for product in choices.sample(PRODUCTS, _PICTURES_OF_HOME):
        shop.image(product)


def _browse(shop: Shop, choices: random.Random) -> None:
    product = choices.choice(PRODUCTS)
    shop.get(f"/api/products/{product}?currencyCode={choices.choice(CURRENCIES)}")
    shop.image(product)
    shop.get(f"/api/product-reviews/{product}")
    shop.get(f"/api/product-reviews-avg-score/{product}")
    shop.get(f"/api/recommendations?productIds={product}")


def _recommendations(shop: Shop, choices: random.Random) -> None:
    shop.get(f"/api/recommendations?productIds={choices.choice(PRODUCTS)}")


def _ads(shop: Shop, choices: random.Random) -> None:
    shop.get(f"/api/data?contextKeys={choices.choice(CATEGORIES)}")


def _ask(shop: Shop, choices: random.Random) -> None:
    product = choices.choice(PRODUCTS)
    shop.post(
        f"/api/product-ask-ai-assistant/{product}", {"question": "Can you summarize the product reviews?"}
    )


def _cart(shop: Shop, choices: random.Random) -> None:
    user = _user(choices)
    product = _add(shop, choices, user)
    shop.get(f"/api/cart?sessionId={user}")
    shop.get(f"/api/recommendations?productIds={product}")
    shop.get("/api/shipping?itemList=" + web.quoted(json.dumps([{"productId": PRODUCTS[0], "quantity": 1}])))


def order(shop: Shop, choices: random.Random) -> None:
    """Put one product into a new cart and buy it. Raises as the shop's `get` does."""
    _buy(shop, choices, 1)


def _checkout_multi(shop: Shop, choices: random.Random) -> None:
    _buy(shop, choices, choices.choice((2, 3)))


def _buy(shop: Shop, choices: random.Random, products: int) -> None:
    user = _user(choices)
    for _ in range(products):
        _add(shop, choices, user)
    shop.post(
        "/api/checkout",
        {
            "userId": user,
            "email": f"visitor-{user[:8]}@example.com",
            "userCurrency": choices.choice(CURRENCIES),
            "address": {
                "streetAddress": "1 Observatory Road",
                "city": "La Serena",
                "state": "Coquimbo",
                "country": "Chile",
                "zipCode": "1700000",
            },
            "creditCard": {
                "creditCardNumber": "4432-8015-6152-0454",
                "creditCardCvv": 672,
                "creditCardExpirationYear": 2039,
                "creditCardExpirationMonth": 1,
            },
        },
    )


def _add(shop: Shop, choices: random.Random, user: str) -> str:
    """Put a product into the cart; its id."""
    product = choices.choice(PRODUCTS)
    shop.get(f"/api/products/{product}")
    shop.post(
        "/api/cart", {"userId": user, "item": {"productId": product, "quantity": choices.choice((1, 2, 3))}}
    )
    return product


def _user(choices: random.Random) -> str:
    return str(uuid.UUID(int=choices.getrandbits(128), version=4))


VISITS: Sequence[Visit] = (
    Visit("home", 3, _home),
    Visit("browse_product", 4, _browse),
    Visit("get_recommendations", 3, _recommendations),
    Visit("get_ads", 3, _ads),
    Visit("ask_product_ai_assistant", 1, _ask),
    Visit("view_cart", 2, _cart),
    Visit("checkout_single", 5, order),
    Visit("checkout_multi", 1, _checkout_multi),
)


def schedule(seed: int) -> Iterator[tuple[Visit, random.Random]]:
    """Visits without end, each with the source of its choices; the same for the same seed.

    Decks are shuffled and dealt out one after the other, so that every deck's worth of visits has the same
    mixture.
    """
    dealer = random.Random(seed)  # noqa: S311
    deck = [visit for visit in VISITS for _ in range(visit.weight)]
    while True:
        dealer.shuffle(deck)
        for visit in deck:
            yield visit, random.Random(dealer.getrandbits(64))  # noqa: S311
