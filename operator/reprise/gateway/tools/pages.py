"""Answers cut into pages of bounded size, and the cursors that lead from one to the next.

Nothing is kept between pages: the next one is cut from the same question, asked again up to the same moment.
A cursor therefore survives a restart of the gateway, and holds nothing that the agent has not seen.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reprise.gateway.tools.call import ToolError

MAX_BYTES = 32 * 1024
MAX_CURSOR_CHARS = 4000


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins: `offset` in bytes of the whole text, `seen` a digest of what came before,
    `now` and `pins` those of the first page."""

    offset: int
    seen: str
    now: datetime
    pins: Mapping[str, str]


def key(tool: str, arguments: Mapping[str, Any]) -> str:
    """A digest of the question, so that a cursor fits no other."""
    asked = json.dumps([tool, arguments], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def encode(question: str, cursor: Cursor) -> str:
    fields = [question, cursor.offset, cursor.seen, cursor.now.timestamp(), dict(cursor.pins)]
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()


def decode(question: str, text: str) -> Cursor:
    """Raises ToolError when it is no cursor, or one of another question."""
    try:
        made_for, offset, seen, now, pins = json.loads(base64.b64decode(text, b"-_", validate=True))
        cursor = Cursor(int(offset), str(seen), datetime.fromtimestamp(float(now), UTC), dict(pins))
        is_whole = cursor.offset >= 0 and all(isinstance(item, str) for pin in pins.items() for item in pin)
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        is_whole = False
    if not is_whole or made_for != question:
        raise ToolError(
            400,
            "cursor: expected one from an earlier answer to the same call with the same arguments, found "
            "another; call again without it",
        )
    return cursor


def cut(question: str, text: str, begin: Cursor, max_bytes: int) -> str:
    """One page of a text, with a last line that says how to get the next."""
    data = text.encode(errors="replace")
    if begin.offset and begin.offset >= len(data):
        return "[nothing more: the answer has become shorter since; call again without the cursor]"
    changed = begin.offset and _digest(data[: begin.offset]) != begin.seen
    end = min(len(data), begin.offset + max_bytes)
    if end < len(data):
        line = data.rfind(b"\n", begin.offset, end)
        end = line + 1 if line > begin.offset else _character(data, end)
    page = data[begin.offset : end].decode(errors="replace")
    if changed:
        page = "[this has changed since the page before: lines may be missing or come twice]\n" + page
    if end >= len(data):
        return page
    following = encode(question, Cursor(end, _digest(data[:end]), begin.now, begin.pins))
    return (
        page + ("" if page.endswith("\n") else "\n") + f"[truncated: bytes {begin.offset} to {end} of "
        f'{len(data)}. For the rest call again with the same arguments and cursor="{following}"; or ask for '
        "less with a narrower filter]"
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _character(data: bytes, end: int) -> int:
    """The largest place up to `end` that cuts no UTF-8 character."""
    while end > 0 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end
