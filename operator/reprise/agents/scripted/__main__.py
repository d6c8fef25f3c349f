"""`python -m reprise.agents.scripted [FILE]`, or by TRAJECTORY_FILE; see trajectory.py for the file.

Exit codes: 0 played to its end, 1 the answer was refused, 75 no gateway, or no trajectory that can be read.
"""

import os
import sys
from pathlib import Path
from typing import assert_never
from urllib.parse import quote

from reprise.agents import ending
from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError
from reprise.agents.scripted import trajectory
from reprise.agents.scripted.trajectory import Call, Outcome, Step, Submission


def main() -> int:
    """Play it once."""
    journal = Journal()
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TRAJECTORY_FILE", "")
    try:
        steps = trajectory.parse(Path(path).read_text().splitlines())
        door = HttpDoor.from_environment(journal)
    except (OSError, ValueError) as exc:
        return ending.end(ending.INFRA_FAILED, f"expected a trajectory and a gateway, found: {exc}")
    for step in steps:
        try:
            play(door, step)
        except DoorError as exc:
            journal.note("refused", status=exc.status, message=str(exc))
            if exc.status == 0 or exc.status >= 500:
                return ending.end(ending.INFRA_FAILED, f"gateway: {exc}")
            # A call that is refused was perhaps refused when it was recorded; an answer must be taken.
            if not isinstance(step, Call):
                return ending.end(ending.AGENT_FAILED, str(exc))
    return ending.end(ending.DONE, f"played {len(steps)} steps")


def play(door: HttpDoor, step: Step) -> None:
    """One step. Raises DoorError."""
    match step:
        case Call():
            door.standing_headers = {"X-Turn": step.turn, "X-Justification": quote(step.justification)}
            door.call(step.method, step.path)
        case Submission():
            door.standing_headers = {"X-Turn": step.turn}
            door.submit_document(step.document)
        case Outcome():
            door.outcome(step.name, step.message)
        case _:
            assert_never(step)


if __name__ == "__main__":
    sys.exit(main())
