"""A first look at PromQL: enough to catch slips of the pen where a scenario is written.

Prometheus itself has the last word; this finds what would otherwise show only when a run has injected its
fault.
"""

import re

_PAIRS = {")": "(", "]": "[", "}": "{"}
_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    | (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:.]*|\$namespace)
    | (?P<operator>==|!=|=~|!~|<=|>=|[-+*/%^<>=@,:])
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    """,
    re.VERBOSE,
)
_WORDS = frozenset(
    {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset"}
)
_BINARY = frozenset({"==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^"})


def problem(query: str) -> str:
    """What is wrong with the expression, with the column; "" when nothing was found."""
    opened: list[tuple[str, int]] = []
    names = 0
    last = ""
    position = 0
    while position < len(query):
        match = _TOKEN.match(query, position)
        if not match:
            return f"expected PromQL, found {query[position]!r} at column {position + 1}"
        kind, text = str(match.lastgroup), match[0]
        if kind == "open":
            opened.append((text, position))
        elif kind == "close":
            if not opened or opened.pop()[0] != _PAIRS[text]:
                return f"expected brackets that match, found {text!r} at column {position + 1}"
        elif kind == "name" and text not in _WORDS:
            names += 1
        if text in _BINARY - {"-", "+"} and last in _BINARY | {"", "("}:
            return f"expected something before {text!r} at column {position + 1}"
        if kind != "space":
            last = text
        position = match.end()
    if opened:
        bracket, column = opened[-1]
        return f"expected {bracket!r} at column {column + 1} to be closed"
    if last in _BINARY:
        return f"expected something after {last!r} at the end"
    return "" if names else "expected the name of a metric, found none"
