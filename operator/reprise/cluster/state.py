"""What is remembered about a cluster, and what its containers say about it."""

import enum
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reprise.cluster import paths
from reprise.cluster.alert_profile import AlertProfile
from reprise.domain import errors


@dataclass(frozen=True)
class Remembered:
    """`<state>/state.json`, written before the cluster is made and again when it stands."""

    name: str
    profile: str
    workers: int
    gateway_port: int
    node_image: str
    finished: bool = False
    made_lib_modules: bool = False
    # the last one asked for; another `up` that does not say keeps it
    alert_profile: str = AlertProfile.SHORT.value


@dataclass(frozen=True)
class NodeContainer:
    """A node as the container engine sees it. `status` is the engine's word, `running` when it runs; `pid` is
    that of its first process, 0 when the engine names none."""

    name: str
    role: str
    status: str
    image: str
    pid: int = 0

    @property
    def running(self) -> bool:
        return self.status.lower() in ("running", "up") or self.status.startswith("Up ")


class Condition(enum.Enum):
    """What stands there."""

    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    HALF_MADE = "half-made"
    FOREIGN = "foreign"


def recognise(
    remembered: Remembered | None, nodes: Sequence[NodeContainer], has_kubeconfig: bool
) -> tuple[Condition, str]:
    """What stands there, and a sentence that says why. Pure.

    A cluster is foreign when its containers exist and nothing of ours remembers having begun it.
    """
    if not nodes:
        return Condition.ABSENT, "no containers"
    if remembered is None:
        return Condition.FOREIGN, f"{len(nodes)} containers that this program does not remember having made"
    if not remembered.finished:
        return Condition.HALF_MADE, "its making did not end"
    if len(nodes) != remembered.workers + 1:
        return Condition.HALF_MADE, f"expected {remembered.workers + 1} containers, found {len(nodes)}"
    if not has_kubeconfig:
        return Condition.HALF_MADE, "its kubeconfig is gone"
    stopped = sorted(node.name for node in nodes if not node.running)
    if stopped:
        return Condition.STOPPED, f"not running: {', '.join(stopped)}"
    return Condition.RUNNING, f"{len(nodes)} containers running"


def _path(name: str) -> Path:
    return paths.state_dir(name) / "state.json"


def load(name: str) -> Remembered | None:
    """What is remembered, None when nothing is. Raises Corrupt when the file cannot be read as such."""
    try:
        text = _path(name).read_text()
    except FileNotFoundError:
        return None
    try:
        return Remembered(**json.loads(text))
    except (ValueError, TypeError) as exc:
        raise errors.Corrupt(
            f"expected the record of a cluster in {_path(name)}, found {text[:80]!r}; remove the file"
        ) from exc


def save(remembered: Remembered) -> None:
    """Write it whole or not at all."""
    path = _path(remembered.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(remembered), indent=2) + "\n")
    os.replace(temporary, path)


def forget(name: str) -> None:
    """Remove the record."""
    _path(name).unlink(missing_ok=True)
