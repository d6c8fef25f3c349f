"""`python -m reprise.agents.triage`: exit codes 0 submitted, 1 refused, 2 wrong environment, 3 no gateway."""

import sys

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
        return 2
    try:
        causes = Triage(journal).investigate(door)
        entities = list(dict.fromkeys(cause.entity for cause in causes))
        journal.note("submit", entities=entities, why=[f"{cause.rule}: {cause.evidence}" for cause in causes])
        answer = door.submit(entities)
        journal.note("accepted", answer=answer)
    except DoorError as exc:
        journal.note("error", status=exc.status, message=str(exc))
        # 409: an earlier process of this Job has submitted already, so the work is done.
        return 0 if exc.status == 409 else 3 if exc.status == 0 else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
