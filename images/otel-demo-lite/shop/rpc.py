"""gRPC with spans: servers from plain functions, clients from an address and a service's name.

Both are built from the descriptors of `shop.proto.demo_pb2`; there is no generated stub code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from shop import process, telemetry
from shop.proto import demo_pb2

TIMEOUT_SECONDS = 3.0
_WORKERS = 24
_STOP_GRACE_SECONDS = 1.0

# Established connections outlive a change of their Service: connection tracking keeps them alive. A server
# that closes its connections now and then makes clients dial again, so that they see the Service as it is.
_SERVER_OPTIONS = (
    ("grpc.max_connection_age_ms", 8_000),
    ("grpc.max_connection_age_grace_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
)
# Short back-off and frequent name look-ups, so that a repaired Service is used again within about two
# seconds.
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
)

# The codes that are the server's fault, as the semantic conventions for gRPC have it.
_SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_log = logging.getLogger(__name__)

Handler = Callable[[Any], Any]


class RpcFailure(Exception):
    """A call that failed: raised by handlers to answer with a code, and by clients when an answer has one."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        name = "".join(part.capitalize() for part in self.code.name.split("_"))
        return f"rpc error: code = {name} desc = {self.message}"


def _service(name: str) -> ServiceDescriptor:
    return demo_pb2.DESCRIPTOR.services_by_name[name]


def _attributes(service: ServiceDescriptor, method: str) -> dict[str, AttributeValue]:
    return {"rpc.system": "grpc", "rpc.service": service.full_name, "rpc.method": method}


class Client:
    """Calls of one service at one address. Safe for use by several threads."""

    def __init__(self, address: str, service: str) -> None:
        self._address = address
        self._descriptor = _service(service)
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        host, separator, port = address.rpartition(":")
        self._peer: dict[str, AttributeValue] = {"server.address": host or address}
        if separator and port.isdigit():
            self._peer["server.port"] = int(port)
        self._calls = {method.name: self._callable(method) for method in self._descriptor.methods}

    def _callable(self, method: MethodDescriptor) -> Callable[..., Any]:
        answer = message_factory.GetMessageClass(method.output_type)
        return self._channel.unary_unary(
            f"/{self._descriptor.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def call(self, method: str, request: Any, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        """The answer of the method to the request message.

        Raises RpcFailure for every status that is not OK, the deadline included.
        """
        attributes = _attributes(self._descriptor, method) | self._peer
        with telemetry.span(f"{self._descriptor.full_name}/{method}", SpanKind.CLIENT, attributes) as span:
            try:
                answer = self._calls[method](
                    request, timeout=timeout_seconds, metadata=tuple(telemetry.inject().items())
                )
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                span.set_attribute("rpc.grpc.status_code", code.value[0])
                raise RpcFailure(code, error.details() or code.name) from None
            span.set_attribute("rpc.grpc.status_code", 0)
            return answer

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


def _serve_call(service: ServiceDescriptor, method: str, handler: Handler) -> Callable[[Any, Any], Any]:
    name = f"{service.full_name}/{method}"
    attributes = _attributes(service, method)

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        carrier = {key: str(value) for key, value in context.invocation_metadata()}
        failure: RpcFailure
        with telemetry.span(name, SpanKind.SERVER, attributes, carrier) as span:
            try:
                answer = handler(request)
            except RpcFailure as error:
                failure = error
            except Exception as error:
                _log.exception("%s failed", name)
                failure = RpcFailure(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
            else:
                span.set_attribute("rpc.grpc.status_code", 0)
                return answer
            span.set_attribute("rpc.grpc.status_code", failure.code.value[0])
            span.record_exception(failure)
            if failure.code in _SERVER_FAULTS:
                telemetry.fail(span, failure.message)
            _log.error("%s: %s", method, failure.message, extra={"code": failure.code.name})
        # NB: outside the span, because abort leaves by an exception of its own.
        return context.abort(failure.code, failure.message)

    return call


def _health_handler(healthy: Callable[[], bool]) -> grpc.GenericRpcHandler:
    """`grpc.health.v1.Health/Check`, for probes; its answer is one enum field: 1 serving, 2 not serving."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"\x08\x01" if healthy() else b"\x08\x02"

    return grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )


def serve(
    port: int, service: str, handlers: Mapping[str, Handler], healthy: Callable[[], bool] = lambda: True
) -> grpc.Server:
    """A started server that answers each method of the service by its handler.

    healthy: what the standard health check answers, asked at every check.
    Raises ValueError when the handlers are not those that the service declares.
    """
    descriptor = _service(service)
    declared = {method.name for method in descriptor.methods}
    if declared != set(handlers):
        raise ValueError(f"{service} declares {sorted(declared)}, found handlers for {sorted(handlers)}")
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _serve_call(descriptor, method.name, handlers[method.name]),
            request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for method in descriptor.methods
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_WORKERS), options=_SERVER_OPTIONS)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(descriptor.full_name, methods), _health_handler(healthy))
    )
    server.add_insecure_port(f"0.0.0.0:{port}")
    server.start()
    _log.info("%s listens on port %d", service, port)
    return server


def serve_until_stopped(
    port: int, service: str, handlers: Mapping[str, Handler], healthy: Callable[[], bool] = lambda: True
) -> None:
    """Serve until the process is told to stop."""
    server = serve(port, service, handlers, healthy)

    def stop() -> None:
        server.stop(_STOP_GRACE_SECONDS).wait()

    process.run(stop)
