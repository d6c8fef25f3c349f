"""The server: POST /v1/chat/completions (at once, or as a stream of events), GET /v1/models."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from reprise.agents.standin.script import Answer, Script

Json = dict[str, Any]
CHARACTERS_A_TOKEN = 4
_CREATED = 1_700_000_000


class StandIn(http.server.ThreadingHTTPServer):
    """`with StandIn(script) as model:` serves on the loopback interface; `requests` are the bodies so far."""

    daemon_threads = True
    # A client that waits in vain for a hanging answer must not hold up the end.
    block_on_close = False

    def __init__(self, script: Script, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.script = script
        self.requests: list[Json] = []
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._next = 0

    @property
    def url(self) -> str:
        """The base URL that clients are given."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def take(self, body: Json) -> Answer | None:
        """The answer to this request; None when the script is over."""
        with self._lock:
            self.requests.append(body)
            answers = self.script.answers
            if self._next >= len(answers):
                return None
            self._next += 1
            return answers[self._next - 1]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if not self._key_fits():
            return
        if self.path.rstrip("/").endswith("/models"):
            names = [self.server.script.model or "stand-in"]
            self._send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
        else:
            self._refuse(404, "not_found", f"no such path {self.path}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._key_fits():
            return
        script = self.server.script
        if not self.path.endswith("/chat/completions"):
            self._refuse(404, "not_found", f"no such path {self.path}")
        elif script.model and body.get("model") != script.model:
            self._refuse(404, "model_not_found", f"the model {body.get('model')!r} does not exist")
        elif script.context_tokens and tokens(body) > script.context_tokens:
            self.server.requests.append(body)
            text = f"This model's maximum context length is {script.context_tokens} tokens."
            self._refuse(400, "context_length_exceeded", text)
        else:
            self._play(body, self.server.take(body))

    def _key_fits(self) -> bool:
        key = self.server.script.key
        if key and self.headers["Authorization"] != f"Bearer {key}":
            self._refuse(401, "invalid_api_key", "Incorrect API key provided")
            return False
        return True

    def _play(self, body: Json, answer: Answer | None) -> None:
        if answer is None:
            self._refuse(500, "script_over", "the script has no further answer")
        elif answer.status != 200:
            headers = {} if answer.retry_after is None else {"Retry-After": f"{answer.retry_after:g}"}
            self._refuse(answer.status, answer.code or "error", answer.message or "scripted", headers)
        elif answer.hang:
            self.server.stopped.wait()
            self.close_connection = True
        elif body.get("stream"):
            self._stream(body, answer)
        elif answer.cut:
            self._begin(200, {"Content-Type": "application/json", "Content-Length": "1000"})
            self._drop(b'{"id": "ch')
        else:
            time.sleep(answer.pause)
            self._send(200, _whole(body, answer))

    def _stream(self, body: Json, answer: Answer) -> None:
        self._begin(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        pieces = list(_pieces(body, answer))
        if answer.cut:
            self._event(json.dumps(pieces[0]))
            self._drop(b"")
            return
        for piece in pieces:
            self._event(json.dumps(piece))
            # NB: the pause is what the script asks for, a slow endpoint; nothing is waited for here.
            self.server.stopped.wait(answer.pause)
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, text: str) -> None:
        data = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _drop(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, {"error": {"message": message, "type": "error", "code": code}}, headers)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, document: Json, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        given = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
        self._begin(status, given)
        self.wfile.write(data)


def tokens(body: Json) -> int:
    """How long a prompt is taken for."""
    return len(json.dumps(body.get("messages", []))) // CHARACTERS_A_TOKEN


def _usage(answer: Answer) -> Json:
    used = answer.usage
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "total_tokens": used.prompt + used.completion,
        "prompt_tokens_details": {"cached_tokens": used.cached},
    }


def _calls(answer: Answer) -> list[Json]:
    return [
        {"id": one.id, "type": "function", "function": {"name": one.tool, "arguments": one.arguments}}
        for one in answer.calls
    ]


def _ending(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _whole(body: Json, answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = _calls(answer)
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": _CREATED,
        "model": body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": _ending(answer)}],
        "usage": _usage(answer),
    }


def _pieces(body: Json, answer: Answer) -> Iterator[Json]:
    """The same as a stream: the text and every call's arguments in two halves, usage last when asked for."""

    def piece(delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {
            "id": "chatcmpl-stand-in",
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": body.get("model", ""),
            "choices": [choice],
        }

    yield piece({"role": "assistant", "content": ""})
    half = len(answer.text) // 2
    yield from (piece({"content": text}) for text in (answer.text[:half], answer.text[half:]) if text)
    for index, call in enumerate(_calls(answer)):
        text = call["function"]["arguments"]
        half = len(text) // 2
        first = {**call, "function": {**call["function"], "arguments": text[:half]}}
        yield piece({"tool_calls": [{"index": index, **first}]})
        yield piece({"tool_calls": [{"index": index, "function": {"arguments": text[half:]}}]})
    yield piece({}, _ending(answer))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**piece({}), "choices": [], "usage": _usage(answer)}
