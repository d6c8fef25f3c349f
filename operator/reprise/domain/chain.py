"""The hash chain of an audit trail: what makes a line a link, and what a checker finds wrong with one.

A line is a JSON object whose last two keys are `prev`, the hash of the line before, and `hash`, the SHA-256
of the line's own bytes without `hash` and the end of the line. The first `prev` is made from the attempt's
uid, so that one attempt's trail cannot stand in for another's.

What the chain alone cannot show is that whole lines are missing at the end: that takes an `Anchor` that was
stored elsewhere (the attempt's status).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The event that stands behind a line which a crash cut short.
RECOVERED = "recovered"
# The event that a gateway writes which finds at its start that the trail lacks what the anchor speaks of.
LOST = "lost"
# The event after which requests that come when the attempt is over are refused without a line.
LATE = "late"
_SEAL = re.compile(rb',"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\Z')


def genesis(attempt_uid: str) -> str:
    """What the first line's `prev` is, in hex."""
    return hashlib.sha256(f"audit trail of {attempt_uid}".encode()).hexdigest()


def digest(data: bytes) -> str:
    """`sha256:<hex>` of a body."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Link:
    """A sealed line, its end included, and its hash, which the next line names."""

    line: bytes
    hash: str


def seal(fields: Mapping[str, Any], prev: str) -> Link:
    """The line of these fields (at least one) behind the line whose hash is `prev`."""
    # NB: of bytes in a header that are no UTF-8 lone surrogates are left; escaped like this they are JSON.
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
    sealed = body[:-1] + b',"prev":"' + prev.encode() + b'"'
    own = hashlib.sha256(sealed + b"}").hexdigest()
    return Link(sealed + b',"hash":"' + own.encode() + b'"}\n', own)


def cut(line: bytes) -> dict[str, Any]:
    """What is recorded of a line that was cut short: its size and digest."""
    return {"bytes": len(line), "digest": digest(line)}


@dataclass(frozen=True)
class Parsed:
    """A line that is whole and unchanged in itself."""

    fields: Mapping[str, Any]
    prev: str
    hash: str


def parse(line: bytes) -> Parsed | None:
    """Read one line without its end; None when it is cut, changed, or was never sealed."""
    found = _SEAL.search(line)
    if found is None:
        return None
    prev, own = found[1].decode(), found[2].decode()
    if hashlib.sha256(line[: found.end(1)] + b'"}').hexdigest() != own:
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return Parsed(fields, prev, own) if isinstance(fields, dict) else None


@dataclass(frozen=True)
class Anchor:
    """What was stored elsewhere: the trail had at least `lines` lines, and the last of them this hash."""

    lines: int
    head: str


@dataclass(frozen=True)
class Problem:
    """What is wrong at a line, counted from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True)
class Check:
    """The result. `head` is the last good line's hash; `recovered` numbers the lines that say of the one
    before that a crash cut it short, which is no problem."""

    lines: int
    head: str
    recovered: Sequence[int]
    problems: Sequence[Problem]
    anchored: bool

    @property
    def whole(self) -> bool:
        return not self.problems


def check(data: Iterable[bytes], attempt_uid: str, anchor: Anchor | None = None) -> Check:
    """Check a trail, given as its lines with their ends. Finds every line that was changed, and every place
    where lines are missing or stand in another order; at the end of the trail only down to the anchor."""
    expected = genesis(attempt_uid)
    problems: list[Problem] = []
    recovered: list[int] = []
    half: bytes | None = None  # a line that is none, until the next one says that it knows
    number = 0
    anchored = anchor is None or anchor.lines == 0
    for number, raw in enumerate(data, start=1):
        line = raw.removesuffix(b"\n")
        parsed = parse(line)
        if half is not None and not _knows(parsed, half):
            problems.append(Problem(number - 1, "was changed or cut, or is no line of a trail"))
        if parsed is None:
            half = line
            continue
        if parsed.fields.get("event") == RECOVERED:
            recovered.append(number)
            if half is None:
                problems.append(Problem(number, "speaks of a line cut short before it, which is not there"))
        if parsed.fields.get("event") == LOST:
            problems.append(
                Problem(number, "says that lines before it were missing when the gateway started")
            )
        half = None
        if parsed.prev != expected:
            problems.append(Problem(number, "does not follow the line before: lines are missing or moved"))
        expected = parsed.hash
        if anchor is not None and number == anchor.lines:
            anchored = parsed.hash == anchor.head
            if not anchored:
                problems.append(Problem(number, "is not the line whose hash the attempt's status holds"))
        if not raw.endswith(b"\n"):
            problems.append(Problem(number, "has lost its end"))
    if half is not None:
        problems.append(Problem(number, "is cut short, and nothing behind it says why"))
    if anchor is not None and not anchored and number < anchor.lines:
        problems.append(
            Problem(number, f"is the last; expected at least {anchor.lines}, as the attempt's status says")
        )
    return Check(number, expected, recovered, problems, anchored)


def _knows(parsed: Parsed | None, half: bytes) -> bool:
    return (
        parsed is not None
        and parsed.fields.get("event") == RECOVERED
        and parsed.fields.get("cut") == cut(half)
    )
