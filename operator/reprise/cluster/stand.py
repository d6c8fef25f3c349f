"""Makes the cluster stand: recognises what is there, then keeps, revives or remakes it."""

from dataclasses import dataclass, replace
from pathlib import Path

from reprise.cluster import detect, install, kind, nodes, paths, repair, state
from reprise.cluster.progress import Progress
from reprise.cluster.state import Condition, Remembered
from reprise.cluster.tools import Tools
from reprise.domain import errors

API_SECONDS = 90


@dataclass(frozen=True)
class Asked:
    """The cluster that is wanted; `image` is None where kind takes its own node image."""

    name: str
    profile: str
    workers: int
    image: str | None


@dataclass(frozen=True)
class Maker:
    """Brings one kind cluster from whatever it is to running."""

    asked: Asked
    containers: nodes.Nodes
    kind_program: Path | str
    kubectl_program: Path | str
    tools: Tools
    progress: Progress

    @property
    def kubeconfig(self) -> Path:
        return paths.kubeconfig_path(self.asked.name)

    @property
    def kubectl(self) -> install.Kubectl:
        return install.Kubectl(self.tools, self.kubectl_program, self.kubeconfig)

    def ensure(self) -> Remembered:
        """The record of a running cluster. Raises Conflict when what is there must not be touched."""
        remembered = state.load(self.asked.name)
        found = self.containers.all()
        condition, why = state.recognise(remembered, found, self.kubeconfig.is_file())
        refuse(self.asked, remembered, condition, why)
        if remembered and condition in (Condition.RUNNING, Condition.STOPPED):
            patience = API_SECONDS
            if self.containers.engine == "podman" and not nodes.have_processes(found):
                why += ", with no process left"
                patience = 0  # asked once all the same: what answers is not taken away
            with self.progress.step("cluster answers") as step:
                healthy = repair.revive(self.containers, self.kubectl, patience)
                if condition is Condition.STOPPED:
                    why += ", started again" if healthy else ", does not come back after a start"
                step.note = why
            if healthy:
                if self.asked.image and remembered.node_image != self.asked.image:
                    self.progress.say(
                        "  note: the node image changed since; `reprise down` and `up` renew it"
                    )
                return remembered
            condition, why = Condition.HALF_MADE, "its API server or nodes do not answer"
        if condition is Condition.HALF_MADE:
            self.progress.say(f"  the cluster is not usable ({why}): removing it and making it anew")
            with self.progress.step("old cluster removed"):
                self.containers.remove_with_volumes()
        return self._make(remembered)

    def _make(self, before: Remembered | None) -> Remembered:
        asked = self.asked
        made_modules = nodes.ensure_lib_modules() or (before is not None and before.made_lib_modules)
        begun = Remembered(
            name=asked.name,
            profile=asked.profile,
            workers=asked.workers,
            gateway_port=kind.free_port(kind.PREFERRED_GATEWAY_PORT),
            node_image=asked.image or detect.NODE_IMAGE,
            made_lib_modules=made_modules,
        )
        # written first: what an interruption leaves is then known to be ours
        state.save(begun)
        with self.progress.step(f"cluster with {asked.workers} worker(s)"):
            cluster = kind.KindCluster(
                asked.name,
                asked.workers,
                kind.free_port(kind.PREFERRED_API_PORT),
                begun.gateway_port,
                paths.data_dir(asked.name),
                paths.archives_dir(),
                asked.image is not None,
            )
            kind.create(self.tools, self.kind_program, cluster, asked.image, self.kubeconfig)
        with self.progress.step("nodes ready"):
            self.kubectl.run("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={API_SECONDS}s")
        finished = replace(begun, finished=True)
        state.save(finished)
        return finished


def refuse(asked: Asked, remembered: Remembered | None, condition: Condition, why: str) -> None:
    """Raise Conflict where going on would touch what is not ours, or throw away a cluster that is whole.

    Pure.
    """
    cluster = kind.cluster_name(asked.name)
    if condition is Condition.FOREIGN:
        raise errors.Conflict(
            f"kind cluster {cluster!r}: {why}; remove it with `kind delete cluster --name "
            f"{cluster}` or choose "
            "another --name"
        )
    whole = condition in (Condition.RUNNING, Condition.STOPPED)
    if whole and remembered and remembered.workers != asked.workers:
        raise errors.Conflict(
            f"the cluster was made with {remembered.workers} worker(s), {asked.workers} asked for: "
            "run `reprise down` first"
        )
