"""Recorded incidents as an Inspect task; README.md says how to run it."""

import io
import json
from pathlib import Path

import places
import reads
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import store

from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.domain import scoring, truth
from reprise.domain.entities import EntityId

NAME = "snapshot"
TURNS = 100


@task
def incidents(snapshots: str, gateways: str, turns: int = TURNS) -> Task:
    """One sample a snapshot; `--solver` replaces the loop and keeps the tools."""
    folder, served = Path(snapshots).resolve(), places.gateways(Path(gateways).resolve())
    names = places.snapshots(folder)
    missing = [name for name in names if not served.get(name)]
    if missing:
        raise ValueError(f"{gateways}: expected a gateway for each snapshot, found none for {missing}")
    return Task(
        # The task's words come from the gateway, as every agent gets them.
        dataset=MemoryDataset([Sample(id=name, input=name, metadata={NAME: name}) for name in names]),
        setup=attach(served),
        solver=investigate(turns),
        scorer=root_causes(str(folder)),
    )


@solver
def attach(served: dict[str, list[places.Gateway]]) -> Solver:
    """Give the sample its attempt: the tools, and the task."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        offered = served[state.metadata[NAME]]
        if state.epoch > len(offered):
            raise ValueError(
                f"{state.metadata[NAME]}: expected a gateway's attempt for epoch {state.epoch}, "
                f"found {len(offered)}"
            )
        given = offered[state.epoch - 1]
        token = places.token(given)
        door = HttpDoor(given.url, token, given.ca_file, Journal(io.StringIO()))
        state.tools = reads.all_of(door)
        state.messages = [ChatMessageUser(content=await reads.through(door.instructions))]
        return state

    return solve


@solver
def investigate(turns: int = TURNS) -> Solver:
    """Let the model call tools until it has handed in, the attempt is over, or its turns are."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for _ in range(turns):
            state = await generate(state, tool_calls="single")
            if store().get(reads.SUBMISSION) is not None or store().get(reads.OVER) or state.completed:
                break
            if state.output.stop_reason == "model_length":
                store().set(reads.OVER, "the context is full")
                break
            if not state.output.message.tool_calls:
                state.messages.append(ChatMessageUser(content="Go on, and call submit when you are done."))
        return state

    return solve


@scorer(
    metrics={
        "score": [mean(), stderr()],
        "precision": [mean()],
        "recall": [mean()],
        "f1": [mean()],
    }
)
def root_causes(folder: str) -> Scorer:
    """The score of docs/scoring.md. Without a submission it is 0."""

    async def score(state: TaskState, target: Target) -> Score:
        name = state.metadata[NAME]
        private = json.loads((Path(folder) / f"{name}{places.PRIVATE}" / "private.json").read_text())
        wanted = truth.from_json({"rootCauses": private["truth"]})
        submitted = store().get(reads.SUBMISSION)
        if submitted is None:
            why = store().get(reads.OVER) or "no submission within the turns"
            return Score(value=dict.fromkeys(("score", "precision", "recall", "f1"), 0.0), explanation=why)
        found = scoring.score(wanted, [EntityId.parse(text) for text in submitted])
        value = {"score": found.score, "precision": found.precision, "recall": found.recall, "f1": found.f1}
        return Score(value=value, answer=", ".join(submitted), explanation=json.dumps(found.to_json()))

    return score
