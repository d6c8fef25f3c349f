"""What the API server says of itself: groups, resources, schemas, version; cut to what is allowed."""

import asyncio
import json
import time

from aiohttp import web

from reprise.domain import discovery, redaction
from reprise.gateway import negotiate, reply
from reprise.gateway.session import Session
from reprise.gateway.upstream import Source

# CRDs may be installed at any time, so not for long.
KEEP_SECONDS = 30.0


class Discovery:
    """Serves /api, /apis, /openapi and /version. Keeps filtered answers for a moment: kubectl asks for the
    same ones with every command."""

    def __init__(self, kube: Source) -> None:
        self._kube = kube
        # A handful of paths times two views: the paths are checked before they get here.
        self._kept: dict[tuple[str, str, bool], tuple[float, bytes]] = {}

    async def serve(self, request: web.Request, session: Session, parts: tuple[str, ...]) -> web.Response:
        """Answer for the path whose segments are `parts`."""
        hidden = session.view.injector_hidden
        if parts in (("api",), ("apis",)):
            form = negotiate.form(request.headers.get("Accept", ""), frozenset({"discovery"}))
            if form == "discovery":
                return await self._kept_answer(
                    session, parts, discovery.AGGREGATED, lambda doc: discovery.aggregated(doc, hidden)
                )
        cut = discovery.cut(parts, hidden)
        if cut is None:
            return reply.refuse(404, "the server could not find the requested resource")
        if negotiate.form(request.headers.get("Accept", ""), frozenset()) is None:
            return reply.refuse(406, negotiate.NOT_ACCEPTABLE)
        return await self._kept_answer(session, parts, "application/json", cut)

    async def _kept_answer(
        self, session: Session, parts: tuple[str, ...], accept: str, cut: discovery.Cut
    ) -> web.Response:
        path = "/" + "/".join(parts)
        key = (path, accept, session.view.injector_hidden)
        kept = self._kept.get(key)
        if kept is None or kept[0] < time.monotonic():
            answer = await self._kube.read(path, (), accept)
            if answer.status != 200:
                return reply.refuse(answer.status, "the server could not find the requested resource")
            # Schemas are megabytes: parsing them must not stop everybody else.
            body = await asyncio.to_thread(_filtered, answer.body, session.view, cut)
            kept = (time.monotonic() + KEEP_SECONDS, body)
            self._kept[key] = kept
        return web.Response(body=kept[1], headers={"Content-Type": accept})


def _filtered(body: bytes, view: redaction.View, cut: discovery.Cut) -> bytes:
    return redaction.encode(view, cut(json.loads(body)))
