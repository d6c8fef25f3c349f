"""Target `promql`: does anything pass the gateway that reads samples from before the window?

The gateway's check works on the text with regular expressions. Here the text is cut into tokens the way that
Prometheus' own lexer does it (promql/parser/lex.go), and what its offsets, ranges and times add up to is
compared. Only texts that the lexer takes are judged: Prometheus refuses the others.
"""

import math
import re
from datetime import UTC, datetime

from reprise.domain import errors
from reprise.gateway import jaeger, prometheus, promql
from tests.fuzz.draw import Draw
from tests.fuzz.oracle import Leak
from tests.fuzz.redacting import NOW, START, VIEWS

_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+(?![\w])")
_WORD = re.compile(r"[a-zA-Z_:][\w:]*", re.ASCII)
PIECES = (
    "up", " ", "offset ", "OFFSET\t", "5m", "[5m]", "[1h:1m]", "[", "]", "1e6", "0x10000", "1_000_000", "10d",
    "@ ", "@", "1767355800", "start()", "end()", "1.7e9", "#", "\r", "\n", '"', "'", "`", "\\", "{", "}",
    "(", ")", "-", "rate(", "[9d]", "offset 9d", ":", "5", ".", "1h30m", "y",
    'a="b"', "sum by (x) (", "+", ",",
)  # fmt: skip


class Refused(Exception):
    """The lexer does not take the text."""


def tokens(text: str) -> list[str]:
    """Texts of the tokens that matter, strings and comments left out. Raises Refused."""
    found, at = [], 0
    while at < len(text):
        char = text[at]
        if char in " \t\r\n":
            at += 1
        elif char == "#":
            while at < len(text) and text[at] not in "\r\n":
                at += 1
        elif char in "\"'`":
            at = _after_string(text, at)
            found.append('""')
        elif match := _DURATION.match(text, at) or _NUMBER.match(text, at) or _WORD.match(text, at):
            found.append(match[0])
            at = match.end()
            if not _WORD.match(match[0]) and text[at : at + 1] and _WORD.match(text[at]):
                raise Refused("a number that goes on in letters")
        elif char.isascii() and char.isprintable():
            found.append(char)
            at += 1
        else:
            raise Refused(char)
    return found


def _after_string(text: str, at: int) -> int:
    quote, at = text[at], at + 1
    while at < len(text) and text[at] != quote:
        if quote != "`" and text[at] == "\n":
            raise Refused("a string across lines")
        at += 2 if text[at] == "\\" and quote != "`" else 1
    if at >= len(text):
        raise Refused("a string without end")
    return at + 1


def seconds(token: str) -> float | None:
    """Of a duration, or of a number that stands for one; None for another token."""
    if _DURATION.fullmatch(token):
        return sum(int(n) * _UNIT[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", token))
    if not _NUMBER.fullmatch(token):
        return None
    plain = token.replace("_", "")
    try:
        return float(int(plain, 16)) if plain[:2].lower() == "0x" else float(plain)
    except (ValueError, OverflowError):
        return None


def furthest(found: list[str], begin: datetime) -> float:
    """How far before `begin` any one offset, range or time alone goes, in seconds: a lower bound of what all
    of them together do."""
    most = 0.0
    for index, token in enumerate(found):
        after = found[index + 1] if index + 1 < len(found) else ""
        if token.lower() == "offset" or token == "[":
            most = max(most, seconds(after) or 0.0)
        if token == "@" and (when := seconds(after)) is not None and math.isfinite(when):
            most = max(most, begin.timestamp() - when)
    return most


def promql_target(data: bytes) -> None:
    draw = Draw(data)
    pieces = []
    begin = (START, NOW)[draw.below(2)]
    while not draw.is_empty:
        choice = draw.byte()
        pieces.append(PIECES[choice % len(PIECES)] if choice < 240 else chr(draw.byte()))
    text = "".join(pieces)
    try:
        promql.check_reach(text, begin, START)
    except errors.InvalidInput:
        return
    try:
        reach = furthest(tokens(text), begin)
    except Refused:
        return
    allowed = max(promql.GRACE_SECONDS, (begin - START).total_seconds())
    if reach > allowed + 1:
        raise Leak(f"{text!r} at {begin} reaches {reach:.0f} s back, {allowed:.0f} s are allowed")


def parameters_target(data: bytes) -> None:
    """Query parameters of Prometheus and Jaeger: times stay in the window, whatever is asked for."""
    draw = Draw(data)
    view = VIEWS[draw.below(2)]
    endpoint = ("query", "query_range", "series", "labels", "label/x/values", "rules")[draw.below(6)]
    names = ("query", "time", "start", "end", "step", "match[]", "limit", "timeout", "rule_name[]")
    given = [(names[draw.below(len(names))], _value(draw)) for _ in range(draw.below(6))]
    taken = prometheus.ENDPOINTS.get(endpoint, ("match[]", "start", "end", "limit"))
    given = [(name, value) for name, value in given if name in taken]
    try:
        sent = prometheus.bounded(view, given, endpoint, NOW)
    except errors.InvalidInput:
        sent = []
    for name, value in sent:
        if name in ("start", "time", "end") and endpoint != "rules":
            _inside(value, name)
    try:
        asked = dict(jaeger.search(view, {names[draw.below(5)]: _value(draw), "limit": _value(draw)}, NOW))
    except errors.InvalidInput:
        return
    if int(asked["start"]) < START.timestamp() * 1e6 or not 0 <= int(asked["limit"]) <= jaeger.MAX_TRACES:
        raise Leak(f"a search before the window: {asked}")


def _value(draw: Draw) -> str:
    choice = draw.byte()
    numbers = ("0", "-1", "1e400", "nan", "9" * 30, "1767355800", "9" * 5000, "1767355800000000", "٣", "1e11")
    return numbers[choice % len(numbers)] if choice < 120 else draw.text()


def _inside(text: str, name: str) -> None:
    when = datetime.fromisoformat(text).astimezone(UTC)
    if when < START or (name != "end" and when > NOW):
        raise Leak(f"{name}={text} is outside of the window")
