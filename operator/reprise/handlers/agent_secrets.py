"""The Secrets that a run names for its agent: looked for before anything is deployed, read when it is needed.

They lie in the run's namespace, which whoever applies runs may write; what is in them goes to the agents'
namespace for as long as the attempt lasts.
"""

import base64
from collections.abc import Iterator

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.run import AgentKind, Run
from reprise.handlers.runtime import Runtime

TRAJECTORY_KEY = "trajectory.jsonl"


async def check(runtime: Runtime, run: Run) -> None:
    """Raises NotFound with every Secret and key that is missing."""
    problems: list[str] = []
    for name, key in _named(run):
        try:
            await _read(runtime, run, name, key)
        except errors.NotFound as exc:
            problems.append(str(exc))
    if problems:
        raise errors.NotFound("; ".join(problems))


def _named(run: Run) -> Iterator[tuple[str, str]]:
    """Name and key of each; the key is empty where all are wanted."""
    agent = run.spec.agent
    if agent.model is not None and agent.model.secret is not None:
        yield agent.model.secret.name, agent.model.secret.key
    if agent.secret:
        yield agent.secret, TRAJECTORY_KEY if agent.kind is AgentKind.SCRIPTED else ""


async def model_key(runtime: Runtime, run: Run) -> str | None:
    """The key of the model's endpoint; None when it wants none. Raises NotFound."""
    model = run.spec.agent.model
    if model is None or model.secret is None:
        return None
    return (await _read(runtime, run, model.secret.name, model.secret.key))[model.secret.key]


async def of_the_agent(runtime: Runtime, run: Run) -> dict[str, str]:
    """Everything in `agent.secretRef`. Raises NotFound."""
    return await _read(runtime, run, run.spec.agent.secret, "") if run.spec.agent.secret else {}


async def _read(runtime: Runtime, run: Run, name: str, key: str) -> dict[str, str]:
    ref = ObjectRef("v1", "Secret", run.ref.namespace, name)
    found = await runtime.kube.get(ref)
    if found is None:
        raise errors.NotFound(f"expected {ref} for the agent, found none; make it in the run's namespace")
    data = found.get("data") or {}
    if key and key not in data:
        raise errors.NotFound(f"expected the key {key!r} in {ref}, found {sorted(data) or 'none'}")
    try:
        return {name: base64.b64decode(value).decode() for name, value in data.items()}
    except UnicodeDecodeError as exc:
        raise errors.NotFound(f"expected text in {ref}, found bytes that are not UTF-8") from exc
