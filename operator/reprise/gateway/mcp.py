"""The Model Context Protocol at /mcp: streamable HTTP by the official SDK, without sessions, in plain JSON.

The SDK speaks the protocol; who asks, what it costs and what is written down stays with `server`. Every POST
stands alone (no `Mcp-Session-Id`, no stream from the server), so a restart of the gateway is not noticed.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from aiohttp import web
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as Protocol
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from reprise.domain import access
from reprise.gateway import reply, submit
from reprise.gateway.aside import Aside
from reprise.gateway.audit import FREE_PATHS
from reprise.gateway.session import Clock, Session, utc_now
from reprise.gateway.tools import about, registry
from reprise.gateway.tools.call import Reads, Route, ToolError

log = logging.getLogger(__name__)
PATH = "/mcp"
MAX_ARGUMENTS_CHARS = 4000
Failed = Callable[[Exception], web.Response]


@dataclass
class Message:
    """One message of the protocol, as the audit trail shall tell it. `status`, `refusal`: of a tool call."""

    method: str = ""
    request_id: Any = None
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    justification: str = ""
    status: int = 0
    refusal: str = ""

    @property
    def path(self) -> str:
        """What budget and trail know the message by."""
        return f"{PATH}/{self.tool}" if self.tool else PATH


@dataclass
class Exchange:
    """What a tool call needs of the HTTP request that it came with."""

    message: Message
    session: Session
    reads: Reads
    failed: Failed
    # NB: of tool calls only. The rest tells nothing of the cluster, and the SDK's client lists the tools
    # after a call whose tool it does not know yet, the accepted submission included.
    refused: access.Refusal | None
    clock: Clock
    # Of the circuit breaker; "" when there is none.
    warning: str


MESSAGE = web.RequestKey("message", Message)
_KEY = "exchange"


class Tools:
    """Serves /mcp. `route` answers the reads of tools; one instance for all attempts."""

    def __init__(self, route: Route, clock: Clock = utc_now) -> None:
        """`clock` is the time that is shown."""
        self._route = route
        self._clock = clock
        self._aside = Aside()
        self._protocol = Protocol(
            about.NAME, instructions=about.INSTRUCTIONS, on_list_tools=_list_tools, on_call_tool=_call_tool
        )
        self._manager: StreamableHTTPSessionManager | None = None

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """aiohttp's cleanup context. The SDK's tasks live in one of their own: what starts and what stops
        the application need not be the same task."""
        started, stop = asyncio.Event(), asyncio.Event()

        async def live() -> None:
            manager = StreamableHTTPSessionManager(self._protocol, json_response=True, stateless=True)
            async with manager.run():
                self._manager = manager
                started.set()
                await stop.wait()

        task = asyncio.create_task(live(), name="mcp")
        await started.wait()
        yield
        stop.set()
        await task

    async def serve(self, request: web.Request, session: Session, failed: Failed) -> web.Response:
        """Admit one message and answer it. `failed` is how an exception is answered. Raises what admitting
        does."""
        message = request[MESSAGE] = Message()
        if request.method != "POST":
            # Said without a refusal: clients of the specification ask for a stream and then do without.
            return web.Response(status=405, headers={"Allow": "POST"}, text="expected POST: no streams here")
        if "Mcp-Session-Id" in request.headers:
            return _error(message, 404, "there are no sessions here; initialize again, without an id")
        template = request.clone()  # before the body is read: it cannot be cloned after
        try:
            async with asyncio.timeout(submit.BODY_SECONDS):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _error(message, 413, f"expected at most {submit.MAX_BODY_BYTES} bytes")
        except TimeoutError:
            return _error(message, 408, f"the body did not arrive within {submit.BODY_SECONDS:.0f} s")
        try:
            found = json.loads(body)
            # What the SDK reads is what was read here: no other parser's leniency opens a way past the count.
            body = json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return _error(message, 400, "expected one JSON-RPC message in JSON", types.PARSE_ERROR)
        _read(found, message)
        warning = ""
        if message.path not in FREE_PATHS:
            asked = json.dumps(message.arguments, sort_keys=True, ensure_ascii=False)
            warning = session.note_call(f"mcp {asked}")
        refused = await session.admit(message.path)
        if message.tool == "submit":
            refused = None  # its own answer says whether it is late, or the second
        reads = Reads(template, self._route, self._aside)
        exchange = Exchange(message, session, reads, failed, refused, self._clock, warning)
        assert self._manager is not None  # noqa: S101 - the application does not serve before it runs
        return await _as_asgi(self._manager.handle_request, request, body, exchange)


def readable(response: web.StreamResponse) -> web.StreamResponse:
    """A refusal in the words of the Kubernetes API, in those of the protocol: its clients show no others."""
    if not isinstance(response, web.Response) or response.status < 400 or reply.REFUSAL not in response:
        return response
    body = json.loads(response.body) if isinstance(response.body, bytes) else {}
    if body.get("kind") != "Status":
        return response
    answer = _error(Message(), response.status, body["message"])
    if "WWW-Authenticate" in response.headers:
        answer.headers["WWW-Authenticate"] = response.headers["WWW-Authenticate"]
    return answer


def _error(message: Message, status: int, text: str, code: int = types.INVALID_REQUEST) -> web.Response:
    """A refusal that a client of the protocol can read."""
    error = {"jsonrpc": "2.0", "id": message.request_id, "error": {"code": code, "message": text}}
    response = reply.as_json(error, status)
    response[reply.REFUSAL] = text
    return response


def _read(found: Any, message: Message) -> None:
    """What can be told of a message before the SDK judges it; of one that is none, nothing."""
    if not isinstance(found, dict):
        return
    message.method = str(found.get("method", ""))[:80]
    if isinstance(found.get("id"), str | int):
        message.request_id = found["id"]
    params = found.get("params")
    if message.method != "tools/call" or not isinstance(params, dict):
        return
    name = params.get("name")
    message.tool = name if isinstance(name, str) and name in registry.TOOLS else "unknown"
    given = params.get("arguments")
    if isinstance(given, dict):
        message.justification = str(given.get("justification") or "")[:2000]
        given = {key: item for key, item in given.items() if key != "justification"}
    text = json.dumps(given, ensure_ascii=False)
    kept = given if isinstance(given, dict) and len(text) <= MAX_ARGUMENTS_CHARS else None
    message.arguments = {
        "tool": message.tool,
        **({"cut": text[:MAX_ARGUMENTS_CHARS]} if kept is None else kept),
    }


async def _list_tools(
    _: ServerRequestContext[Any, Any], __: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=tool.name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.schema(),
                annotations=types.ToolAnnotations(
                    title=tool.title,
                    read_only_hint=tool.is_read_only,
                    destructive_hint=False,
                    idempotent_hint=tool.is_read_only,
                    open_world_hint=False,
                ),
            )
            for tool in registry.TOOLS.values()
        ]
    )


async def _call_tool(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    """Run a tool. What goes wrong is the result's text with `isError`, so that a model reads it."""
    assert context.request is not None  # noqa: S101 - the transport hands over what it was given
    exchange: Exchange = context.request.scope[_KEY]
    message = exchange.message
    tool = registry.TOOLS.get(params.name)
    if exchange.refused is not None:
        return _failure(message, exchange.refused.code, exchange.refused.message, True)
    if tool is None:
        message.status, message.refusal = 404, "unknown tool"
        names = ", ".join(registry.TOOLS)
        raise MCPError(types.INVALID_PARAMS, f"unknown tool {params.name[:80]!r}; there are: {names}")
    # What does not read, a submission above all, waits for nothing.
    turn = exchange.session.tools if tool.is_read_only else contextlib.nullcontext()
    try:
        async with turn, exchange.reads:
            text = await registry.run(
                tool, params.arguments or {}, exchange.session, exchange.reads, exchange.clock()
            )
    except ToolError as exc:
        return _failure(message, exc.status, exc.message, exc.is_refusal)
    except Exception as exc:
        # NB: all of them: the SDK would send the words of what it does not know to the client.
        answer = exchange.failed(exc)
        body = answer.body if isinstance(answer.body, bytes) else b"{}"
        return _failure(message, answer.status, str(json.loads(body).get("message")), False)
    message.status = 200
    # Clients of the protocol show no headers.
    texts = [text, exchange.warning] if exchange.warning else [text]
    return types.CallToolResult(content=[types.TextContent(type="text", text=one) for one in texts])


def _failure(message: Message, status: int, text: str, is_refusal: bool) -> types.CallToolResult:
    message.status, message.refusal = status, text if is_refusal else ""
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


async def _as_asgi(
    app: Callable[..., Awaitable[None]], request: web.Request, body: bytes, exchange: Exchange
) -> web.Response:
    """Call an ASGI application that answers in one piece."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        _KEY: exchange,
    }
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    started: dict[str, Any] = {}
    collected = bytearray()

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await asyncio.Event().wait()  # a client that goes away cancels the whole handler
        raise AssertionError

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            started.update(event)
        else:
            collected.extend(event.get("body", b""))

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in started["headers"]}
    headers.pop("content-length", None)
    return web.Response(status=started["status"], body=bytes(collected), headers=headers)
