"""The model behind an OpenAI-compatible endpoint, as Stirrup asks for it (its protocol `LLMClient`).

Stirrup's own client neither streams nor reports cached tokens, and knows a full context by OpenAI's error
code only; so this one speaks to the endpoint itself, in Stirrup's conversions of messages and tools.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai
from stirrup.clients.utils import to_openai_messages, to_openai_tools
from stirrup.core.exceptions import ContextOverflowError
from stirrup.core.models import AssistantMessage, ReasoningBlock, TextBlock, TokenUsage, ToolCall

from reprise.agents.stirrup_harness.failures import Ended, Infrastructure, Rejected
from reprise.agents.stirrup_harness.settings import Settings
from reprise.agents.stirrup_harness.usage import Usage

# How compatible servers (OpenAI, vLLM, llama.cpp, Ollama, OpenRouter) say that a prompt is too long.
_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|context window|exceed\w* (the )?(available )?context|"
    r"prompt is too long|too many tokens",
    re.IGNORECASE,
)
# An attempt that its endpoint held up is reported this long before the gateway ends it.
SPARE_SECONDS = 5.0


@dataclass
class _Answer:
    """What one answer has come to so far. `calls`: index → [id, name, arguments]."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, list[str]] = field(default_factory=dict)
    usage: Any = None
    finish: str = ""
    begun: bool = False


class _BrokenOff(Exception):
    """An answer that had begun did not come to its end."""


class Model:
    """Counts what it uses and tells `used` after every answer."""

    def __init__(self, settings: Settings, used: Callable[[Usage], None], deadline: float) -> None:
        """`deadline`: when the wall clock of the attempt ends, by time.monotonic()."""
        self._settings = settings
        self._used = used
        self._deadline = deadline
        self._answered = False
        self._client = openai.AsyncOpenAI(
            base_url=settings.endpoint,
            # The library insists on a key; endpoints without one do not look at it.
            api_key=settings.key or "none",
            timeout=settings.timeout_seconds,
            max_retries=settings.retries,
            # No proxies from the environment: the endpoint is the only thing that can be reached.
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        )

    @property
    def model_slug(self) -> str:
        return self._settings.model

    @property
    def context_window_tokens(self) -> int:
        return self._settings.context_tokens

    async def generate(self, messages: Sequence[Any], tools: Mapping[str, Any]) -> AssistantMessage:
        """One answer. Raises ContextOverflowError, Infrastructure, Rejected."""
        began = time.perf_counter()
        answer = await self._patiently(_request(self._settings, messages, tools))
        self._answered = True
        usage = _tokens(answer.usage)
        self._used(usage)
        blocks: list[Any] = []
        if answer.reasoning:
            blocks.append(ReasoningBlock(content="".join(answer.reasoning)))
        if text := "".join(answer.text):
            blocks.append(TextBlock(text=text))
        blocks += [
            # An endpoint that gives no ids gets ours back: the protocol wants one.
            ToolCall(tool_call_id=given or uuid.uuid4().hex, name=name, arguments=arguments)
            for _, (given, name, arguments) in sorted(answer.calls.items())
        ]
        return AssistantMessage(
            blocks=blocks,
            token_usage=TokenUsage(input=usage.given, answer=usage.made),
            metadata={"cached_tokens": usage.cached, "finish_reason": answer.finish},
            request_start_time=began,
            request_end_time=time.perf_counter(),
        )

    async def _patiently(self, request: dict[str, Any]) -> _Answer:
        """The library repeats what was refused for now; what breaks off halfway is repeated here."""
        began = time.monotonic()
        for left in range(self._settings.retries, -1, -1):
            try:
                async with asyncio.timeout(max(1.0, self._deadline - SPARE_SECONDS - time.monotonic())):
                    return await self._ask(request)
            except openai.APIStatusError as exc:
                raise self._refused(exc) from exc
            except (openai.APITimeoutError, TimeoutError) as exc:
                raise self._waited(time.monotonic() - began) from exc
            except openai.APIConnectionError as exc:
                why = exc.__cause__ or exc
                raise Infrastructure(f"{self._where()}: cannot be reached: {why}") from exc
            except openai.APIError as exc:
                # An error inside of a stream has no status; a full context is told that way, too.
                if _OVERFLOW.search(f"{exc.code or ''} {exc.message}"):
                    raise ContextOverflowError(exc.message) from exc
                raise Infrastructure(f"{self._where()}: {exc.message}") from exc
            except _BrokenOff as exc:
                if not left:
                    tries = self._settings.retries + 1
                    raise Infrastructure(f"{self._where()}: answers broke off {tries} times: {exc}") from exc
        raise AssertionError("the last round either returns or raises")

    async def _ask(self, request: dict[str, Any]) -> _Answer:
        answer = _Answer()
        if not self._settings.stream:
            whole = await self._client.chat.completions.create(**request)
            if not whole.choices:
                raise _BrokenOff("an answer without a choice")
            _take(answer, whole.choices[0].message, whole.choices[0].finish_reason)
            answer.usage = whole.usage
            return answer
        streamed = {**request, "stream": True, "stream_options": {"include_usage": True}}
        try:
            async with (
                await self._client.chat.completions.create(**streamed) as pieces,
                asyncio.timeout(self._settings.timeout_seconds),
            ):
                await _gather(pieces, answer)
        except openai.APIConnectionError as exc:
            # Refused connections were tried again by the library; what breaks after the first piece was not.
            if not answer.begun:
                raise
            raise _BrokenOff(str(exc.__cause__ or exc)) from exc
        except ValueError as exc:
            raise _BrokenOff(f"a piece that is no JSON: {exc}") from exc
        if not answer.finish:
            raise _BrokenOff("the stream ended before the answer did")
        return answer

    def _waited(self, seconds: float) -> Exception:
        """An endpoint that takes longer than it may is at fault, though the wall clock ends meanwhile."""
        if seconds < self._settings.timeout_seconds:
            return Ended("the wall clock ended before the model had answered")
        limit = self._settings.timeout_seconds
        return Infrastructure(
            f"{self._where()}: expected an answer within {limit:g} s, found none in {seconds:.0f} s"
        )

    def _refused(self, exc: openai.APIStatusError) -> Exception:
        """Whose fault a refusal is. Bad requests before the first answer are ours: a parameter that the
        endpoint does not know, say; later ones come from what the agent has made."""
        text = f"{exc.code or ''} {exc.message}"
        where = f"{self._where()}: {exc.status_code}"
        match exc.status_code:
            case 400 | 413 | 422 if _OVERFLOW.search(text):
                overflow: Exception = ContextOverflowError(text)
                return overflow
            case 401 | 403:
                return Infrastructure(f"{where}: expected a key that it takes, found: {exc.message}")
            case 400 | 413 | 422 if self._answered:
                return Rejected(f"{where}: {exc.message}")
            case _:
                return Infrastructure(f"{where}: {exc.message}")

    def _where(self) -> str:
        return f"model {self._settings.model} at {self._settings.endpoint}"


def _request(settings: Settings, messages: Sequence[Any], tools: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": settings.model,
        "messages": to_openai_messages(list(messages)),
        "max_completion_tokens": settings.output_tokens,
    }
    if tools:
        request |= {"tools": to_openai_tools(dict(tools)), "tool_choice": "auto"}
    return request


async def _gather(pieces: Any, answer: _Answer) -> None:
    async for piece in pieces:
        answer.begun = True
        answer.usage = piece.usage or answer.usage
        for choice in piece.choices[:1]:
            _take(answer, choice.delta, choice.finish_reason)


def _take(answer: _Answer, part: Any, finish: str | None) -> None:
    """Add a message, or a piece of one."""
    if part.content:
        answer.text.append(part.content)
    if reasoning := getattr(part, "reasoning_content", None):
        answer.reasoning.append(reasoning)
    for position, call in enumerate(part.tool_calls or ()):
        index = getattr(call, "index", None)
        known = answer.calls.setdefault(position if index is None else index, ["", "", ""])
        function = call.function
        known[0] = call.id or known[0]
        known[1] += (function and function.name) or ""
        known[2] += (function and function.arguments) or ""
    answer.finish = finish or answer.finish


def _tokens(usage: Any) -> Usage:
    """Endpoints that report nothing count as nothing."""
    if usage is None:
        return Usage()
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached)
