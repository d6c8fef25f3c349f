"""`reprise down`: removes what `reprise up` made, and nothing else."""

import shutil
from collections.abc import Collection

from reprise.cluster import engine, kind, nodes, paths, state
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

_OWN_FILES = ("kubeconfig", "kubeconfig.new", "kubeconfig.lock", "kubeconfig.new.lock")


def down(tools: Tools, name: str, progress: Progress) -> None:
    """Remove the cluster's containers, volumes, network and record. Data and logs stay.

    Raises Conflict when the containers are not ours.
    """
    remembered = state.load(name)
    engine_name = (
        "docker" if remembered and remembered.profile == "pull" and shutil.which("docker") else "podman"
    )
    if shutil.which(engine_name):
        containers = nodes.Nodes(tools, engine_name, kind.cluster_name(name))
        there = containers.all()
        if there and remembered is None:
            raise errors.Conflict(
                f"expected containers of our making, found kind cluster {kind.cluster_name(name)!r} "
                f"that this "
                "program does not remember; it leaves them alone"
            )
        with progress.step("containers and volumes removed") as step:
            step.note = f"{len(there)} node(s)"
            containers.remove_with_volumes()
        if engine_name == "podman" and not nodes.remove_network(tools):
            progress.say(f"  the network {engine.NETWORK} stays: another cluster uses it")
    for file in _OWN_FILES:
        (paths.state_dir(name) / file).unlink(missing_ok=True)
    state.forget(name)
    if remembered and remembered.made_lib_modules and not nodes.others_remember(name):
        nodes.remove_lib_modules()


def remove_cache(tools: Tools, store: Store, image_names: Collection[str], progress: Progress) -> None:
    """Remove every built artefact, and from Podman's store the images that were built for it.

    Raises Conflict while a cluster of ours stands: its nodes use both.
    """
    if nodes.others_remember(None):
        raise errors.Conflict("another cluster uses the cache; run `reprise down --name` for it first")
    if shutil.which("podman"):
        with progress.step("built images removed"):
            engine.remove_images(tools, image_names)
    with progress.step("cache removed"):
        shutil.rmtree(store.root, ignore_errors=True)
