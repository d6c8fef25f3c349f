"""Reviews, in PostgreSQL, and an assistant that has read them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import grpc

from shop import database, process, rpc, telemetry, web
from shop.proto import demo_pb2

_TABLE = "reviews.productreviews"
_OF_PRODUCT = f"FROM {_TABLE} WHERE product_id = %(id)s"
_REVIEWS = f"SELECT username, description, score {_OF_PRODUCT} ORDER BY id"
_AVERAGE = f"SELECT avg(score) {_OF_PRODUCT}"

_log = logging.getLogger(__name__)


class Caller(Protocol):
    """A gRPC client of the product catalog."""

    def call(self, method: str, request: Any) -> Any:
        """The answer. Raises RpcFailure."""
        ...


class ProductReviews:
    """GetProductReviews, GetAverageProductReviewScore, AskProductAIAssistant."""

    def __init__(
        self,
        store: database.Database,
        catalog: Caller,
        llm_url: str,
        model: str,
        fetch: Callable[..., web.Response] = web.fetch,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._llm_url = llm_url
        self._model = model
        self._fetch = fetch

    def reviews(self, request: demo_pb2.GetProductReviewsRequest) -> demo_pb2.GetProductReviewsResponse:
        """What people wrote about the product."""
        with _store_failures():
            rows = self._store.query(_TABLE, _REVIEWS, {"id": request.product_id})
        return demo_pb2.GetProductReviewsResponse(
            product_reviews=[
                demo_pb2.ProductReview(username=username, description=description, score=str(score))
                for username, description, score in rows
            ]
        )

    def average(
        self, request: demo_pb2.GetAverageProductReviewScoreRequest
    ) -> demo_pb2.GetAverageProductReviewScoreResponse:
        """The mean score, with one decimal; 0.0 when nobody has written."""
        with _store_failures():
            rows = self._store.query(_TABLE, _AVERAGE, {"id": request.product_id})
        return demo_pb2.GetAverageProductReviewScoreResponse(average_score=f"{rows[0][0] or 0:.1f}")

    def ask(self, request: demo_pb2.AskProductAIAssistantRequest) -> demo_pb2.AskProductAIAssistantResponse:
        """The assistant's answer to a question about the product."""
        product = self._catalog.call("GetProduct", demo_pb2.GetProductRequest(id=request.product_id))
        reviews = self.reviews(
            demo_pb2.GetProductReviewsRequest(product_id=request.product_id)
        ).product_reviews
        read = " ".join(f"{review.score}: {review.description}" for review in reviews)
        messages = [
            {"role": "system", "content": f"Product {product.id}, {product.name}. Reviews: {read}"},
            {"role": "user", "content": request.question},
        ]
        try:
            response = self._fetch(
                "POST", f"{self._llm_url}/chat/completions", {"model": self._model, "messages": messages}
            )
        except web.WebFailure as error:
            raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, f"the model did not answer: {error}") from error
        if response.status != 200:
            code = grpc.StatusCode.UNAVAILABLE
            raise rpc.RpcFailure(code, f"the model refused the question: HTTP {response.status}")
        return demo_pb2.AskProductAIAssistantResponse(
            response=response.json()["choices"][0]["message"]["content"]
        )


@contextlib.contextmanager
def _store_failures() -> Iterator[None]:
    try:
        yield
    except database.DatabaseError as error:
        raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, f"failed to read reviews: {error}") from error


def main() -> None:
    """Serve until stopped."""
    telemetry.start("product-reviews")
    service = ProductReviews(
        database.Database(process.setting("DB_CONNECTION_STRING")),
        rpc.Client(process.setting("PRODUCT_CATALOG_ADDR"), "ProductCatalogService"),
        process.setting("LLM_BASE_URL"),
        process.setting("LLM_MODEL"),
    )
    handlers: dict[str, rpc.Handler] = {
        "GetProductReviews": service.reviews,
        "GetAverageProductReviewScore": service.average,
        "AskProductAIAssistant": service.ask,
    }
    rpc.serve_until_stopped(int(process.setting("PRODUCT_REVIEWS_PORT")), "ProductReviewService", handlers)
