"""The script of a stand-in: what it answers, one entry a request.

A JSON file (YAML too where PyYAML is installed): `{"key", "model", "context_tokens", "answers": [...]}`. An
entry has one of these, and any may have `usage: {prompt, completion, cached}`:

    text: words                          plain text, no call
    calls: [{tool, arguments, id}]       tool calls, perhaps beside `text`
    status: 429, retry_after: seconds    an error answer of HTTP; `code` and `message` fill its body
    hang: true                           accepts the request and never answers
    cut: true                            begins to answer and drops the connection

`arguments` given as text are sent as they are, so that they can be malformed.

`pause: seconds` lies between the pieces of an answer. `times: n` repeats an entry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KINDS = ("text", "calls", "status", "hang", "cut")


@dataclass(frozen=True)
class Call:
    """A tool call; `arguments` is the text that is sent."""

    tool: str
    arguments: str
    id: str


@dataclass(frozen=True)
class Usage:
    """Tokens as the endpoint reports them; `cached` are among `prompt`."""

    prompt: int = 100
    completion: int = 10
    cached: int = 0


@dataclass(frozen=True)
class Answer:
    """One entry. `status` 200 unless it is an error."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    status: int = 200
    retry_after: float | None = None
    code: str = ""
    message: str = ""
    hang: bool = False
    cut: bool = False
    pause: float = 0.0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Script:
    """`key`, `model`: others are refused with 401 and 404; empty takes any. `context_tokens`: longer prompts
    (a token is taken for four characters) are refused as OpenAI does; 0 takes any."""

    answers: tuple[Answer, ...]
    key: str = ""
    model: str = ""
    context_tokens: int = 0


def load(path: Path) -> Script:
    """Read a script. Raises ValueError with every problem, OSError."""
    text = path.read_text()
    if path.suffix in (".yaml", ".yml"):
        import yaml  # not in every image, and JSON needs nothing

        return parse(yaml.safe_load(text))
    return parse(json.loads(text))


def parse(data: Any) -> Script:
    """The script from its decoded form. Raises ValueError with every problem."""
    if not isinstance(data, Mapping) or not isinstance(data.get("answers"), list):
        raise ValueError('expected an object with a list "answers"')
    problems = [f"{key}: unknown" for key in data.keys() - {"answers", "key", "model", "context_tokens"}]
    answers: list[Answer] = []
    for index, entry in enumerate(data["answers"]):
        try:
            answers += [_answer(entry, index)] * int(entry.get("times", 1))
        except (TypeError, KeyError, ValueError, AttributeError) as exc:
            problems.append(f"answers[{index}]: {exc!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return Script(
        tuple(answers), data.get("key", ""), data.get("model", ""), int(data.get("context_tokens", 0))
    )


def _answer(entry: Mapping[str, Any], index: int) -> Answer:
    if not any(kind in entry for kind in _KINDS):
        raise ValueError(f"expected one of {', '.join(_KINDS)}")
    fields = {key: value for key, value in entry.items() if key != "times"}
    fields["usage"] = Usage(**fields.get("usage", {}))
    fields["calls"] = tuple(_call(one, f"call-{index}-{n}") for n, one in enumerate(fields.get("calls", ())))
    return Answer(**fields)


def _call(entry: Mapping[str, Any], identifier: str) -> Call:
    given = entry.get("arguments", {})
    text = given if isinstance(given, str) else json.dumps(given)
    return Call(entry["tool"], text, entry.get("id", identifier))
