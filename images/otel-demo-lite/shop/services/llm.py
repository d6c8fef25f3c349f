"""A language model's stand-in: answers from templates, over the usual chat completions API.

Flags: llmInaccurateResponse (the summary of one product's reviews is wrong), llmRateLimitError (half of the
questions are refused with 429).
"""

from __future__ import annotations

import random
import time

from shop import flags, telemetry, web

_INACCURATE_PRODUCT = "L9ECAV7KIM"
_REFUSED_SHARE = 0.5
_SUMMARIES = {
    True: "Buyers are disappointed: most of them sent it back.",
    False: "Buyers like it and would buy it again.",
}


class Llm:
    """POST /v1/chat/completions."""

    def __init__(self, flag: flags.Flags, chance: random.Random) -> None:
        self._flags = flag
        self._chance = chance

    def complete(self, request: web.Request) -> web.Response:
        """The answer to the conversation in `messages`."""
        body = request.json()
        if self._flags.enabled("llmRateLimitError") and self._chance.random() < _REFUSED_SHARE:
            raise web.WebFailure(429, "rate limit reached, try again later")
        question = " ".join(str(message.get("content", "")) for message in body.get("messages", []))
        wrong = _INACCURATE_PRODUCT in question and self._flags.enabled("llmInaccurateResponse")
        return web.json_response(
            {
                "id": f"chatcmpl-{self._chance.getrandbits(48):012x}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body.get("model", "astronomy-llm"),
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": _SUMMARIES[wrong]},
                    }
                ],
                "usage": {"prompt_tokens": len(question.split()), "completion_tokens": 9},
            }
        )


def main() -> None:
    """Serve until stopped."""
    telemetry.start("llm")
    service = Llm(flags.Flags.from_environment(), random.Random())  # noqa: S311
    # The demo's Deployment names no port; 8000 is its containerPort.
    web.serve_until_stopped(8000, [web.Route("POST", "/v1/chat/completions", service.complete)])
