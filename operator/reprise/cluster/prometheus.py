"""The pinned Prometheus as a program on this machine."""

from pathlib import Path

from reprise.cluster import gobuild, paths
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools


def ensure(tools: Tools, progress: Progress) -> Path:
    """The one that `reprise up` has built, built now (some minutes) when it is not there.

    Raises NotFound without a checkout or without Go, Unsupported when Go is too old, ToolFailed when it does
    not build.
    """
    folder = paths.repository_root() / "images" / "go" / "prometheus"
    module = gobuild.GoModule(folder, gobuild.find_toolchain(tools))
    store = Store(paths.cache_dir())
    if not module.built(store):
        progress.say("compiles the pinned Prometheus, which answers the questions about metrics")
    return module.ensure_visibly(store, tools, progress) / "prometheus"
