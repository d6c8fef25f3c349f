"""Other products that one might like.

Flag: recommendationCacheFailure (a cache of product ids, half of whose look-ups miss and make it a quarter
larger).
"""

from __future__ import annotations

import logging
import random
from typing import Any, Protocol

from opentelemetry import trace

from shop import flags, process, rpc, telemetry
from shop.proto import demo_pb2

_MOST = 5
_MISS_SHARE = 0.5

_log = logging.getLogger(__name__)


class Caller(Protocol):
    """A gRPC client of the product catalog."""

    def call(self, method: str, request: Any) -> Any:
        """The answer. Raises RpcFailure."""
        ...


class Recommendation:
    """ListRecommendations."""

    def __init__(self, flag: flags.Flags, catalog: Caller, chance: random.Random) -> None:
        self._flags = flag
        self._catalog = catalog
        self._chance = chance
        self._cached: list[str] = []

    def recommend(self, request: demo_pb2.ListRecommendationsRequest) -> demo_pb2.ListRecommendationsResponse:
        """Up to five products that are none of those in the request."""
        known = sorted(set(self._product_ids()) - set(request.product_ids))
        chosen = self._chance.sample(known, min(_MOST, len(known)))
        return demo_pb2.ListRecommendationsResponse(product_ids=chosen)

    def cache_size(self) -> int:
        """Entries of the cache."""
        return len(self._cached)

    def _product_ids(self) -> list[str]:
        span = trace.get_current_span()
        if not self._flags.enabled("recommendationCacheFailure"):
            self._cached = []
            return self._ask()
        if self._cached and self._chance.random() >= _MISS_SHARE:
            span.set_attribute("app.cache_hit", True)
            return self._cached
        span.set_attribute("app.cache_hit", False)
        _log.info("cache miss", extra={"cache_size": len(self._cached)})
        # What is there already is kept, and some of it twice.
        self._cached = self._cached + self._ask() + self._cached[: len(self._cached) // 4]
        return self._cached

    def _ask(self) -> list[str]:
        answer = self._catalog.call("ListProducts", demo_pb2.Empty())
        return [product.id for product in answer.products]


def main() -> None:
    """Serve until stopped."""
    telemetry.start("recommendation")
    catalog = rpc.Client(process.setting("PRODUCT_CATALOG_ADDR"), "ProductCatalogService")
    service = Recommendation(flags.Flags.from_environment(), catalog, random.Random())  # noqa: S311
    handlers = {"ListRecommendations": service.recommend}
    rpc.serve_until_stopped(int(process.setting("RECOMMENDATION_PORT")), "RecommendationService", handlers)
