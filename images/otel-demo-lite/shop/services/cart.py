"""Carts, kept in Valkey: one hash a user with the cart as a message in it.

Flags: cartFailure (EmptyCart goes to a store that does not exist), failedReadinessProbe (the health check
says that the service does not serve; that hurts a pod which has a readiness probe only).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any, Protocol

import grpc
import valkey
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from shop import flags, process, rpc, telemetry
from shop.proto import demo_pb2

_FIELD = "cart"
_EXPIRY_SECONDS = 3600
_SOCKET_SECONDS = 2.0
_CONNECTION_AGE_SECONDS = 8.0
_BAD_STORE = "badhost:1234"

_log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store of carts could not be reached or refused a command."""


class Store(Protocol):
    """What keeps the carts. Every method raises StoreError."""

    def load(self, user_id: str) -> demo_pb2.Cart:
        """The user's cart; an empty one when there is none."""
        ...

    def save(self, cart: demo_pb2.Cart) -> None:
        """Keep the cart."""
        ...


class ValkeyStore:
    """Carts in Valkey. Safe for use by several threads."""

    def __init__(self, address: str) -> None:
        self._address = address
        host, port = process.host_port(address)
        self._attributes: dict[str, AttributeValue] = {
            "db.system": "redis",
            "db.system.name": "redis",
            "server.address": host,
            "server.port": port,
        }
        self._client = valkey.Valkey(
            host=host, port=port, socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=_SOCKET_SECONDS
        )
        self._dialled = time.monotonic()

    def load(self, user_id: str) -> demo_pb2.Cart:
        """The user's cart; an empty one when there is none."""
        with self._command("HGET", f"HGET {user_id} {_FIELD}"):
            kept: Any = self._client.hget(user_id, _FIELD)
        return demo_pb2.Cart.FromString(kept) if kept else demo_pb2.Cart(user_id=user_id)

    def save(self, cart: demo_pb2.Cart) -> None:
        """Keep the cart for an hour."""
        # The client's types know text only; a cart is a message.
        value: Any = cart.SerializeToString()
        with self._command("HSET", f"HSET {cart.user_id} {_FIELD} ?"):
            self._client.hset(cart.user_id, _FIELD, value)
        with self._command("EXPIRE", f"EXPIRE {cart.user_id} {_EXPIRY_SECONDS}"):
            self._client.expire(cart.user_id, _EXPIRY_SECONDS)

    @contextlib.contextmanager
    def _command(self, name: str, statement: str) -> Iterator[None]:
        attributes = {
            **self._attributes,
            "db.operation.name": name,
            "db.statement": statement,
            "db.query.text": statement,
        }
        with telemetry.span(name, SpanKind.CLIENT, attributes):
            try:
                self._redial()
                yield
            except valkey.ValkeyError as error:
                raise StoreError(f"cannot access cart storage at {self._address}: {error}") from error

    def _redial(self) -> None:
        """Drop idle connections now and then: they would outlive a change of their Service."""
        now = time.monotonic()
        if now - self._dialled > _CONNECTION_AGE_SECONDS:
            self._dialled = now
            self._client.connection_pool.disconnect(inuse_connections=False)


class CartService:
    """AddItem, GetCart, EmptyCart."""

    def __init__(self, flag: flags.Flags, store: Store, bad_store: Store) -> None:
        self._flags = flag
        self._store = store
        self._bad_store = bad_store

    def add_item(self, request: demo_pb2.AddItemRequest) -> demo_pb2.Empty:
        """Put the item into the user's cart, or raise the quantity of one that is there."""
        with _store_failures():
            cart = self._store.load(request.user_id)
            for item in cart.items:
                if item.product_id == request.item.product_id:
                    item.quantity += request.item.quantity
                    break
            else:
                cart.items.append(request.item)
            self._store.save(cart)
        _log.info("item %s added", request.item.product_id, extra={"user_id": request.user_id})
        return demo_pb2.Empty()

    def get_cart(self, request: demo_pb2.GetCartRequest) -> demo_pb2.Cart:
        """The user's cart."""
        with _store_failures():
            return self._store.load(request.user_id)

    def empty_cart(self, request: demo_pb2.EmptyCartRequest) -> demo_pb2.Empty:
        """Take everything out of the user's cart."""
        store = self._bad_store if self._flags.enabled("cartFailure") else self._store
        with _store_failures():
            store.save(demo_pb2.Cart(user_id=request.user_id))
        return demo_pb2.Empty()

    def ready(self) -> bool:
        """What the health check answers."""
        return not self._flags.enabled("failedReadinessProbe")


@contextlib.contextmanager
def _store_failures() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, str(error)) from error


def main() -> None:
    """Serve until stopped."""
    telemetry.start("cart")
    store = ValkeyStore(process.setting("VALKEY_ADDR"))
    service = CartService(flags.Flags.from_environment(), store, ValkeyStore(_BAD_STORE))
    handlers: dict[str, rpc.Handler] = {
        "AddItem": service.add_item,
        "GetCart": service.get_cart,
        "EmptyCart": service.empty_cart,
    }
    rpc.serve_until_stopped(int(process.setting("CART_PORT")), "CartService", handlers, service.ready)
