"""Podman, with settings of our own in files of our own."""

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reprise.cluster.tools import Tools

NETWORK = "reprise"
_CA_CANDIDATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_INSIDE_CA = "/etc/ssl/certs/ca-certificates.crt"


def settings(nofile_hard: int) -> str:
    """The text of our containers.conf.

    NB: Podman asks for more open files than a container without CAP_SYS_RESOURCE may have, and its default runtime
    refuses a hybrid cgroup tree; both stop every container.
    """
    return (
        "[containers]\n"
        f'default_ulimits = ["nofile={nofile_hard}:{nofile_hard}", "nproc=32768:32768"]\n'
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
    )


def environment(state: Path) -> dict[str, str]:
    """Write containers.conf into the state directory; returns the variables that make Podman and kind use it."""
    state.mkdir(parents=True, exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    path = state / "containers.conf"
    path.write_text(settings(hard if hard > 0 else 1048576))
    return {
        "CONTAINERS_CONF": str(path),
        "KIND_EXPERIMENTAL_PROVIDER": "podman",
        "KIND_EXPERIMENTAL_PODMAN_NETWORK": NETWORK,
    }


def ca_bundle() -> Path | None:
    """The certificates this machine trusts, as its environment or its distribution says."""
    named = [os.environ.get(variable) for variable in _CA_VARIABLES]
    for candidate in (*named, *_CA_CANDIDATES):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def has_image(tools: Tools, tag: str) -> bool:
    """True when Podman's own store has the image."""
    return tools.run(["podman", "image", "exists", tag], log="podman", check=False).code == 0


def import_rootfs(tools: Tools, archive: Path, tag: str) -> None:
    """Make an image from a root file system's tar file."""
    tools.run(["podman", "import", "--change", 'CMD ["/bin/sh"]', archive, tag], log="podman")


@contextmanager
def context(files: Mapping[str, Path]) -> Iterator[Path]:
    """A temporary build context: path in the context → file or folder, linked where possible and else copied."""
    with tempfile.TemporaryDirectory(prefix="reprise-context-") as folder:
        root = Path(folder)
        for name, source in files.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(
                    source,
                    target,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info"),
                )
            else:
                shutil.copy2(source, target)
        yield root


def build(tools: Tools, folder: Path, tag: str, arguments: Mapping[str, str], log: str) -> None:
    """Build the Containerfile in `folder`. apt and pip inside trust what this machine trusts."""
    extra: list[str] = []
    for key, value in sorted(arguments.items()):
        extra += ["--build-arg", f"{key}={value}"]
    if bundle := ca_bundle():
        extra += ["--volume", f"{bundle.resolve()}:{_INSIDE_CA}:ro"]
    tools.run(
        ["podman", "build", "--network", "host", "--format", "docker", "--tag", tag, *extra, folder], log=log
    )


def save(tools: Tools, tags: Sequence[str], out: Path) -> None:
    """Write an archive with the image under its tags."""
    tools.run(["podman", "save", "--format", "docker-archive", "--output", out, *tags], log="podman")


def containers(tools: Tools, *filters: str) -> list[dict[str, object]]:
    """`podman ps --all` as Podman's JSON."""
    words = [word for one in filters for word in ("--filter", one)]
    found: list[dict[str, object]] = json.loads(
        tools.run(["podman", "ps", "--all", "--format", "json", *words], log="podman").stdout or "[]"
    )
    return found


def remove_images(tools: Tools) -> None:
    """Remove the images that we built, and the dangling layers of those builds."""
    listed = tools.run(
        ["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"], log="podman"
    ).stdout.split()
    ours = [name for name in listed if name.startswith("localhost/reprise-")]
    if ours:
        tools.run(["podman", "rmi", "--force", *ours], log="podman", check=False)
