"""The programs of the host that a closed-network build needs, and how to get them."""

import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from reprise.cluster import tools as toolbox
from reprise.cluster.tools import Tools
from reprise.domain import errors

# program → Debian package
PACKAGES = {
    "podman": "podman",
    "runc": "runc",
    "conmon": "conmon",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "nft": "nftables",
    "netavark": "netavark",
    "aardvark-dns": "aardvark-dns",
    # for programs that call C; gencat comes with the headers, which have no program of their own
    "gcc": "gcc",
    "gencat": "libc6-dev",
}
# installed as helpers, not on PATH
_HELPER_FOLDERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/lib/netavark")
FREE_GIB_COLD, FREE_GIB_WARM = 30, 8


def find(program: str) -> bool:
    """True when the program is on PATH or where Podman keeps its helpers."""
    helpers = (Path(folder) / program for folder in _HELPER_FOLDERS)
    return toolbox.which(program) is not None or any(path.is_file() for path in helpers)


def missing_packages(has: Callable[[str], bool]) -> list[str]:
    """Debian packages that are wanting, sorted."""
    return sorted({package for program, package in PACKAGES.items() if not has(program)})


@dataclass(frozen=True)
class Host:
    """What decides whether a closed-network build can run here."""

    root: bool
    debian: bool
    has_go: bool
    free_gib: float
    missing: tuple[str, ...]


def look(cache: Path) -> Host:
    """Look at this machine."""
    folder = cache
    while not folder.exists():
        folder = folder.parent
    return Host(
        root=os.geteuid() == 0,
        debian=Path("/etc/debian_version").is_file() and toolbox.which("apt-get") is not None,
        has_go=toolbox.which("go") is not None,
        free_gib=shutil.disk_usage(folder).free / 2**30,
        missing=tuple(missing_packages(find)),
    )


def problems(host: Host, warm: bool) -> list[str]:
    """Why a closed-network build cannot run here, all reasons at once; empty when it can. Pure.

    On Debian as root missing packages are no problem: they get installed.
    """
    found = []
    if not host.root:
        found.append("a closed-network build makes containers that run containers: run it as root")
    if not host.has_go:
        found.append(
            "expected Go (1.21 or newer) on PATH, found none: install it, e.g. from your distribution"
        )
    needed = FREE_GIB_WARM if warm else FREE_GIB_COLD
    if host.free_gib < needed:
        found.append(
            f"expected {needed} GiB of free disk for the cache, found {host.free_gib:.0f} GiB: make room"
        )
    if host.missing and not (host.debian and host.root):
        found.append(f"these programs' packages are missing (Debian names): install {' '.join(host.missing)}")
    return found


def install(tools: Tools, packages: Collection[str]) -> None:
    """Install Debian packages. Raises ToolFailed."""
    apt = tools.with_env(DEBIAN_FRONTEND="noninteractive")
    apt.run(["apt-get", "update", "-q"], log="apt")
    apt.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *sorted(packages)], log="apt")


def require(host: Host, warm: bool) -> None:
    """Raise Unsupported with every problem."""
    if found := problems(host, warm):
        raise errors.Unsupported("; ".join(found))
