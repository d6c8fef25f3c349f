"""The file: one step a line, in order.

    {"path": "/api/v1/pods?limit=5", "method": "GET", "turn": 1, "justification": "why"}
    {"submit": {"entities": [...]}, "turn": 2}                   the answer, as it is sent
    {"outcome": "ContextExhausted", "message": "why"}            an end without an answer

Only `path` is needed for a call; other keys are left alone, so that a gateway's audit trail is a
trajectory, too. Lines for `/submit` and `/outcome` of a trail say nothing of what was sent, and are left out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ANSWERS = ("/submit", "/outcome")


@dataclass(frozen=True)
class Call:
    """A request, to be sent whatever its answer was."""

    method: str
    path: str
    turn: str = ""
    justification: str = ""


@dataclass(frozen=True)
class Submission:
    document: Any
    turn: str = ""


@dataclass(frozen=True)
class Outcome:
    name: str
    message: str


Step = Call | Submission | Outcome


def parse(lines: Iterable[str]) -> tuple[Step, ...]:
    """The steps. Raises ValueError with every problem."""
    steps: list[Step] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            step = _step(json.loads(line))
        except ValueError as exc:
            problems.append(f"line {number}: {exc}")
            continue
        if step is not None:
            steps.append(step)
    if not steps and not problems:
        problems.append("expected at least one step, found none")
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(steps)


def _step(entry: Any) -> Step | None:
    if not isinstance(entry, Mapping):
        raise ValueError(f"expected an object, found {type(entry).__name__}")
    turn = str(entry.get("turn", ""))
    if "submit" in entry:
        return Submission(entry["submit"], turn)
    if "outcome" in entry:
        return Outcome(str(entry["outcome"]), str(entry.get("message", "")))
    path = entry.get("path")
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError('expected "submit", "outcome", or a "path" that begins with /')
    method = str(entry.get("method", "GET")).upper()
    return None if path in _ANSWERS else Call(method, path, turn, str(entry.get("justification", "")))
