"""Attempts for people and as JSON: lists, the trail turn by turn, truth beside submission."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reprise.adapters.kube import Json
from reprise.adapters.wire import model
from reprise.cli.attempt_data import Cause, Found, Why
from reprise.domain import chain, evidence, truth
from reprise.domain.trail import Call

_TEXT = 160


# -- list -------------------------------------------------------------------------------------------


def row(obj: Mapping[str, Any]) -> Json:
    """One attempt of a list. What is not known is None."""
    spec, status = obj["spec"], obj.get("status") or {}
    verdict, usage = spec.get("verdict") or {}, status.get("usage") or {}
    started, ended = status.get("startedAt"), status.get("submittedAt") or status.get("endedAt")
    seconds = (
        (model.parse_time(ended) - model.parse_time(started)).total_seconds() if started and ended else None
    )
    return {
        "attempt": f"{spec['run']['name']}/{spec['index']}",
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "agent": spec["agent"]["kind"],
        "phase": verdict.get("phase") or status.get("phase") or "Pending",
        "reason": verdict.get("reason") or status.get("message") or "",
        "score": verdict.get("score"),
        "requests": status.get("requests"),
        "denied": status.get("denied"),
        "turns": status.get("turns"),
        "tokens": usage.get("tokensIn", 0) + usage.get("tokensOut", 0) if usage else None,
        "costUSD": usage.get("costUSD"),
        "seconds": seconds,
    }


def table(rows: Sequence[Json]) -> str:
    """The list for people."""
    if not rows:
        return "no attempts"
    columns = (
        "attempt",
        "agent",
        "phase",
        "score",
        "requests",
        "turns",
        "tokens",
        "costUSD",
        "seconds",
        "reason",
    )
    cells = [[*(_cell(item[name]) for name in columns)] for item in rows]
    heads = [name.upper() for name in columns]
    widths = [max(len(line[at]) for line in [heads, *cells]) for at in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *cells]
    )


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.3g}" if value < 10 else f"{value:.1f}"
        case _:
            return _clean(value)[:60]


# -- show -------------------------------------------------------------------------------------------


def check_json(found: chain.Check, anchor: chain.Anchor | None) -> Json:
    return {
        "whole": found.whole,
        "lines": found.lines,
        "head": found.head,
        "anchored": anchor is not None and found.anchored,
        "recovered": list(found.recovered),
        "problems": [{"line": problem.line, "problem": problem.text} for problem in found.problems],
    }


def check_lines(found: chain.Check, anchor: chain.Anchor | None) -> Iterator[str]:
    """The state of a chain: one line when it is whole, every problem otherwise."""
    if found.whole:
        held = (
            f"held to the attempt's status at line {anchor.lines}"
            if anchor
            else "not held to an attempt's status: lines missing at the end would not show"
        )
        yield f"whole: {found.lines} lines, head {found.head[:16]}, {held}"
    else:
        yield from (str(problem) for problem in found.problems)
        yield f"not whole: {len(found.problems)} problems in {found.lines} lines"
    for number in found.recovered:
        yield f"line {number}: the gateway found the line before cut short by a crash, and went on"


def show_json(found: Found) -> Json:
    trail = found.trail
    return {
        "attempt": row(found.obj) if found.obj else {"uid": found.uid},
        "budgets": dict(found.spec.get("budgets") or {}),
        "submission": found.submission,
        "trail": check_json(found.check(), found.anchor) if found.lines is not None else None,
        "events": [vars(event) for event in trail.events],
        "turns": [
            {"turn": turn, "calls": [_call_json(call) for call in calls]} for turn, calls in trail.turns()
        ],
    }


def _call_json(call: Call) -> Json:
    return {
        "seq": call.seq,
        "time": model.format_time(call.time),
        "tool": call.tool,
        "call": call.what,
        "path": call.path,
        "arguments": dict(call.arguments),
        "status": call.status,
        "bytes": call.bytes,
        "digest": call.digest,
        "durationSeconds": call.duration_seconds,
        "refused": call.refused or None,
        "justification": call.justification or None,
        "usage": vars(call.usage) if call.usage else None,
        "ended": call.ended,
    }


def show_text(found: Found) -> str:
    """The trail for people: budget, each turn's calls, the submission."""
    lines = [*_head(found), ""]
    if found.lines is None:
        return "\n".join([*lines, f"no audit trail here: {found.path}", *_submission(found)])
    trail = found.trail
    for turn, calls in trail.turns():
        lines.append(f"Turn {_clean(turn)}" if turn else "Without a turn")
        for call in calls:
            lines += _call_lines(call)
    refused = sum(1 for call in trail.calls if call.refused)
    size = sum(call.bytes for call in trail.calls)
    lines += ["", f"{len(trail.calls)} calls, {refused} refused, {_size(size)} answered"]
    if trail.unread:
        lines.append(f"{trail.unread} lines could not be read")
    lines += [f"trail  {line}" for line in check_lines(found.check(), found.anchor)]
    return "\n".join([*lines, *_submission(found)])


def _head(found: Found) -> Iterator[str]:
    score = found.verdict.get("score")
    shown = "unscored" if score is None else f"score {score:.2f}"
    yield f"Attempt {found.name}: {found.phase}, {shown}" + (
        f" ({_clean(found.reason)})" if found.reason else ""
    )
    budgets, status = found.spec.get("budgets") or {}, found.status
    usage = status.get("usage") or {}
    used = (
        ("requests", status.get("requests", 0), budgets.get("requests")),
        ("turns", status.get("turns"), budgets.get("turns")),
        ("tokens", usage.get("tokensIn", 0) + usage.get("tokensOut", 0) or None, budgets.get("tokens")),
        ("USD", usage.get("costUSD"), budgets.get("costUSD")),
        ("seconds", row(found.obj)["seconds"] if found.obj else None, budgets.get("wallClockSeconds")),
    )
    parts = [
        f"{_cell(value)}{f' of {_cell(limit)}' if limit is not None else ''} {name}"
        for name, value, limit in used
        if value is not None or limit is not None
    ]
    if found.obj:
        yield f"  used  {', '.join(parts)}"


def _call_lines(call: Call) -> Iterator[str]:
    result = f"{call.status}  {_size(call.bytes):>9}  {call.duration_seconds:7.3f} s"
    asked = "&".join(f"{name}={value}" for name, value in call.arguments.items())
    text = f"{call.what}{'?' if asked else ''}{asked}"
    yield f"  {call.time:%H:%M:%S}  {call.tool:<10}  {result}  {_clean(text)[:_TEXT]}"
    if call.refused:
        yield f"            refused: {_clean(call.refused)[:_TEXT]}"
    if call.justification:
        yield f"            because: {_clean(call.justification)[:_TEXT]}"
    if not call.ended:
        yield "            a stream whose end was not recorded"


def _submission(found: Found) -> Iterator[str]:
    yield ""
    yield f"Submitted {found.status.get('submittedAt', '')}".rstrip()
    if found.submission is None:
        yield "  nothing"
    elif not found.submission:
        yield "  that nothing is wrong"
    else:
        yield from (f"  {text}" for text in found.submission)


def _clean(value: object) -> str:
    """What an agent wrote, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value))


def _size(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.1f} GiB"


# -- why --------------------------------------------------------------------------------------------


def why_json(why: Why) -> Json:
    started = why.found.status.get("startedAt")
    return {
        "attempt": row(why.found.obj or {}),
        "truth": truth.to_json(truth.Truth(tuple(item.cause for item in why.causes))),
        "submission": why.found.submission,
        "score": why.score.to_json() if why.score else None,
        "found": [_cause_json(item, started) for item in why.causes if item.named_as],
        "missed": [_cause_json(item, started) for item in why.causes if not item.named_as],
        "wrong": [
            {"entity": str(item.entity), "blame": str(item.blame), "why": item.why} for item in why.wrong
        ],
        "trail": why.found.lines is not None,
    }


def _cause_json(item: Cause, started: str | None) -> Json:
    return {
        "entity": str(item.cause.entity),
        "namedAs": str(item.named_as) if item.named_as else None,
        "evidence": _evidence_json(item.evidence, started) if item.evidence else None,
    }


def _evidence_json(found: evidence.Evidence, started: str | None) -> Json:
    call = found.call
    return {
        "time": model.format_time(call.time),
        "secondsIn": _seconds_in(call, started),
        "seq": call.seq,
        "turn": call.turn or None,
        "call": call.what,
        "entity": str(found.entity),
        "how": found.how.name.lower(),
    }


def _seconds_in(call: Call, started: str | None) -> float | None:
    return round((call.time - model.parse_time(started)).total_seconds(), 3) if started else None


def why_text(why: Why) -> str:
    """Truth beside submission for people."""
    lines = [*_head(why.found), ""]
    has_trail = why.found.lines is not None
    started = why.found.status.get("startedAt")
    if not why.causes:
        lines.append("truth   nothing is wrong: the right answer is empty")
    for item in why.causes:
        lines.append(f"{'found ' if item.named_as else 'missed'}  {item.cause.entity}")
        if item.named_as and item.named_as != item.cause.entity:
            lines.append(f"          named as {item.named_as}")
        lines.append(f"          {_evidence_text(item.evidence, started, has_trail)}")
    for wrong in why.wrong:
        lines += [f"wrong   {wrong.entity}", f"          {wrong.blame}: {wrong.why}"]
    if why.found.submission is None:
        lines.append("nothing was submitted")
    return "\n".join(lines)


def _evidence_text(found: evidence.Evidence | None, started: str | None, has_trail: bool) -> str:
    if not has_trail:
        return "when it was seen is not known: the audit trail is not here"
    if found is None:
        return "never asked for"
    seconds = _seconds_in(found.call, started)
    place = [f"{found.call.time:%H:%M:%S}"]
    if seconds is not None:
        place.append(f"{seconds:.1f} s in")
    if found.call.turn:
        place.append(f"turn {_clean(found.call.turn)}")
    return f"in its hands at {', '.join(place)}: {_clean(found.call.what)} ({found.how})"
