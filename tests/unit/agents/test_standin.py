"""What the stand-in sends is what OpenAI's clients expect; its scripts are checked when they are read."""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from reprise.agents.standin import script
from reprise.agents.standin.server import StandIn

CALLS = {"calls": [{"tool": "shell", "arguments": {"cmd": "ls"}, "id": "c1"}], "text": "Let me see."}
USAGE = {"usage": {"prompt": 7, "completion": 3, "cached": 5}}


def ask(
    model: StandIn, body: dict[str, Any] | None = None, key: str = "k"
) -> tuple[int, dict[str, str], str]:
    given = {"model": "m", "messages": [{"role": "user", "content": "x"}], **(body or {})}
    request = urllib.request.Request(  # noqa: S310 - the URL is our own
        f"{model.url}/chat/completions",
        json.dumps(given).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, dict(exc.headers), exc.read().decode()


def test_an_answer_at_once() -> None:
    with StandIn(script.parse({"answers": [{**CALLS, **USAGE}]})) as model:
        status, _, text = ask(model)
    found = json.loads(text)
    (choice,) = found["choices"]
    assert (status, choice["finish_reason"]) == (200, "tool_calls")
    assert choice["message"]["content"] == "Let me see."
    (call,) = choice["message"]["tool_calls"]
    assert call == {
        "id": "c1",
        "type": "function",
        "function": {"name": "shell", "arguments": '{"cmd": "ls"}'},
    }
    assert found["usage"]["prompt_tokens_details"] == {"cached_tokens": 5}
    assert found["usage"]["total_tokens"] == 10


def test_the_same_as_a_stream() -> None:
    with StandIn(script.parse({"answers": [{**CALLS, **USAGE}]})) as model:
        _, headers, text = ask(model, {"stream": True, "stream_options": {"include_usage": True}})
    assert headers["Content-Type"] == "text/event-stream"
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event) for event in events[:-1]]
    deltas = [choice["delta"] for piece in pieces for choice in piece["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Let me see."
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"cmd": "ls"}'
    assert pieces[-1]["usage"]["prompt_tokens"] == 7
    assert pieces[-1]["choices"] == []


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str, int, str]] = {
    "wrong key": ({"key": "other"}, {}, "k", 401, "invalid_api_key"),
    "unknown model": ({"model": "n"}, {}, "k", 404, "model_not_found"),
    "too long": (
        {"context_tokens": 100}, {"messages": [{"role": "user", "content": "x" * 1000}]}, "k", 400,
        "context_length_exceeded",
    ),
    "scripted": (
        {"answers": [{"status": 429, "retry_after": 2, "code": "slow_down"}]}, {}, "k", 429, "slow_down",
    ),
    "over": ({"answers": []}, {}, "k", 500, "script_over"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    given, body, key, status, code = REFUSED[case]
    with StandIn(script.parse({"answers": [{"text": "x"}], **given})) as model:
        found, headers, text = ask(model, body, key)
    assert (found, json.loads(text)["error"]["code"]) == (status, code)
    assert headers.get("Retry-After") == ("2" if case == "scripted" else None)


def test_an_answer_that_breaks_off() -> None:
    with (
        StandIn(script.parse({"answers": [{"cut": True}]})) as model,
        pytest.raises(http.client.IncompleteRead),
    ):
        ask(model)


BAD: dict[str, tuple[Any, str]] = {
    "no answers": ({}, 'a list "answers"'),
    "an unknown key": ({"answers": [], "modle": "x"}, "modle: unknown"),
    "an answer of no kind": ({"answers": [{"usage": {}}]}, r"answers\[0\]: .*expected one of text"),
    "a word too many": ({"answers": [{"text": "x", "retry": 1}]}, r"answers\[0\]"),
    "a call without a tool": ({"answers": [{"calls": [{}]}]}, r"answers\[0\]: KeyError\('tool'\)"),
    "no object": ({"answers": ["x"]}, r"answers\[0\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_scripts(case: str) -> None:
    data, problem = BAD[case]
    with pytest.raises(ValueError, match=problem):
        script.parse(data)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"answers": [{"text": "a", "times": 2}]}')
    (tmp_path / "s.yaml").write_text("key: k\nanswers:\n- calls: [{tool: shell, arguments: '{\"cmd'}]\n")
    assert [one.text for one in script.load(tmp_path / "s.json").answers] == ["a", "a"]
    loaded = script.load(tmp_path / "s.yaml")
    assert (loaded.key, loaded.answers[0].calls[0].arguments) == ("k", '{"cmd')
