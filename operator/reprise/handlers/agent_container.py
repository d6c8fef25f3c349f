"""What each kind of agent runs in its pod, and what that needs beside the gateway."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from reprise.adapters.kube import Json
from reprise.domain.run import Agent, AgentKind
from reprise.handlers import agent_snapshot
from reprise.handlers.agent_secrets import TRAJECTORY_KEY

ACCESS = "/var/run/agent"
MODEL_KEY = "model-key"
WRAPPER = "wrapper"
_SECRET_DIR = "/var/run/agent-secret"  # noqa: S105 - a path
_WRAPPER_DIR = "/opt/wrapper"
_SCRATCH = "/tmp"  # noqa: S108 - an emptyDir of the pod's own
# The command is stopped this long before the gateway ends the attempt, so that what it has left is handed in.
_SPARE_SECONDS = 15


@dataclass(frozen=True)
class Images:
    """The images that came with the operator: `agent` is small, `shell` has Stirrup and tools for people."""

    agent: str
    shell: str


@dataclass(frozen=True)
class Contents:
    """`limits` are the container's. `installers` run before it and fill `wrapper` and `snapshot`."""

    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    all_of_secret: bool = False
    secret_dir: str = ""
    limits: Mapping[str, str] = field(default_factory=lambda: {"cpu": "1", "memory": "512Mi"})
    installers: tuple[Json, ...] = ()
    snapshot: bool = False

    @property
    def wrapped(self) -> bool:
        return any(item["name"] == WRAPPER for item in self.installers)

    @property
    def mounts(self) -> list[Json]:
        found: list[Json] = [
            {"name": "access", "mountPath": ACCESS, "readOnly": True},
            {"name": "scratch", "mountPath": _SCRATCH},
        ]
        if self.secret_dir:
            found.append({"name": "secret", "mountPath": self.secret_dir, "readOnly": True})
        if self.wrapped:
            found.append({"name": "wrapper", "mountPath": _WRAPPER_DIR, "readOnly": True})
        if self.snapshot:
            found.append({"name": agent_snapshot.NAME, "mountPath": agent_snapshot.MOUNT, "readOnly": True})
        return found


def contents(agent: Agent, images: Images, wall_clock_seconds: int) -> Contents:
    """The container of an agent that runs as a Job."""
    found = _contents(agent, images, wall_clock_seconds)
    if not agent.mount_snapshot:
        return found
    return dataclasses.replace(
        found,
        env={**found.env, "SNAPSHOT_DIR": agent_snapshot.MOUNT},
        installers=(*found.installers, agent_snapshot.installer(images.agent)),
        snapshot=True,
    )


def _contents(agent: Agent, images: Images, wall_clock_seconds: int) -> Contents:
    match agent.kind:
        case AgentKind.TRIAGE:
            return Contents(agent.image or images.agent)
        case AgentKind.STIRRUP:
            return Contents(
                agent.image or images.shell,
                ("python3", "-m", "reprise.agents.stirrup_harness"),
                _model(agent) | _own(agent),
                limits={"cpu": "2", "memory": "2Gi"},
            )
        case AgentKind.SCRIPTED:
            return Contents(
                agent.image or images.agent,
                ("python3", "-m", "reprise.agents.scripted"),
                {"TRAJECTORY_FILE": f"{_SECRET_DIR}/{TRAJECTORY_KEY}"},
                secret_dir=_SECRET_DIR,
            )
        case AgentKind.COMMAND:
            return _command(agent, images, wall_clock_seconds)
        case AgentKind.EXTERNAL | AgentKind.NONE:
            raise ValueError(f"kind {agent.kind} runs no Job")
        case _:
            assert_never(agent.kind)


def _command(agent: Agent, images: Images, wall_clock_seconds: int) -> Contents:
    seconds = max(wall_clock_seconds - _SPARE_SECONDS, wall_clock_seconds // 2)
    answer = agent.answer_file or f"{_SCRATCH}/answer.json"
    env = _model(agent) | _own(agent)
    if agent.secret:
        env["SECRET_DIR"] = _SECRET_DIR
    wrapper = ("python3", f"{_WRAPPER_DIR}/wrapper.py", "--seconds", str(seconds), "--answer", answer, "--")
    return Contents(
        agent.image,
        (*wrapper, *map(_literal, agent.command)),
        env,
        all_of_secret=bool(agent.secret),
        secret_dir=_SECRET_DIR if agent.secret else "",
        limits={"cpu": "2", "memory": "2Gi"},
        installers=(
            {
                "name": WRAPPER,
                "image": images.agent,
                "command": ["python3", "-m", "reprise.agents.command.wrapper", "--install", _WRAPPER_DIR],
                "volumeMounts": [{"name": "wrapper", "mountPath": _WRAPPER_DIR}],
            },
        ),
    )


def _model(agent: Agent) -> dict[str, str]:
    if agent.model is None:
        return {}
    found = {"MODEL_ENDPOINT": agent.model.endpoint, "MODEL_NAME": agent.model.name}
    return found | ({"MODEL_KEY_FILE": f"{ACCESS}/{MODEL_KEY}"} if agent.model.secret else {})


def _own(agent: Agent) -> dict[str, str]:
    return {item.name: _literal(item.value) for item in agent.env}


def _literal(text: str) -> str:
    """As it was given: in commands and variables Kubernetes reads `$(NAME)`, and `$$` as one dollar sign."""
    return text.replace("$", "$$")
