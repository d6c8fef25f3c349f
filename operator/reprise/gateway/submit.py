"""Taking in an attempt's answer."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from reprise.domain import errors, submission
from reprise.gateway import calls, reply
from reprise.gateway.session import Session

MAX_BODY_BYTES = 256 * 1024
BODY_SECONDS = 20.0
FORM = '{"entities": [{"name": "namespace/Kind/name"}, {"name": "Kind/name"}]}'


async def submit(request: web.Request, session: Session) -> web.Response:
    """POST /submit. 200 when stored; 400 with every problem; 403 for another attempt's id; 409 the second
    time; 410 late; 413 too large. Nothing in an answer depends on whether the submission is right."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return reply.refuse(413, f"expected a body of at most {MAX_BODY_BYTES} bytes; name root causes only")
    except TimeoutError:
        return reply.refuse(408, f"the body did not arrive within {BODY_SECONDS:.0f} s", reason="Timeout")

    def note(entities: list[str]) -> None:
        request[calls.ARGUMENTS] = {"entities": entities}

    return await accept(body, session, note)


async def accept(
    body: bytes, session: Session, note: Callable[[list[str]], None] = lambda _: None
) -> web.Response:
    """What `submit` does with the body of a request. `note` is told what was understood."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        text = str(exc) if isinstance(exc, json.JSONDecodeError) else "not UTF-8 text, or nested too deeply"
        return _problems([f"expected JSON such as {FORM}, found: {text}"])
    if isinstance(document, dict):
        named = document.get("attempt")
        if named is not None and named not in (session.attempt.uid, session.attempt.name):
            return reply.refuse(403, "the body names another attempt than the token's; nothing was stored")
    try:
        parsed = submission.parse(document)
    except errors.InvalidInput as exc:
        problems = list(exc.problems)
        if any("expected a Kubernetes kind" in problem for problem in problems):
            problems.append("kinds are those that `kubectl api-resources` lists, and Secret")
        return _problems(problems)
    entities = [str(entity) for entity in parsed.entities]
    note(entities)
    refusal = await session.submit(entities)
    if refusal is not None:
        return reply.refusal(refusal)
    return reply.as_json({"accepted": True, "entities": entities})


def _problems(problems: list[str]) -> web.Response:
    shown = problems[:20]
    more = len(problems) - len(shown)
    text = "; ".join(shown) + (f"; and {more} more" if more else "")
    body = reply.status_body(400, f"nothing was stored, the attempt goes on: {text}")
    response = reply.as_json({**body, "accepted": False, "problems": shown}, 400)
    response[reply.REFUSAL] = "malformed submission"
    return response
