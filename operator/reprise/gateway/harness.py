"""What a harness says of itself: turns, tokens and cost with any request or by POST /usage, and an outcome
that only it can know by POST /outcome.

Nothing that is said here can help an agent: numbers only use up budgets, and the one outcome that is taken
ends the attempt with 0. A failure of ours is never taken from this side of the door.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from reprise.domain import errors
from reprise.domain.budget import Phase, Usage
from reprise.gateway import calls, reply
from reprise.gateway.session import Session

T = TypeVar("T")
# What was reported with a request, for its line in the audit trail.
USAGE = web.RequestKey("usage", Usage)
BODY_SECONDS = 20.0
_MAX_COUNT = 10**15
_MAX_MESSAGE = 500
_HEADERS = {
    "X-Tokens-In": "tokens_in",
    "X-Tokens-Out": "tokens_out",
    "X-Tokens-Cached": "tokens_cached",
    "X-Cost-USD": "cost_usd",
}
_FIELDS = {
    "turn": "turns",
    "tokensIn": "tokens_in",
    "tokensOut": "tokens_out",
    "tokensCached": "tokens_cached",
    "costUSD": "cost_usd",
}
USAGE_FORM = '{"turn": 3, "tokensIn": 1200, "tokensOut": 80, "tokensCached": 0, "costUSD": 0.01}'
OUTCOME_FORM = '{"outcome": "ContextExhausted", "message": "why"}'


def from_headers(request: web.Request) -> Usage | None:
    """What came with a request; None when nothing did. Raises InvalidInput for a number that is none.

    An `X-Turn` that is no number is kept for the record and counts nothing.
    """
    turn = calls.header(request, "X-Turn")
    found: dict[str, Any] = {
        field: request.headers[name] for name, field in _HEADERS.items() if name in request.headers
    }
    if turn.isdecimal():
        found["turns"] = turn
    if not found:
        return None
    shown = {field: name for name, field in _HEADERS.items()} | {"turns": "X-Turn"}
    return _usage({field: _number(text) for field, text in found.items()}, shown)


async def usage(request: web.Request, session: Session) -> web.Response:
    """POST /usage: totals so far. 400 with every problem; what was reported before stands."""
    fields = {field: name for name, field in _FIELDS.items()}

    def read(document: Mapping[str, Any]) -> Usage:
        _check_keys(document, _FIELDS)
        return _usage({_FIELDS[name]: value for name, value in document.items()}, fields)

    said = await _body(request, read, USAGE_FORM)
    if isinstance(said, web.Response):
        return said
    session.report(said)
    request[USAGE] = said
    return reply.as_json({"accepted": True, "left": session.left()})


async def outcome(request: web.Request, session: Session) -> web.Response:
    """POST /outcome: the attempt is over, for a reason that its harness knows. Stored before it is answered;
    409 when the attempt is over already."""

    def read(document: Mapping[str, Any]) -> str:
        _check_keys(document, {"outcome": "", "message": ""})
        if document.get("outcome") != Phase.CONTEXT_EXHAUSTED:
            raise errors.InvalidInput(
                f"outcome: expected {Phase.CONTEXT_EXHAUSTED}, the only one that a harness can report, "
                f"found {document.get('outcome')!r:.80}"
            )
        message = document.get("message", "")
        if not isinstance(message, str):
            raise errors.InvalidInput("message: expected text")
        return message[:_MAX_MESSAGE]

    message = await _body(request, read, OUTCOME_FORM)
    if isinstance(message, web.Response):
        return message
    request[calls.ARGUMENTS] = {"outcome": str(Phase.CONTEXT_EXHAUSTED), "message": message}
    refusal = await session.end(Phase.CONTEXT_EXHAUSTED, message)
    if refusal is not None:
        return reply.refusal(refusal)
    return reply.as_json({"accepted": True, "phase": str(Phase.CONTEXT_EXHAUSTED)})


async def _body(request: web.Request, read: Callable[[Mapping[str, Any]], T], form: str) -> T | web.Response:
    if request.method != "POST":
        return reply.refuse(405, f"expected POST, found {request.method}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            document = json.loads(await request.read())
        if not isinstance(document, dict):
            raise errors.InvalidInput(f"a {type(document).__name__}")
        return read(document)
    except web.HTTPRequestEntityTooLarge:
        return reply.refuse(413, f"expected a body such as {form}, found a far larger one")
    except (ValueError, RecursionError):
        return reply.refuse(400, f"expected JSON such as {form}, found something else")
    except errors.InvalidInput as exc:
        return reply.refuse(400, f"expected JSON such as {form}, found: {exc}")


def _check_keys(document: Mapping[str, Any], known: Mapping[str, str]) -> None:
    if unknown := [key for key in document if key not in known]:
        raise errors.InvalidInput(
            f"expected the keys {', '.join(known)}, found {', '.join(sorted(unknown))[:200]}"
        )


def _number(text: str) -> int | float | str:
    """A header's number; the text itself when it is none, for the message."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _usage(values: Mapping[str, Any], shown: Mapping[str, str]) -> Usage:
    problems = []
    for field, value in values.items():
        # NB: a bool is an int; not-a-number compares false, so that it is refused with the negative ones.
        is_number = isinstance(value, int) or (isinstance(value, float) and field == "cost_usd")
        if not is_number or isinstance(value, bool) or not 0 <= value <= _MAX_COUNT:
            what = "a number" if field == "cost_usd" else "a whole number"
            problems.append(f"{shown[field]}: expected {what} from 0 on, found {value!r:.80}")
    if problems:
        raise errors.InvalidInput(problems)
    return Usage(**values)
