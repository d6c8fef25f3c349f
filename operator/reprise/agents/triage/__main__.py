"""`python -m reprise.agents.triage`: exit codes 0 submitted, 1 refused, 75 no gateway, or none is named."""

import sys

from reprise.agents import ending
from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError
from reprise.agents.triage.agent import Triage


def main() -> int:
    """One attempt, from the environment to the submission."""
    journal = Journal()
    try:
        door = HttpDoor.from_environment(journal)
    except ValueError as exc:
        journal.note("error", message=str(exc))
        return ending.end(ending.INFRA_FAILED, str(exc))
    try:
        causes = Triage(journal).investigate(door)
        entities = list(dict.fromkeys(cause.entity for cause in causes))
        journal.note("submit", entities=entities, why=[f"{cause.rule}: {cause.evidence}" for cause in causes])
        answer = door.submit(entities)
        journal.note("accepted", answer=answer)
    except DoorError as exc:
        journal.note("error", status=exc.status, message=str(exc))
        if exc.status == 409:
            return ending.end(ending.DONE, "an earlier process of this Job has submitted already")
        ours = exc.status == 0 or exc.status >= 500
        return ending.end(ending.INFRA_FAILED if ours else ending.AGENT_FAILED, f"gateway: {exc}")
    return ending.end(ending.DONE, f"handed in {len(entities)} entities")


if __name__ == "__main__":
    sys.exit(main())
