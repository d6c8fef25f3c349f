"""The Stirrup harness end to end: real Stirrup, the real gateway, a model that answers by a script."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract import agent_fakes
from tests.contract.agent_fakes import Done
from tests.contract.gateway_fakes import TOKEN, Clock, Cluster, Door, attempt, door

from reprise.agents.standin import script
from reprise.agents.standin.server import StandIn

CAUSE = "otel-demo/NetworkPolicy/frontend-ingress"
KEY = "sk-stand-in"


def call(tool: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"calls": [{"tool": tool, "arguments": arguments if arguments is not None else {}}], **more}


FINISH = call("finish", {"entities": [{"name": CAUSE, "reasoning": "it selects nothing"}], "summary": "s"})
LOOK = call("shell", {"cmd": "echo seen-$((40 + 2)); env | grep -c MODEL_"})


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Door]:
    cluster = Cluster()
    cluster.put(attempt(TOKEN))
    async with door(tmp_path, cluster, Clock()) as made:
        yield made


def trail(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit" / "uid-1.jsonl").read_text().splitlines()]


async def harness(gate: Door, folder: Path, model: StandIn, **environ: str) -> Done:
    (folder / "key").write_text(KEY + "\n")
    given = {
        "MODEL_ENDPOINT": model.url,
        "MODEL_NAME": "m",
        "MODEL_KEY_FILE": str(folder / "key"),
        "MODEL_RETRIES": "1",
        **environ,
    }
    return await agent_fakes.run(
        "reprise.agents.stirrup_harness",
        agent_fakes.url_of(gate),
        folder,
        python=agent_fakes.harness_python(),
        **given,
    )


def answers(*entries: dict[str, Any], **more: Any) -> StandIn:
    return StandIn(script.parse({"answers": list(entries), "key": KEY, "model": "m", **more}))


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_it_looks_and_hands_in(gate: Door, tmp_path: Path, stream: str) -> None:
    usage = {"prompt": 1000, "completion": 10, "cached": 800}
    with answers({**LOOK, "usage": usage, "text": "Let me look."}, {**FINISH, "usage": usage}) as model:
        prices = json.dumps({"m": {"input": 10, "cached": 1, "output": 100}})
        done = await harness(gate, tmp_path, model, MODEL_STREAM=stream, MODEL_PRICES=prices)
    assert done.code == 0, done.err
    assert done.last_words == "handed in"
    stored = await gate.stored(phase="Submitted")
    assert stored["submission"] == {"entities": [CAUSE]}
    assert [item["event"] for item in done.events] == [
        "task", "assistant", "tool", "assistant", "tool", "usage", "end",
    ]  # fmt: skip
    look, _ = done.of("tool")
    assert "seen-42" in look["text"]
    # What concerns the model is not in the commands' environment; grep -c says 0 and fails.
    assert "\n0\n" in look["text"]
    # 2 · (200 · 10 + 800 · 1 + 10 · 100) / 1e6
    (used,) = done.of("usage")
    assert (used["tokens_in"], used["tokens_cached"], used["cost"]) == (2000, 1600, 0.0076)
    assert [line["turn"] for line in trail(tmp_path)] == ["", "", "1", "2", "2"]
    assert 'namespace "otel-demo"' in json.dumps(model.requests[0]["messages"]).replace('\\"', '"')
    assert {tool["function"]["name"] for tool in model.requests[0]["tools"]} == {"shell", "finish"}


async def test_mistakes_of_the_model_are_told_to_it(gate: Door, tmp_path: Path) -> None:
    mistakes = (
        call("shell", '{"cmd": "ec'),
        call("search_the_web", {"q": "x"}),
        {"text": "I think it is the network."},
        call("finish", {"entities": ["frontend"]}),
        call("finish", {"entities": ["otel-demo/Netpolicy/x"]}),
    )
    with answers(*mistakes, call("finish", {"entities": [CAUSE]})) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 0, done.err
    said = [item["text"] for item in done.of("tool")]
    assert "not valid" in said[0]
    assert "not a valid tool" in said[1]
    assert "entities[0]: expected namespace/Kind/name" in said[2]
    assert "did you mean NetworkPolicy" in said[3], "the gateway's own words"
    assert said[4] == "handed in"
    assert (await gate.stored(phase="Submitted"))["submission"] == {"entities": [CAUSE]}


async def test_a_busy_endpoint_is_asked_again(gate: Door, tmp_path: Path) -> None:
    busy = ({"status": 429, "retry_after": 0}, FINISH)
    with answers(*busy) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 0, done.err


async def test_an_answer_that_breaks_off_is_asked_for_again(gate: Door, tmp_path: Path) -> None:
    with answers({"cut": True}, FINISH) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 0, done.err
    assert len(model.requests) == 2


FAILING: dict[str, tuple[list[dict[str, Any]], dict[str, str], str]] = {
    "busy for ever": ([{"status": 429, "retry_after": 0, "times": 9}], {}, "429"),
    "broken": ([{"status": 500, "times": 9}], {}, "500"),
    "never answers": ([{"hang": True, "times": 9}], {"MODEL_TIMEOUT_SECONDS": "0.3"}, "within 0.3 s"),
    "drips": ([{**LOOK, "pause": 0.2}], {"MODEL_TIMEOUT_SECONDS": "0.5"}, "within 0.5 s"),
    "breaks off again and again": ([{"cut": True, "times": 9}], {}, "broke off 2 times"),
    "breaks off, at once": ([{"cut": True, "times": 9}], {"MODEL_STREAM": "false"}, "cannot be reached"),
    "wrong key": ([FINISH], {"MODEL_KEY_FILE": "{folder}/token"}, "401: expected a key that it takes"),
    "unknown model": ([FINISH], {"MODEL_NAME": "other"}, "404"),
    "knows a parameter not": ([{"status": 400, "message": "unknown parameter"}], {}, "unknown parameter"),
    "no key file": ([FINISH], {"MODEL_KEY_FILE": "/nowhere/key"}, "MODEL_KEY_FILE: expected a readable file"),
    "breaks later": ([LOOK, {"status": 503, "times": 9}], {}, "503"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_the_endpoint_s_failures_are_not_the_agent_s(gate: Door, tmp_path: Path, case: str) -> None:
    entries, environ, reason = FAILING[case]
    with answers(*entries) as model:
        given = {key: value.format(folder=tmp_path) for key, value in environ.items()}
        done = await harness(gate, tmp_path, model, **given)
    assert done.code == 75, done.err
    assert reason in done.last_words
    assert done.err.splitlines()[-1] == done.last_words
    assert KEY not in done.out + done.err + done.last_words


async def test_nobody_listens(gate: Door, tmp_path: Path) -> None:
    with socket.socket() as free, answers(FINISH) as model:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        done = await harness(gate, tmp_path, model, MODEL_ENDPOINT=url)
    assert (done.code, "cannot be reached" in done.last_words) == (75, True)


async def test_a_refused_message_of_the_agent_is_its_own_failure(gate: Door, tmp_path: Path) -> None:
    with answers(LOOK, {"status": 400, "message": "content policy"}) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 1
    assert "content policy" in done.last_words


async def test_a_full_context_is_summarised(gate: Door, tmp_path: Path) -> None:
    full = {"prompt": 900, "completion": 10}
    with answers({**LOOK, "usage": full}, {"text": "Summary: it is the policy."}, FINISH) as model:
        done = await harness(gate, tmp_path, model, MODEL_CONTEXT_TOKENS="1000", MODEL_OUTPUT_TOKENS="100")
    assert done.code == 0, done.err
    assert [item["text"] for item in done.of("summary")] == ["Summary: it is the policy."]
    assert "seen-42" not in json.dumps(model.requests[-1]["messages"])
    assert "it is the policy" in json.dumps(model.requests[-1]["messages"])


async def test_an_overflow_drops_the_turn_that_made_it_and_goes_on(gate: Door, tmp_path: Path) -> None:
    flood = call("shell", {"cmd": "yes flood | head -c 50000"})
    with answers(LOOK, flood, {"text": "Summary."}, FINISH, context_tokens=4000) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 0, done.err
    assert "flood" not in json.dumps(model.requests[-1]["messages"])


async def test_a_context_that_stays_full_is_an_outcome_of_its_own(gate: Door, tmp_path: Path) -> None:
    with answers(LOOK, context_tokens=10) as model:
        done = await harness(gate, tmp_path, model)
    assert done.code == 1
    assert done.last_words.startswith("ContextExhausted: ")
    assert "POST" in {line["verb"].upper() for line in trail(tmp_path) if line["path"] == "/outcome"}


async def test_turns_end(gate: Door, tmp_path: Path) -> None:
    with answers({**LOOK, "times": 9}) as model:
        done = await harness(gate, tmp_path, model, MAX_TURNS="3")
    assert done.code == 1
    assert done.last_words.startswith("TurnsExhausted: no answer within 3 turns")
    assert len(model.requests) == 3


async def test_it_stops_when_the_gateway_has_ended_the_attempt(gate: Door, tmp_path: Path) -> None:
    with answers({**LOOK, "pause": 0.3, "times": 50}) as model:
        gate.clock.forward(0)
        obj = gate.cluster.attempts["uid-1"]
        obj["spec"]["budgets"]["requests"] = 1
        obj["spec"]["verdict"] = {"phase": "InfraFailed", "reason": "RunEnded"}
        gate.cluster.put(obj)
        await gate.stored(phase="InfraFailed")
        done = await harness(gate, tmp_path, model)
    assert done.code == 1
    assert done.last_words.startswith("ended by the gateway")
    assert len(model.requests) == 0


async def test_no_gateway_is_not_the_agent_s_failure(gate: Door, tmp_path: Path) -> None:
    with answers(FINISH) as model:
        done = await agent_fakes.run(
            "reprise.agents.stirrup_harness",
            "",
            tmp_path,
            python=agent_fakes.harness_python(),
            MODEL_ENDPOINT=model.url,
            MODEL_NAME="m",
        )
    assert done.code == 75
    assert "GATEWAY_URL" in done.last_words


async def test_a_command_cannot_outlive_its_time_nor_fill_the_memory(gate: Door, tmp_path: Path) -> None:
    endless = call("shell", {"cmd": "yes | head -c 300000000; (trap '' TERM; sleep 600) & sleep 600"})
    with answers(endless, FINISH) as model:
        done = await harness(gate, tmp_path, model, COMMAND_SECONDS="5")
    assert done.code == 0, done.err
    said = done.of("tool")[0]["text"]
    assert "killed: took longer than 5 s" in said
    assert len(said) < 25_000
    assert "bytes left out" in said
