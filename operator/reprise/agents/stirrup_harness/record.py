"""Every message of an attempt as a JSON line when it happens, and the turn and usage told to the gateway."""

import json
from types import TracebackType
from typing import Any, Self

from stirrup.core.models import joined_text, reasoning_blocks, tool_call_blocks
from stirrup.utils.logging import AgentLoggerBase

from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError
from reprise.agents.stirrup_harness.failures import Ended, Infrastructure
from reprise.agents.stirrup_harness.settings import Price
from reprise.agents.stirrup_harness.usage import Usage


class Account:
    """What was used so far; the gateway gets it with every request, and at least once a turn."""

    def __init__(self, door: HttpDoor, price: Price | None) -> None:
        self._door = door
        self._price = price
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        self.usage += usage
        self._door.standing_headers |= self.usage.headers(self._price)

    def turn(self, number: int) -> None:
        """Report a turn. Raises Ended when the attempt is over, Infrastructure when the gateway is away."""
        self._door.standing_headers["X-Turn"] = str(number)
        through_door(self._door.attempt)


def through_door(call: Any, *arguments: Any) -> Any:
    """Call the gateway and say whose fault a refusal is.

    Raises Ended, Infrastructure, and DoorError for what is left: 400, 409.
    """
    try:
        return call(*arguments)
    except DoorError as exc:
        if exc.status in (401, 410, 429):
            raise Ended(str(exc)) from exc
        if exc.status == 0 or exc.status >= 500:
            raise Infrastructure(f"gateway: {exc}") from exc
        raise


class Record(AgentLoggerBase):  # type: ignore[misc] # stirrup is not where types are checked
    """Stirrup calls it at every message."""

    def __init__(self, journal: Journal, account: Account) -> None:
        super().__init__()
        self._journal = journal
        self._account = account
        self.name = "agent"
        self.depth = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def on_step(self, step: int, tool_calls: int = 0, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Everything that it would say is told at its message."""

    def assistant_message(self, turn: int, max_turns: int, assistant_message: Any) -> None:
        message = assistant_message
        self._journal.note(
            "assistant",
            turn=turn,
            text=joined_text(message.blocks) or "",
            reasoning="".join(block.content or "" for block in reasoning_blocks(message.blocks)),
            calls=[
                {"id": call.tool_call_id, "tool": call.name, "arguments": call.arguments}
                for call in tool_call_blocks(message.blocks)
            ],
            tokens={"in": message.token_usage.input, "out": message.token_usage.output},
            **message.metadata,
        )
        self._account.turn(turn)

    def user_message(self, user_message: Any) -> None:
        self._journal.note("user", text=_text(user_message.content))

    def task_message(self, task: Any) -> None:
        self._journal.note("task", text=_text(task))

    def tool_result(self, tool_message: Any) -> None:
        self._journal.note(
            "tool",
            id=tool_message.tool_call_id,
            tool=tool_message.name,
            success=tool_message.success,
            valid=tool_message.args_was_valid,
            seconds=round(tool_message.tool_duration or 0.0, 3),
            text=_text(tool_message.content),
        )

    def context_summarization_start(self, pct_used: float, cutoff: float) -> None:
        self._journal.note("summarise", used=round(pct_used, 3), cutoff=cutoff)

    def context_summarization_complete(self, summary: str, bridge: str) -> None:
        self._journal.note("summary", text=summary)

    def debug(self, message: str, *args: object) -> None:
        """Stirrup's debugging is no part of the record."""

    def info(self, message: str, *args: object) -> None:
        self._journal.note("info", text=message % args if args else message)

    def warning(self, message: str, *args: object) -> None:
        self._journal.note("warning", text=message % args if args else message)

    def error(self, message: str, *args: object) -> None:
        self._journal.note("error", text=message % args if args else message)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, default=str)
