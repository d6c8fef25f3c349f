"""HTTP with spans: a server from a table of routes, and a client of one function.

Every request has its own connection: a client then always sees a Service as it is, not as it was when it
dialled.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from shop import process, telemetry

TIMEOUT_SECONDS = 3.0
# For a service that asks another one: its failure must have the time to come back.
NESTED_TIMEOUT_SECONDS = 4.5
_CONNECT_SECONDS = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What a client asked. `params` come from the route's path; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON. Raises WebFailure (400) when it is not."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise WebFailure(400, f"expected a JSON body: {error}") from None

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


@dataclass(frozen=True)
class Response:
    """An answer. A failed exchange is a WebFailure instead."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is not."""
        return json.loads(self.body)


class WebFailure(Exception):
    """A failed exchange, or the answer to a request that cannot be served: a status and a reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class Route:
    """`path` has `{name}` for one segment and `{name...}` for the rest; an untraced route makes no span.

    name: the span's; by default method and path.
    """

    method: str
    path: str
    handler: Handler
    traced: bool = True
    name: str | None = None

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The parameters of a path that this route serves, or None. The method `*` serves every method."""
        if self.method not in {"*", method}:
            return None
        pattern = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.*)", re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


def quoted(text: str) -> str:
    """The text as it may stand in a query."""
    return urllib.parse.quote(text, safe="")


def json_response(value: Any, status: int = 200) -> Response:
    """The value as a JSON answer."""
    return Response(status, json.dumps(value).encode())


def html_response(text: str) -> Response:
    """A page."""
    return Response(200, text.encode(), "text/html; charset=utf-8")


def _answer(route: Route, request: Request) -> Response:
    if not route.traced:
        return _guarded(route, request)[0]
    attributes: dict[str, AttributeValue] = {
        "http.request.method": request.method,
        "url.path": request.path,
    }
    if route.name is None:
        attributes["http.route"] = route.path
    name = route.name or f"{request.method} {route.path}"
    with telemetry.span(name, SpanKind.SERVER, attributes, request.headers) as span:
        response, message = _guarded(route, request)
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= 500:
            telemetry.fail(span, message)
            _log.error("%s %s: %s", request.method, request.path, message, extra={"status": response.status})
        return response


def _guarded(route: Route, request: Request) -> tuple[Response, str]:
    """The handler's answer, or its failure as an answer, with the reason."""
    try:
        response = route.handler(request)
    except WebFailure as failure:
        return json_response({"error": str(failure)}, failure.status), str(failure)
    except Exception as error:
        _log.exception("%s %s failed", request.method, request.path)
        return json_response({"error": str(error)}, 500), f"{type(error).__name__}: {error}"
    return response, f"HTTP {response.status}"


def dispatch(routes: Sequence[Route], request: Request) -> Response:
    """The answer of the first route that serves the request; 404 when there is none."""
    for route in routes:
        params = route.match(request.method, request.path)
        if params is not None:
            matched = Request(
                request.method, request.path, request.query, request.headers, request.body, params
            )
            return _answer(route, matched)
    return json_response({"error": f"nothing is served at {request.method} {request.path}"}, 404)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler_class(routes: Sequence[Route]) -> type[BaseHTTPRequestHandler]:
    class RequestHandler(BaseHTTPRequestHandler):
        timeout = 30  # seconds that a silent client may hold a thread

        def _serve(self) -> None:
            split = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            request = Request(
                self.command,
                split.path,
                urllib.parse.parse_qs(split.query),
                {key.lower(): value for key, value in self.headers.items()},
                self.rfile.read(length) if length else b"",
            )
            response = dispatch(routes, request)
            self.send_response(response.status)
            self.send_header("content-type", response.content_type)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Access lines are what spans are for."""

        def handle(self) -> None:
            # A client that went away is no failure of ours.
            try:
                super().handle()
            except (ConnectionError, TimeoutError) as error:
                _log.debug("client went away: %s", error)

    return RequestHandler


def serve(port: int, routes: Sequence[Route]) -> ThreadingHTTPServer:
    """A started server; `shutdown()` stops it."""
    # The address of the pod is not known here, and it is the only one.
    server = _Server(("0.0.0.0", port), _handler_class(routes))  # noqa: S104
    threading.Thread(target=server.serve_forever, name=f"http-{port}", daemon=True).start()
    _log.info("listens on port %d", port)
    return server


def serve_until_stopped(port: int, routes: Sequence[Route]) -> None:
    """Serve until the process is told to stop."""
    server = serve(port, routes)
    process.run(server.shutdown)


def exchange(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Response:
    """One request on a connection of its own, without a span. Any status is an answer.

    Raises WebFailure: 504 when nothing answered in time, 503 when nobody could be reached.
    """
    split = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(
        split.hostname or "", split.port or 80, timeout=min(timeout_seconds, _CONNECT_SECONDS)
    )
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    try:
        connection.connect()
        connection.sock.settimeout(timeout_seconds)
        connection.request(method, target, body, {**(headers or {}), "connection": "close"})
        answer = connection.getresponse()
        return Response(
            answer.status, answer.read(), answer.getheader("content-type") or "application/octet-stream"
        )
    except TimeoutError:
        # Where there is no socket yet, it is the connection that took too long.
        what = f"no answer within {timeout_seconds:g} s" if connection.sock else "connection timed out"
        raise WebFailure(504, f"{method} {url}: {what}") from None
    except (OSError, http.client.HTTPException) as error:
        raise WebFailure(503, f"{method} {url}: {error}") from None
    finally:
        connection.close()


def fetch(
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    name: str | None = None,
) -> Response:
    """One request with a client span; `body` is sent as JSON unless it is bytes. Any status is an answer.

    Raises WebFailure as `exchange` does.
    """
    split = urllib.parse.urlsplit(url)
    attributes: dict[str, AttributeValue] = {
        "http.request.method": method,
        "url.full": url,
        "server.address": split.hostname or "",
        "server.port": split.port or 80,
    }
    payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json"} if payload is not None else {}
    with telemetry.span(name or method, SpanKind.CLIENT, attributes) as span:
        sent.update(headers or {})
        sent.update(telemetry.inject())
        response = exchange(method, url, payload, sent, timeout_seconds)
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= 400:
            telemetry.fail(span, f"HTTP {response.status}")
        return response
