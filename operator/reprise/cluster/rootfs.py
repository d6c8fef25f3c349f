"""The Debian root file system that every image stands on, made from Debian's signed packages."""

from pathlib import Path

from reprise.cluster import engine, keys
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools

SUITE = "trixie"
RECIPE = ("--variant=apt", "--include=ca-certificates", "--aptopt=Acquire::Retries 3")
# Raised by hand to take newer packages of the same suite: a Debian archive changes without changing its name.
EPOCH = "2026-11"


def key() -> str:
    """Changes with the recipe and the epoch, not with every package update."""
    return keys.of(SUITE, *RECIPE, EPOCH)


def tag() -> str:
    """The image's name in Podman's store."""
    return f"localhost/reprise-debian:{key()}"


def ensure(store: Store, tools: Tools) -> str:
    """Make the root file system and its image; returns the image's tag."""

    def make(out: Path) -> None:
        tools.run(["mmdebstrap", *RECIPE, SUITE, out / "rootfs.tar"], log="mmdebstrap")

    archive = store.ensure("rootfs", f"debian-{SUITE}", key(), make) / "rootfs.tar"
    if not engine.has_image(tools, tag()):
        engine.import_rootfs(tools, archive, tag())
    return tag()
