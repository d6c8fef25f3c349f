"""Lines of a container's log: filtered by plain words, repeated ones folded into one with a count.

NB: no regular expression of an agent's is ever run: one with catastrophic backtracking would stop the gateway
for everybody.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What differs between lines that say the same: ids, numbers, times, addresses.
_VARIABLE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{12,}\b"
    r"|\d+(?:[.:,T/-]\d+)*"
)


@dataclass(frozen=True)
class Line:
    """`time` as the kubelet wrote it (RFC 3339 with nanoseconds), empty where there was none."""

    time: str
    text: str


@dataclass(frozen=True)
class Folded:
    """Lines that say the same: how many, from when to when, and the last of them."""

    count: int
    first: str
    last: Line


def parse(text: str) -> list[Line]:
    """The lines of a log that was asked for with timestamps."""
    found = []
    for line in text.splitlines():
        time, space, rest = line.partition(" ")
        stamped = bool(space) and time[:4].isdigit() and time.endswith("Z") and "T" in time
        found.append(Line(time, rest) if stamped else Line("", line))
    return found


def matching(lines: Iterable[Line], words: Sequence[str], ignore_case: bool, invert: bool) -> list[Line]:
    """The lines that hold any of the words, or with `invert` none; all of them when no word is given."""
    if not words:
        return list(lines)
    wanted = [word.lower() for word in words] if ignore_case else list(words)
    found = []
    for line in lines:
        text = line.text.lower() if ignore_case else line.text
        if any(word in text for word in wanted) != invert:
            found.append(line)
    return found


def pattern(text: str) -> str:
    """The line without what varies from one time to the next."""
    return _VARIABLE.sub("#", text)


def fold(lines: Iterable[Line]) -> list[Folded]:
    """Lines of one pattern, wherever they stand, as one entry; in the order of their last appearance."""
    groups: dict[str, Folded] = {}
    for line in lines:
        key = pattern(line.text)
        known = groups.pop(key, None)
        groups[key] = Folded(known.count + 1, known.first, line) if known else Folded(1, line.time, line)
    return list(groups.values())
