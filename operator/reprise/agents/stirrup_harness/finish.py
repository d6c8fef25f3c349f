"""The finish tool: the list of root causes, checked for its shape only, and handed in."""

import asyncio
from typing import Any

from pydantic import BaseModel, Field, model_validator
from stirrup.core.models import Tool, ToolResult

from reprise.agents.http_door import HttpDoor
from reprise.agents.protocol import DoorError
from reprise.agents.stirrup_harness.record import through_door

_DESCRIPTION = (
    "Hand in the root causes and end. All of them, and nothing that only suffers: name the Kubernetes "
    "objects that somebody would have to change. An empty list says that nothing is wrong. The first list "
    "that has the right form is final."
)


class Entity(BaseModel):
    """One root cause."""

    name: str = Field(description="namespace/Kind/name, or Kind/name for what has no namespace")
    reasoning: str = Field(default="", description="the evidence, in a sentence")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class Findings(BaseModel):
    """What the investigation has come to."""

    entities: list[Entity] = Field(description="the root causes, most certain first")
    summary: str = Field(default="", description="what happened, in a few sentences")


def misshapen(findings: Findings) -> list[str]:
    """What is wrong with the form. Whether anything is right or even there is not looked at."""
    return [
        f"entities[{index}]: expected namespace/Kind/name or Kind/name, found {entity.name[:200]!r}"
        for index, entity in enumerate(findings.entities)
        if not 2 <= len([part for part in entity.name.split("/") if part.strip()]) <= 3
        or entity.name.count("/") > 2
    ]


def tool(door: HttpDoor) -> Tool[Findings, None]:
    """The tool `finish`. What the gateway finds malformed goes back to the model."""

    async def execute(findings: Findings) -> ToolResult[None]:
        problems = misshapen(findings)
        if problems:
            return ToolResult(content="not handed in: " + "; ".join(problems), success=False)
        body = {
            "entities": [entity.model_dump() for entity in findings.entities],
            "summary": findings.summary,
        }
        try:
            await asyncio.to_thread(through_door, door.submit_document, body)
        except DoorError as exc:
            # 409: the agent has handed in through the shell before.
            if exc.status == 409:
                return ToolResult(content="handed in before; that stands")
            return ToolResult(content=f"not handed in: {exc}", success=False)
        return ToolResult(content="handed in")

    return Tool(name="finish", description=_DESCRIPTION, parameters=Findings, executor=execute)
