"""Every tool, and one call of one of them from arguments to a page of text."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from reprise.gateway.session import Session
from reprise.gateway.tools import (
    answer,
    changes,
    events,
    logs,
    metrics,
    pages,
    resources,
    topology,
    traces,
)
from reprise.gateway.tools.call import Call, Reads
from reprise.gateway.tools.schema import ASIDE, PagedArguments, Tool

TOOLS: Mapping[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        *resources.TOOLS,
        *logs.TOOLS,
        *events.TOOLS,
        *metrics.TOOLS,
        *traces.TOOLS,
        *topology.TOOLS,
        *changes.TOOLS,
        *answer.TOOLS,
    )
}


async def run(tool: Tool[Any], given: dict[str, Any], session: Session, reads: Reads, now: datetime) -> str:
    """One page of the answer. Raises ToolError, and what the gateway's routes raise."""
    arguments = tool.parse(given)
    if not isinstance(arguments, PagedArguments):
        return await tool.run(Call(session, reads, now), arguments)
    question = pages.key(tool.name, arguments.model_dump(exclude=set(ASIDE)))
    begin = pages.Cursor(0, "", now, {})
    if arguments.cursor:
        begin = pages.decode(question, arguments.cursor)
        begin = replace(begin, now=min(begin.now, now))
    call = Call(session, reads, begin.now, dict(begin.pins), is_first_page=not arguments.cursor)
    text = await tool.run(call, arguments)
    return pages.cut(question, text, replace(begin, pins=call.pins), arguments.max_bytes)
