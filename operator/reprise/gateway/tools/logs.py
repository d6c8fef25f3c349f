"""logs."""

import asyncio
from typing import Any

from pydantic import Field

from reprise.domain import errors, log_lines, redaction
from reprise.domain.log_lines import Line
from reprise.gateway.tools.call import MAX_LOG_BYTES, Call, ToolError, text_of
from reprise.gateway.tools.schema import NAME, Namespace, PagedArguments, Since, Tool

# What is looked through when lines are filtered or folded.
SEARCHED_LINES = 10_000


class LogsArguments(PagedArguments):
    pod: str = Field(pattern=NAME, examples=["cart-5d9c7b-x2x4z"])
    namespace: Namespace = ""
    container: str = Field("", pattern=r"^[a-z0-9]?([-a-z0-9]{0,61}[a-z0-9])?$", examples=["cart"])
    previous: bool = Field(False, description="Of the container's last run, before it was restarted.")
    since: Since = ""
    tail: int = Field(200, ge=1, le=SEARCHED_LINES, description="The last so many lines (after filtering).")
    grep: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Only lines that hold one of these texts. Plain text, no regular expressions.",
        examples=[["error", "refused"]],
    )
    ignore_case: bool = True
    invert: bool = Field(False, description="Only lines that hold none of the texts in `grep`.")
    dedupe: bool = Field(
        False,
        description="Lines that differ in numbers, ids and times only come once, with a count, first and "
        "last time.",
    )


async def logs(call: Call, given: LogsArguments) -> str:
    if given.namespace == "*":
        raise ToolError(400, "namespace: expected the pod's namespace, found '*'")
    if given.invert and not given.grep:
        raise ToolError(400, "invert: expected texts in `grep` whose lines are to be left out, found none")
    namespace = given.namespace or call.namespace
    since = call.pins.get("since") or text_of(call.time(given.since, "since", call.start))
    filtered = bool(given.grep) or given.dedupe
    wanted = SEARCHED_LINES if filtered or "since" in call.pins else given.tail
    query = {"timestamps": "true", "tailLines": str(wanted), "sinceTime": since}
    if given.container:
        query["container"] = given.container
    if given.previous:
        query["previous"] = "true"
    try:
        text = await call.reads.raw(f"/api/v1/namespaces/{namespace}/pods/{given.pod}/log", query, "*/*")
    except errors.Refused as exc:
        raise ToolError(
            413,
            f"the {wanted} lines are more than {MAX_LOG_BYTES >> 20} MiB; ask for a later `since`, "
            "or, without grep and dedupe, for a smaller `tail`",
        ) from exc
    until = call.pins.get("until", "")
    read = [line for line in log_lines.parse(text.decode(errors="replace")) if _is_within(line, since, until)]
    kept = log_lines.matching(read, given.grep, given.ignore_case, given.invert)
    shown = kept[-given.tail :]
    if shown:
        call.pins.setdefault("since", shown[0].time or since)
        call.pins.setdefault("until", read[-1].time)
    head = f"{len(shown)} lines"
    if filtered:
        head = f"{len(shown)} of {len(kept)} matching lines of the {len(read)} read"
    limit = f"; only the last {wanted} lines were looked through" if filtered and len(read) >= wanted else ""
    head += f", pod {namespace}/{given.pod}{limit}, oldest first\n"
    if given.dedupe:
        return head + "\n".join(map(_folded, await asyncio.to_thread(log_lines.fold, shown)))
    return head + "\n".join(f"{line.time} {line.text}".strip() for line in shown)


def _is_within(line: Line, since: str, until: str) -> bool:
    """Whether a line belongs to this answer; the kubelet takes `sinceTime` to the second only."""
    time, begin, end = (redaction.parse_time(text) for text in (line.time, since, until))
    return time is None or ((begin is None or time >= begin) and (end is None or time <= end))


def _folded(one: log_lines.Folded) -> str:
    if one.count == 1:
        return f"x1  {one.last.time}  {one.last.text}"
    return f"x{one.count}  {one.first} .. {one.last.time}  {one.last.text}"


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "logs",
        "Container logs",
        "Lines of a container's log with their times, filtered and folded when asked for. A pod with several "
        "containers needs `container`; the error names them. "
        'Example: {"pod": "cart-5d9c7b-x2x4z", "grep": ["error", "timeout"], "dedupe": true, "since": "10m"}',
        LogsArguments,
        logs,
    ),
)
