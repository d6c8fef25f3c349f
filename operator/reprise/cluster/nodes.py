"""The node containers of our clusters, through the engine that runs them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.cluster import engine, kind, paths
from reprise.cluster.state import NodeContainer
from reprise.cluster.tools import Tools

IN_NODE_ARCHIVES = "/kind/archives"


def node_container(inspected: dict[str, Any]) -> NodeContainer:
    """From what `inspect` of Docker or Podman says. Pure."""
    config = inspected["Config"]
    return NodeContainer(
        name=inspected["Name"].lstrip("/"),
        role=config["Labels"].get(kind.LABEL_ROLE, ""),
        status=inspected["State"]["Status"],
        image=config["Image"],
        pid=int(inspected["State"].get("Pid", 0)),
    )


def have_processes(containers: Sequence[NodeContainer], proc: Path = Path("/proc")) -> bool:
    """False when this machine runs none of the processes that Podman takes for those of the containers.

    Podman learns of an end from a process of its own beside each container: killed together with it, as when
    a machine is put back to an earlier moment, the container is "running" for ever.
    """
    if not (proc / "self").exists():
        return True  # no Linux: the containers are in a machine of their own
    return any(not container.pid or _runs(proc / str(container.pid)) for container in containers)


def _runs(process: Path) -> bool:
    """False for a process that is gone, and for one that has ended and waits: it has no program any more.

    A container's first process waits in its end for all the others, which may wait for a disk; then it
    waits to be reaped by whoever inherited it.
    """
    try:
        (process / "exe").readlink()
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # somebody else's, who may not be looked at
    return True


@dataclass(frozen=True)
class Nodes:
    """The containers of one kind cluster. `engine` is podman or docker."""

    tools: Tools
    engine: str
    cluster: str

    def all(self) -> list[NodeContainer]:
        """All of them, running or not, sorted by name."""
        label = f"label={kind.LABEL_CLUSTER}={self.cluster}"
        ids = self.tools.run(
            [self.engine, "ps", "--all", "--quiet", "--filter", label], log=self.engine
        ).stdout.split()
        if not ids:
            return []
        inspected = json.loads(self.tools.run([self.engine, "inspect", *ids], log=self.engine).stdout)
        return sorted((node_container(one) for one in inspected), key=lambda node: node.name)

    def start(self, names: list[str]) -> None:
        """Start stopped containers."""
        self.tools.run([self.engine, "start", *names], log=self.engine)

    def remove_with_volumes(self) -> None:
        """Remove the containers and the volumes that kind made for them."""
        names = [node.name for node in self.all()]
        if not names:
            return
        format_ = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
        volumes = self.tools.run(
            [self.engine, "inspect", "--format", format_, *names], log=self.engine
        ).stdout.split()
        removal = (self.engine, "rm", "--force", "--volumes")
        # Podman waits 5 s for what the process beside a container tells of its end, and fails when that was
        # killed, too. By then it takes the container for an ended one: asked again, it removes it.
        done = self.tools.run([*removal, *names], log=self.engine, check=False)
        if done.code and (left := [node.name for node in self.all()]):
            self.tools.run([*removal, *left], log=self.engine)
        for volume in volumes:
            self.tools.run([self.engine, "volume", "rm", volume], log=self.engine, check=False)

    def present_images(self, node: str) -> set[str]:
        """References of the images that the node's containerd has."""
        listed = self.tools.run(
            [self.engine, "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"], log="import"
        )
        return set(listed.stdout.split())

    def import_archive(self, node: str, archive: Path) -> None:
        """Import an image archive: from the mount that nodes of ours have, else through standard input."""
        ctr = ["ctr", "-n", "k8s.io", "images", "import", "--snapshotter", "overlayfs"]
        mounted = f"{IN_NODE_ARCHIVES}/{archive.parent.name}/{archive.name}"
        if (
            self.tools.run([self.engine, "exec", node, "test", "-f", mounted], log="import", check=False).code
            == 0
        ):
            self.tools.run([self.engine, "exec", node, *ctr, mounted], log="import")
        else:
            self.tools.run([self.engine, "exec", "-i", node, *ctr, "-"], log="import", stdin=archive)


def remove_network(tools: Tools) -> bool:
    """Remove our network unless containers of another cluster use it; True when it is gone now."""
    if tools.run(["podman", "network", "exists", engine.NETWORK], log="podman", check=False).code != 0:
        return True
    if engine.containers(tools, f"network={engine.NETWORK}"):
        return False
    tools.run(["podman", "network", "rm", engine.NETWORK], log="podman")
    return True


def ensure_lib_modules() -> bool:
    """kind mounts /lib/modules into each node.

    Make an empty one where the kernel has none. True when made.
    """
    path = Path("/lib/modules")
    if path.exists():
        return False
    path.mkdir()
    return True


def remove_lib_modules() -> None:
    """Remove the folder when it is still as empty as we made it."""
    try:
        Path("/lib/modules").rmdir()
    except OSError:
        return  # somebody uses it now


def others_remember(name: str | None) -> bool:
    """True when a cluster of ours is recorded other than `name`."""
    base = paths.state_dir()
    records = [base / "state.json", *base.glob("clusters/*/state.json")]
    own = paths.state_dir(name) if name else None
    return any(record.is_file() and record.parent != own for record in records)
