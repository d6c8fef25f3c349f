"""Get, list and watch of allowed resources, and logs of pods."""

import functools
import json
from collections.abc import Hashable
from datetime import datetime, timedelta

from aiohttp import web

from reprise.adapters.streams import MAX_BODY_BYTES, lines, whole_lines
from reprise.domain import errors, redaction, rows
from reprise.domain.access import ApiPath
from reprise.gateway import negotiate, reply
from reprise.gateway import page as pages
from reprise.gateway.aside import Aside
from reprise.gateway.judged import Judge, Judged
from reprise.gateway.kept import Kept
from reprise.gateway.pages import Sealer
from reprise.gateway.session import Clock, Session, rfc3339, utc_now
from reprise.gateway.stream import Stream
from reprise.gateway.upstream import Source
from reprise.gateway.watch import Watch

FORMS = frozenset({"table", "partial"})
CONTINUED = web.ResponseKey("continued", bool)
MAX_LOG_BYTES = 16 * 1024 * 1024
MAX_WATCH_SECONDS = 1800
# Of the API server's, for one of ours.
MAX_PAGES = 16
_SELECTORS = ("labelSelector", "fieldSelector")
_LIST_QUERY = (*_SELECTORS, "resourceVersion", "resourceVersionMatch")
_WATCH_QUERY = (*_LIST_QUERY, "allowWatchBookmarks", "sendInitialEvents")
# NB: not limitBytes: where the API server cuts a line short, its hidden word may go and the rest be shown.
_LOG_QUERY = ("container", "follow", "previous", "tailLines", "timestamps")


class Objects:
    """Serves resources. One instance for all attempts: what it keeps is found by all that it depends on.

    Where the source tells the version of what it has, finished answers are kept: to filter the same objects
    again for the same view gives the same bytes.
    """

    def __init__(self, kube: Source, sealer: Sealer, clock: Clock = utc_now) -> None:
        self._kube = kube
        self._sealer = sealer
        self._clock = clock
        self._kept = Kept()
        self._aside = Aside()
        self._judged = Judged()

    async def serve(self, request: web.Request, session: Session, path: ApiPath) -> web.StreamResponse:
        """Answer a request that the allow-list and the namespace rule have let through."""
        # What was recorded of history is what may be seen of it; a live one also tells of before the attempt.
        oldest = session.oldest_revision if self._kube.version_of(path.url()) is None else 0
        refused = _check_query(request, session, oldest)
        if refused is not None:
            return refused
        if path.subresource == "log":
            return await self._log(request, session, path)
        form = negotiate.form(request.headers.get("Accept", ""), FORMS)
        if form is None:
            return reply.refuse(406, negotiate.NOT_ACCEPTABLE)
        if is_watch(request):
            return await self._watch(request, session, path, form)
        key = self._key(request, session, path, form)
        if key is not None and (known := self._kept.get(key)) is not None:
            return _ok(known, form)
        answer = self._get if path.name else self._list
        response = await answer(request, session, path, form)
        # A page that is continued bears a token of one attempt.
        if key is not None and response.status == 200 and CONTINUED not in response:
            self._kept.put(key, response.body)
        return response

    def _key(self, request: web.Request, session: Session, path: ApiPath, form: str) -> Hashable | None:
        """All that an answer depends on; None when it must not be kept."""
        version = self._kube.version_of(path.url())
        if version is None or request.query.get("continue"):
            return None
        query = tuple(_passed(request, (*_LIST_QUERY, "limit", "includeObject")))
        return (version, session.view, path.url(), query, form)

    # -- get ------------------------------------------------------------------------------------

    async def _get(self, request: web.Request, session: Session, path: ApiPath, form: str) -> web.Response:
        query = _passed(request, ("resourceVersion",))
        answer = await self._kube.read(path.url(), _asked(request, query, path, form), _accept(form))
        if answer.status != 200:
            return _failure(session, answer.status, answer.body)
        judge = self._judge(request, session, path, form)
        if form != "table":
            body = judge(answer.body)
            return reply.not_found(path) if body is None else _ok(body, form)
        table = pages.read_table(answer.body)
        shown = table.shown(session.view, judge)
        if not shown or len(shown) < len(table.rows or ()):
            return reply.not_found(path)
        return _ok(pages.encode(table, "rows", shown, ""), form)

    # -- list -----------------------------------------------------------------------------------

    async def _list(self, request: web.Request, session: Session, path: ApiPath, form: str) -> web.Response:
        """One page. Hidden objects leave no gap: the page is filled from what follows; up to a point, so
        that one request cannot make thousands. A page with a continue token may be short, says the API."""
        limit = _number(request.query.get("limit"))
        selectors = [request.query.get(name, "") for name in _SELECTORS]
        scope = (session.attempt.uid, path.url(), selectors)
        query = _passed(request, _LIST_QUERY)
        token = ""
        if sealed := request.query.get("continue", ""):
            try:
                token = self._sealer.open(sealed, *scope)
            except errors.InvalidInput as exc:
                return reply.refuse(410, str(exc))
            query = [(key, value) for key, value in query if not key.startswith("resourceVersion")]
        judge = self._judge(request, session, path, form)
        items: list[bytes] = []
        size = 0
        for _ in range(MAX_PAGES):
            asked = list(query)
            if limit:
                asked.append(("limit", str(limit - len(items))))
            if token:
                asked.append(("continue", token))
            async with self._aside.holding(session):
                answer = await self._kube.read(path.url(), _asked(request, asked, path, form), _accept(form))
                if answer.status != 200:
                    return _failure(session, answer.status, answer.body)
                found, page = await self._aside.work(
                    answer.body, functools.partial(_shown, session, answer.body, form, judge)
                )
                del answer
            items += found
            size += sum(map(len, found))
            token = page.token
            if size > MAX_BODY_BYTES:
                raise errors.Refused("the list is too large; ask for it with a limit")
            if not token or not limit or len(items) >= limit:
                break
            query = [(key, value) for key, value in query if not key.startswith("resourceVersion")]
        sealed = self._sealer.seal(token, *scope) if token else ""
        head = pages.partial(page) if form == "partial" else page
        response = _ok(pages.encode(head, "rows" if form == "table" else "items", items, sealed), form)
        if sealed:
            response[CONTINUED] = True
        return response

    def _judge(self, request: web.Request, session: Session, path: ApiPath, form: str) -> Judge:
        shape = {"table": f"row {_include(request)}", "partial": "partial"}.get(form, "object")
        return self._judged.judge(session.view, path, shape)

    # -- watch ----------------------------------------------------------------------------------

    async def _watch(
        self, request: web.Request, session: Session, path: ApiPath, form: str
    ) -> web.StreamResponse:
        seconds = min(_number(request.query.get("timeoutSeconds")) or MAX_WATCH_SECONDS, MAX_WATCH_SECONDS)
        query = _passed(request, _WATCH_QUERY)
        if path.name:
            query = [(key, value) for key, value in query if key != "fieldSelector"]
            query.append(("fieldSelector", f"metadata.name={path.name}"))
            path = ApiPath(path.group, path.version, path.namespace, path.resource, "", "")
        query += [("watch", "true"), ("timeoutSeconds", str(seconds))]
        response = await self._kube.open(
            path.url(), _asked(request, query, path, form), _accept(form), timeout_seconds=seconds + 10
        )
        async with response:
            if response.status != 200:
                return _failure(session, response.status, await response.read())
            content_type = "application/json;stream=watch" if form == "json" else _content_type(form)
            stream = Stream(request, session, content_type)
            await stream.open()
            watch = Watch(session.view, path, form, _include(request))
            async for line in lines(response):
                if event := watch.filter(line):
                    await stream.write(event)
        return await stream.close()

    # -- logs -----------------------------------------------------------------------------------

    async def _log(self, request: web.Request, session: Session, path: ApiPath) -> web.StreamResponse:
        """A pod's log, never older than the window, without lines that name what is hidden."""
        if redaction.mentions(session.view, path.name):
            return reply.not_found(path)
        query = _passed(request, _LOG_QUERY)
        query.append(("sinceTime", _since(request, session.view.window_start, self._clock())))
        follow = request.query.get("follow") in ("true", "1")
        seconds = MAX_WATCH_SECONDS if follow else 30.0
        limit = _number(request.query.get("limitBytes"))
        response = await self._kube.open(path.url(), query, "*/*", timeout_seconds=seconds)
        async with response:
            if response.status != 200:
                return _failure(session, response.status, await response.read())
            stream = Stream(request, session, "text/plain")
            await stream.open()
            async for batch in whole_lines(response):
                shown = b"".join(redaction.keep_lines(session.view, batch))
                if shown := shown[: limit - stream.size] if limit else shown:
                    await stream.write(shown)
                if (limit and stream.size >= limit) or (stream.size > MAX_LOG_BYTES and not follow):
                    break
        return await stream.close()


def _shown(session: Session, body: bytes, form: str, judge: Judge) -> tuple[list[bytes], pages.Head]:
    """What may be seen of a page's items, and its head."""
    if form == "table":
        table = pages.read_table(body)
        return table.shown(session.view, judge), table.without_rows()
    listed = pages.read_objects(body)
    return listed.shown(judge), listed.without_items()


def is_watch(request: web.Request) -> bool:
    return request.query.get("watch") in ("true", "1")


def _check_query(request: web.Request, session: Session, oldest: int) -> web.Response | None:
    """Refuse selectors that ask about what is hidden, and history from before the revision `oldest`."""
    for name in _SELECTORS:
        if redaction.mentions(session.view, request.query.get(name, "")):
            return reply.refuse(403, f"{name}: selects by something that is not readable here")
    text = request.query.get("resourceVersion") or "0"
    if not (text.isascii() and text.isdecimal()):
        # To a watch the API server would say 500.
        return reply.refuse(400, f"resourceVersion: expected a number, found {text[:40]!r}")
    version = _number(text)
    if 0 < version < oldest:
        return reply.refuse(410, f"too old resource version: {version} ({oldest})", reason="Expired")
    return None


def _since(request: web.Request, start: datetime, now: datetime) -> str:
    asked = redaction.parse_time(request.query.get("sinceTime"))
    if seconds := _number(request.query.get("sinceSeconds")):
        asked = now - timedelta(seconds=min(seconds, (now - start).total_seconds()))
    return rfc3339(max(asked, start) if asked else start)


def _passed(request: web.Request, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, request.query[name]) for name in names if request.query.get(name)]


def _number(text: str | None) -> int:
    """0 for what is none, and for what no system behind takes either (more than 18 digits)."""
    digits = (text or "").lstrip("0")
    return int(digits) if digits.isdecimal() and len(digits) <= 18 else 0


def _include(request: web.Request) -> str:
    asked = request.query.get("includeObject", "")
    return asked if asked in ("None", "Object") else "Metadata"


def _asked(
    request: web.Request, query: list[tuple[str, str]], path: ApiPath, form: str
) -> list[tuple[str, str]]:
    """The query for the API server. A Table carries at least the metadata that its rows are judged by."""
    if form != "table":
        return query
    whole = _include(request) == "Object" or redaction.is_judged_whole(path.group, path.resource)
    return [*query, ("includeObject", "Object" if whole else "Metadata")]


def _accept(form: str) -> str:
    return rows.TABLE if form == "table" else "application/json"


def _content_type(form: str) -> str:
    return "application/json"


def _ok(body: bytes, form: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": _content_type(form)})


def _failure(session: Session, code: int, body: bytes) -> web.Response:
    """The API server's own Status, without what it may say of hidden things, of us, or of its own state."""
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    if code in (401, 403):
        return reply.refuse(403, "this cannot be read here")
    if code in (502, 503, 504) or document.get("kind") != "Status":
        return reply.refuse(code, "the API server did not answer this; try again in a few seconds")
    return reply.as_json(redaction.scrub(session.view, document), code)
