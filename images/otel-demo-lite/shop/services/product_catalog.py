"""The products, in PostgreSQL.

Flag: productCatalogFailure (one product cannot be read).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import grpc

from shop import database, flags, process, rpc, telemetry
from shop.proto import demo_pb2

_FAILING_PRODUCT = "OLJCESPC7Z"
_TABLE = "catalog.products"
_COLUMNS = "id, name, description, picture, price_currency_code, price_units, price_nanos, categories"
_SELECT = f"SELECT {_COLUMNS} FROM {_TABLE}"  # noqa: S608  # both are constants
_ALL = f"{_SELECT} ORDER BY id"
_ONE = f"{_SELECT} WHERE id = %(id)s"
_SEARCH = f"{_SELECT} WHERE name ILIKE %(like)s OR description ILIKE %(like)s ORDER BY id"

_log = logging.getLogger(__name__)


class Store(Protocol):
    """What keeps the products."""

    def query(
        self, table: str, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> list[database.Row]:
        """The rows of a SELECT. Raises DatabaseError."""
        ...


class ProductCatalog:
    """ListProducts, GetProduct, SearchProducts."""

    def __init__(self, flag: flags.Flags, store: Store) -> None:
        self._flags = flag
        self._store = store

    def list_products(self, _: demo_pb2.Empty) -> demo_pb2.ListProductsResponse:
        """All products."""
        with _store_failures("failed to list products"):
            rows = self._store.query(_TABLE, _ALL)
        return demo_pb2.ListProductsResponse(products=map(_product, rows))

    def get_product(self, request: demo_pb2.GetProductRequest) -> demo_pb2.Product:
        """One product."""
        if request.id == _FAILING_PRODUCT and self._flags.enabled("productCatalogFailure"):
            raise rpc.RpcFailure(grpc.StatusCode.INTERNAL, f"failed to read product {request.id}")
        with _store_failures(f"failed to read product {request.id}"):
            rows = self._store.query(_TABLE, _ONE, {"id": request.id})
        if not rows:
            raise rpc.RpcFailure(grpc.StatusCode.NOT_FOUND, f"no product with id {request.id}")
        return _product(rows[0])

    def search_products(self, request: demo_pb2.SearchProductsRequest) -> demo_pb2.SearchProductsResponse:
        """Products whose name or description has the text."""
        with _store_failures("failed to search products"):
            rows = self._store.query(_TABLE, _SEARCH, {"like": f"%{request.query}%"})
        return demo_pb2.SearchProductsResponse(results=map(_product, rows))


def _product(row: database.Row) -> demo_pb2.Product:
    identifier, name, description, picture, currency, units, nanos, categories = row
    price = demo_pb2.Money(currency_code=currency, units=units, nanos=nanos)
    return demo_pb2.Product(
        id=identifier,
        name=name,
        description=description,
        picture=picture,
        price_usd=price,
        categories=categories.split(","),
    )


@contextlib.contextmanager
def _store_failures(what: str) -> Iterator[None]:
    try:
        yield
    except database.DatabaseError as error:
        raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, f"{what}: {error}") from error


def main() -> None:
    """Serve until stopped."""
    telemetry.start("product-catalog")
    store = database.Database(process.setting("DB_CONNECTION_STRING"))
    service = ProductCatalog(flags.Flags.from_environment(), store)
    handlers: dict[str, rpc.Handler] = {
        "ListProducts": service.list_products,
        "GetProduct": service.get_product,
        "SearchProducts": service.search_products,
    }
    rpc.serve_until_stopped(int(process.setting("PRODUCT_CATALOG_PORT")), "ProductCatalogService", handlers)
