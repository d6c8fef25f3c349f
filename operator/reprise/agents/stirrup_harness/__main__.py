"""`python -m reprise.agents.stirrup_harness`: one attempt with a model; see docs/agents.md for the
variables."""

import asyncio
import contextlib
import os
import sys
import time

from stirrup import Agent
from stirrup.core.exceptions import ContextOverflowError

from reprise.agents import ending
from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError
from reprise.agents.stirrup_harness import finish, shell
from reprise.agents.stirrup_harness.failures import Ended, Infrastructure, Rejected
from reprise.agents.stirrup_harness.model import Model
from reprise.agents.stirrup_harness.record import Account, Record, through_door
from reprise.agents.stirrup_harness.settings import Settings, from_environment

_ADVICE = (
    "You are a site reliability engineer. You look for the root causes of an incident on a Kubernetes "
    "cluster with read-only access. The environment has KUBECONFIG set for kubectl, and GATEWAY_URL, "
    "TOKEN_FILE and CA_FILE for curl: "
    'curl -sS --cacert "$CA_FILE" -H "Authorization: Bearer $(cat "$TOKEN_FILE")" "$GATEWAY_URL/alerts". '
    "Follow each symptom to the object that somebody would have to change, then call finish."
)


def main() -> int:
    """Exit codes: 0 handed in, 1 the agent's own failure, 75 not the agent's failure."""
    with contextlib.ExitStack() as files:
        try:
            settings = from_environment()
            record = files.enter_context(settings.record.open("a")) if settings.record else sys.stdout
            # What the harness itself asks of the gateway stands in the gateway's trail.
            nowhere = files.enter_context(open(os.devnull, "w"))
            door = HttpDoor.from_environment(Journal(nowhere))
        except (ValueError, OSError) as exc:
            return ending.end(ending.INFRA_FAILED, f"settings: {exc}")
        journal = Journal(record)
        code, reason = asyncio.run(attempt(settings, door, journal))
        journal.note("end", code=code, reason=reason)
        return ending.end(code, reason)


async def attempt(settings: Settings, door: HttpDoor, journal: Journal) -> tuple[int, str]:
    """Work until the end; returns the exit code and the reason."""
    account = Account(door, settings.price)
    try:
        left = through_door(door.attempt).get("left") or {}
        deadline = time.monotonic() + float(left.get("wallClockSeconds", 86_400))
        task = through_door(door.instructions)
        agent = Agent(
            client=Model(settings, account.add, deadline),
            name="agent",
            max_turns=settings.turns,
            system_prompt=_ADVICE,
            tools=[shell.tool(settings.workspace, settings.command_seconds)],
            finish_tool=finish.tool(door),
            logger=Record(journal, account),
        )
        findings, _, _ = await agent.run(task)
    except Infrastructure as exc:
        return ending.INFRA_FAILED, str(exc)
    except Ended as exc:
        return ending.AGENT_FAILED, f"ended by the gateway: {exc}"
    except Rejected as exc:
        return ending.AGENT_FAILED, f"the endpoint refused what the agent sent: {exc}"
    except ContextOverflowError as exc:
        return _told(door, journal, "ContextExhausted", f"the context is full even after summarising: {exc}")
    except DoorError as exc:
        return ending.INFRA_FAILED, f"gateway: {exc}"
    finally:
        used = account.usage
        cost = None if settings.price is None else round(used.cost(settings.price), 6)
        journal.note(
            "usage", tokens_in=used.given, tokens_out=used.made, tokens_cached=used.cached, cost=cost
        )
    if findings is None:
        return _told(door, journal, "TurnsExhausted", f"no answer within {settings.turns} turns")
    return ending.DONE, "handed in"


def _told(door: HttpDoor, journal: Journal, outcome: str, reason: str) -> tuple[int, str]:
    """Tell the gateway, which keeps outcomes apart; the reason stands in the exit message all the same."""
    try:
        through_door(door.outcome, outcome, reason)
    except (DoorError, Ended, Infrastructure) as exc:
        journal.note("warning", text=f"the outcome {outcome} could not be told: {exc}")
    return ending.AGENT_FAILED, f"{outcome}: {reason}"


if __name__ == "__main__":
    sys.exit(main())
