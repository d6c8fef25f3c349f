"""The HTTPS application: who asks, may it go on, who answers, and the line in the audit trail."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from reprise.domain import access, chain, errors
from reprise.gateway import (
    audit,
    calls,
    connections,
    discovery,
    guide,
    harness,
    jaeger,
    mcp,
    objects,
    prometheus,
    reply,
    reviews,
    sending,
    submit,
)
from reprise.gateway.pages import Sealer
from reprise.gateway.registry import Registry
from reprise.gateway.session import Clock, Session, rfc3339, utc_now
from reprise.gateway.stream import HASHED, OPENED, SENT, Stream
from reprise.gateway.upstream import Source

log = logging.getLogger(__name__)
SESSION = web.RequestKey("session", Session)
# A warning for the agent, which goes out as a header with whatever is answered.
WARNING = web.RequestKey("warning", str)
# Whether the connection is one of those that the attempt may have.
ADMITTED = web.RequestKey("admitted", bool)
MAX_IN_FLIGHT = 64
MAX_STREAMS = 32
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Routes of the gateway. Make the aiohttp application with `application()`."""

    def __init__(
        self,
        kube: Source,
        registry: Registry,
        metrics: prometheus.Prometheus,
        traces: jaeger.Jaeger,
        clock: Clock = utc_now,
    ) -> None:
        """`kube` has the objects that are served, `clock` is the time that is shown with them."""
        self._clock = clock
        self._registry = registry
        self._discovery = discovery.Discovery(kube)
        self._objects = objects.Objects(kube, Sealer(), clock)
        self._metrics = metrics
        self._traces = traces
        self._tools = mcp.Tools(self._route, clock)
        self._connections = connections.Connections(lambda: registry.attempt_uids)

    def application(self) -> web.Application:
        app = web.Application(
            middlewares=[self._guard],
            client_max_size=submit.MAX_BODY_BYTES,
        )
        app[connections.CONNECTIONS] = self._connections
        app.router.add_route("*", "/{path:.*}", self._route)
        app.on_response_prepare.append(_warn)
        app.cleanup_ctx.append(self._tools.running)
        return app

    # -- around every request -------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authenticate, count, answer, and write the audit line."""
        response = await self._guarded(request, handler)
        return mcp.readable(response) if request.path == mcp.PATH else response

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/healthz":
            ready = self._registry.is_ready
            return web.Response(text="ok\n" if ready else "waits for the API server\n", status=200)
        if request.path == "/readyz" and "Authorization" not in request.headers:
            return web.Response(text="ok\n", status=200 if self._registry.is_ready else 503)
        if not self._registry.is_ready:
            return reply.refuse(503, "not ready yet: waits for the API server; try again in a few seconds")
        session = self._registry.find(_token(request))
        if session is None:
            return reply.refuse(
                401,
                "expected the token of an open attempt in 'Authorization: Bearer …', found "
                + ("one that no attempt has" if _token(request) else "none"),
            )
        request[ADMITTED] = self._connections.admit(request, session.attempt.uid)
        session.in_flight += 1
        session.streaming += _may_stream(request)
        try:
            response = await self._audited(request, session, handler)
        except OSError as exc:
            # Only from the trail: what fails in an answer is answered inside.
            log.error("attempt %s: its audit trail cannot be written: %s", session.attempt.uid, exc)
            return reply.refuse(503, "no record of this can be kept at the moment; try again later")
        else:
            if not request[ADMITTED]:
                response.force_close()
            return await sending.deliver(request, session, response)
        finally:
            session.in_flight -= 1
            session.streaming -= _may_stream(request)

    async def _audited(self, request: web.Request, session: Session, handler: Handler) -> web.StreamResponse:
        path = _resource_path(request)
        begun, came, seq = time.perf_counter(), rfc3339(utc_now()), session.next_seq()

        def note(status: int, size: int, digest: str, refusal: str, opened: bool = False) -> None:
            message = request.get(mcp.MESSAGE)
            session.record(
                audit.Entry(
                    time=came,
                    attempt=session.attempt.uid,
                    seq=seq,
                    turn=calls.header(request, "X-Turn"),
                    tool=calls.tool(request),
                    verb=_verb(request, path, message),
                    resource=message.tool or "mcp" if message else _named(path, request),
                    path=message.path if message else request.path[:500],
                    arguments=message.arguments if message else calls.arguments(request),
                    status=status,
                    bytes=size,
                    digest=digest,
                    duration_seconds=round(time.perf_counter() - begun, 6),
                    decision="deny" if refusal else "allow",
                    reason=refusal[:300],
                    justification=(message.justification if message else "")
                    or calls.header(request, "X-Justification"),
                    open=opened,
                    usage=request.get(harness.USAGE),
                )
            )

        request[SESSION] = session
        request[OPENED] = lambda: note(200, 0, "", "", opened=True)
        status, body, refusal = 499, b"", ""  # 499: the client went away before it had an answer
        try:
            response = await self._answer(request, session, handler)
            status = response.status
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                body = response.body
            refusal = response.get(reply.REFUSAL, "")
            return response
        finally:
            if message := request.get(mcp.MESSAGE):
                status, refusal = message.status or status, refusal or message.refusal
            if refusal and status in (401, 403, 405, 406, 429):
                session.note_denied()
            streamed = request.get(SENT)
            if streamed is None:
                note(status, len(body), chain.digest(body), refusal)
            else:
                note(200, streamed, f"sha256:{request[HASHED].hexdigest()}", refusal)

    async def _answer(self, request: web.Request, session: Session, handler: Handler) -> web.StreamResponse:
        if not request[ADMITTED]:
            return reply.refuse(429, f"at most {connections.MAX_OF_ATTEMPT} connections at a time")
        if session.in_flight > MAX_IN_FLIGHT or (_may_stream(request) and session.streaming > MAX_STREAMS):
            return reply.refuse(429, f"at most {MAX_IN_FLIGHT} requests and {MAX_STREAMS} streams at a time")
        try:
            response = await self._admitted(request, session, handler)
            if not sending.has_room(session, response):
                return reply.refuse(429, "read the answers that are on their way before asking for more")
            return response
        except Exception as exc:
            # NB: all of them: aiohttp would answer in words of its own, and the trail say that nobody waited.
            broken = Stream.broken(request)
            if broken is not None:
                log.info("attempt %s: a stream of %s broke off: %r", session.attempt.uid, request.path, exc)
                return broken
            return self._failed(request, session, exc)

    async def _admitted(self, request: web.Request, session: Session, handler: Handler) -> web.StreamResponse:
        if calls.is_form(request):
            try:
                async with asyncio.timeout(submit.BODY_SECONDS):
                    await calls.read_form(request)
            except web.HTTPRequestEntityTooLarge:
                return prometheus.error(413, f"expected a form of at most {submit.MAX_BODY_BYTES} bytes")
            except errors.InvalidInput as exc:
                return prometheus.error(400, str(exc))
        try:
            said = harness.from_headers(request)
        except errors.InvalidInput as exc:
            return reply.refuse(400, str(exc))
        if said is not None:
            request[harness.USAGE] = said
            # NB: what comes with an answer is kept for the record, and never takes the answer away.
            if request.path != "/submit":
                session.report(said)
        if request.path == mcp.PATH:
            return await self._tools.serve(request, session, lambda exc: self._failed(request, session, exc))
        if (key := calls.key(request)) is not None and (warning := session.note_call(key)):
            request[WARNING] = warning
        refused = await session.admit(request.path)
        if refused is not None and request.path not in ("/submit", "/outcome"):
            return reply.refusal(refused)
        try:
            return await handler(request)
        except web.HTTPException as exc:
            return reply.refuse(exc.status, exc.reason)

    def _failed(self, request: web.Request, session: Session, exc: Exception) -> web.Response:
        """What the agent is told of a failure of ours: never a traceback, nor an address behind us."""
        match exc:
            case errors.RepriseError():
                log.warning("attempt %s: %s %s: %s", session.attempt.uid, request.method, request.path, exc)
                return reply.upstream_failed(exc)
            case TimeoutError():
                return reply.refuse(504, "it took too long")
            case _:
                log.error(
                    "attempt %s: %s %s", session.attempt.uid, request.method, request.path, exc_info=exc
                )
                return reply.refuse(500, "this could not be answered; asking again will not help")

    # -- routes ---------------------------------------------------------------------------------

    async def _route(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        parts = access.split(request.path)
        match parts:
            case ("submit",):
                if request.method != "POST":
                    return reply.refuse(405, f"expected POST, found {request.method}")
                return await submit.submit(request, session)
            case ("usage",):
                return await harness.usage(request, session)
            case ("outcome",):
                return await harness.outcome(request, session)
            case ("instructions",) | ("attempt",) if request.method == "GET":
                return guide.answer(request, session, self._registry, self._clock())
            case ("alerts",) if request.method == "GET":
                return await self._metrics.alerts(session)
            case ("prometheus", *_):
                return await self._metrics.serve(request, session)
            case ("jaeger", *_):
                return await self._traces.serve(request, session)
            case None:
                return reply.refuse(404, "expected a path of plain words, found something else")
            case _:
                return await self._kubernetes(request, session, parts)

    async def _kubernetes(
        self, request: web.Request, session: Session, parts: tuple[str, ...]
    ) -> web.StreamResponse:
        path = access.parse(parts)
        if path is None or (path.group == "" and path.version != "v1"):
            if request.method != "GET":
                return reply.refuse(403, f"cannot {request.method.lower()} here: access is read-only")
            return await self._discovery.serve(request, session, parts)
        if request.method == "POST" and path.resource in access.REVIEWS.get(path.group, ()):
            return await reviews.answer(request, session, self._registry, path)
        verb = access.verb_of(request.method, path, objects.is_watch(request))
        refusal = access.decide(path, verb, session.view.injector_hidden)
        if refusal is None and request.method == "HEAD":
            refusal = access.Refusal(405, "MethodNotAllowed", "expected GET, found HEAD")
        if refusal is not None:
            return reply.refusal(refusal)
        if path.namespace and not self._registry.has_namespace(session.view, path.namespace):
            if path.resource == "namespaces":
                return reply.not_found(path)
            known = ", ".join(self._registry.namespaces(session.view))
            return reply.refuse(403, f'no namespace "{path.namespace}" is readable here; there are: {known}')
        return await self._objects.serve(request, session, path)


def _may_stream(request: web.Request) -> bool:
    """Whether the answer comes in pieces, for as long as there are some: watches and logs."""
    return objects.is_watch(request) or request.path.endswith("/log")


async def _warn(request: web.Request, response: web.StreamResponse) -> None:
    """As a header of code 299, which kubectl prints as a warning."""
    if WARNING in request:
        response.headers["Warning"] = f'299 - "{request[WARNING]}"'


def _token(request: web.Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _verb(request: web.Request, path: access.ApiPath | None, message: mcp.Message | None) -> str:
    """What the audit trail calls the deed: a Kubernetes verb, a method of MCP or one of HTTP."""
    if message is not None:
        return message.method or request.method.lower()
    return access.verb_of(request.method, path, objects.is_watch(request)) if path else request.method.lower()


def _resource_path(request: web.Request) -> access.ApiPath | None:
    parts = access.split(request.path)
    return access.parse(parts) if parts else None


def _named(path: access.ApiPath | None, request: web.Request) -> str:
    """What the audit trail calls the thing asked for: `pods/log otel-demo/cart-…`, or the first word."""
    if path is None:
        return request.path.strip("/").partition("/")[0][:80]
    kind = f"{path.full_resource}.{path.group}" if path.group else path.full_resource
    return " ".join(part for part in (kind, "/".join(filter(None, (path.namespace, path.name)))) if part)


async def serve(
    app: web.Application,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    ready: asyncio.Event,
    opened: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until cancelled. When the port is open, `opened` is called with its number (that was chosen when
    `port` is 0), then `ready` is set."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, keepalive_timeout=75)
    await runner.setup()
    listening: asyncio.Server | None = None
    try:
        assert runner.server is not None  # noqa: S101 - made by setup()
        # NB: not aiohttp's TCPSite: it waits a minute for a handshake that never comes.
        listening = await asyncio.get_running_loop().create_server(
            runner.server,
            host,
            port,
            ssl=tls,
            backlog=256,
            ssl_handshake_timeout=connections.HANDSHAKE_SECONDS if tls else None,
        )
        opened(int(listening.sockets[0].getsockname()[1]))
        ready.set()
        await app[connections.CONNECTIONS].reap(runner.server)
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()
