"""attempt, submit."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from reprise.gateway import reply
from reprise.gateway import submit as submissions
from reprise.gateway.tools.call import Call, ToolError, message_of
from reprise.gateway.tools.schema import Arguments, Tool

Json = Mapping[str, Any]


class AttemptArguments(Arguments):
    pass


class SubmitArguments(Arguments):
    entities: list[str | dict[str, Any]] = Field(
        max_length=1000,
        description="The root causes, each as 'namespace/Kind/name' ('Kind/name' for what has no namespace) "
        "or as an object with kind, namespace and name. Empty when nothing is wrong.",
        examples=[["otel-demo/Deployment/cart"], ["Node/worker-1"], []],
    )


async def attempt(call: Call, _: AttemptArguments) -> str:
    task = await call.reads.raw("/instructions")
    state = await call.reads.json("/attempt")
    return (
        f"{task.decode()}\nThrough tools: each call counts as one request, `attempt` and `submit` are free; "
        f"answer with the tool `submit`.\n\n{json.dumps(state, indent=1, ensure_ascii=False)}"
    )


async def submit(call: Call, given: SubmitArguments) -> str:
    entities = [{"name": one} if isinstance(one, str) else one for one in given.entities]
    body = json.dumps({"entities": entities}).encode()
    answer: web.Response = await submissions.accept(body, call.session)
    data = answer.body if isinstance(answer.body, bytes) else b""
    if answer.status != 200:
        raise ToolError(answer.status, message_of(data), bool(answer.get(reply.REFUSAL)))
    stored = json.loads(data)["entities"]
    return f"accepted, and final: {', '.join(stored) or 'nothing is wrong'}"


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "attempt",
        "The task, and what is left",
        "The task in words, the window, the namespaces, and how many requests and seconds are left. Free.",
        AttemptArguments,
        attempt,
    ),
    Tool(
        "submit",
        "Submit the answer",
        "Hand in the root causes. The first answer that is accepted is final; a malformed one is refused "
        'with the reason and does not count. Example: {"entities": ["otel-demo/Deployment/cart"]}',
        SubmitArguments,
        submit,
        is_read_only=False,
    ),
)
