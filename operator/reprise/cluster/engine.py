"""The container engine: Podman with settings of our own in files of our own, or Docker as it is.

`tools.engine` says which.
"""

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reprise.cluster.tools import Tools

NETWORK = "reprise"
_CA_CANDIDATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_INSIDE_CA = "/etc/ssl/certs/ca-certificates.crt"


def settings(nofile_hard: int) -> str:
    """The text of our containers.conf.

    NB: Podman asks for more open files than a container without CAP_SYS_RESOURCE may have, and its default
    runtime refuses a hybrid cgroup tree; both stop every container.
    """
    return (
        "[containers]\n"
        f'default_ulimits = ["nofile={nofile_hard}:{nofile_hard}", "nproc=32768:32768"]\n'
        # A node is one container: Podman's 2048 processes and threads would be shared by all of its pods.
        "pids_limit = 0\n"
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
    )


def environment(folder: Path) -> dict[str, str]:
    """Write containers.conf into the folder.

    Returns the variables that make Podman and kind use it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    path = folder / "containers.conf"
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
    return tools.run([tools.engine, "image", "inspect", tag], log=tools.engine, check=False).code == 0


def import_rootfs(tools: Tools, archive: Path, tag: str) -> None:
    """Make an image from a root file system's tar file."""
    tools.run([tools.engine, "import", "--change", 'CMD ["/bin/sh"]', archive, tag], log=tools.engine)


@contextmanager
def context(files: Mapping[str, Path]) -> Iterator[Path]:
    """A temporary build context.

    Path in the context → file or folder, linked where possible and else copied.
    """
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
    if tools.engine == "podman":
        extra += ["--format", "docker"]
        if bundle := ca_bundle():
            extra += ["--volume", f"{bundle.resolve()}:{_INSIDE_CA}:ro"]
    tools.run([tools.engine, "build", "--network", "host", "--tag", tag, *extra, folder], log=log)


def save(tools: Tools, names: Sequence[str], out: Path) -> None:
    """Write an archive with the image under its tags."""
    form = ["--format", "docker-archive"] if tools.engine == "podman" else []
    tools.run([tools.engine, "save", *form, "--output", out, *names], log=tools.engine)


def containers(tools: Tools, *filters: str) -> list[dict[str, object]]:
    """`podman ps --all` as Podman's JSON."""
    words = [word for one in filters for word in ("--filter", one)]
    found: list[dict[str, object]] = json.loads(
        tools.run([tools.engine, "ps", "--all", "--format", "json", *words], log=tools.engine).stdout or "[]"
    )
    return found


def tags(tools: Tools) -> list[str]:
    """Every image in Podman's store, as repository:tag."""
    return tools.run(
        [tools.engine, "images", "--format", "{{.Repository}}:{{.Tag}}"], log=tools.engine
    ).stdout.split()


def forget_older(tools: Tools, repository: str, keep: str) -> None:
    """Remove the repository's other tags; the layers that `keep` shares with them stay."""
    old = [tag for tag in tags(tools) if tag.startswith(f"{repository}:") and tag != keep]
    for tag in old:
        # in use by somebody: then the next time
        tools.run([tools.engine, "rmi", tag], log=tools.engine, check=False)


def remove_images(tools: Tools, names: Collection[str]) -> None:
    """Remove the images that we built: `reprise-*` and the named ones, all from localhost."""
    ours = [
        tag
        for tag in tags(tools)
        if tag.startswith("localhost/reprise-")
        or tag.rpartition(":")[0] in {f"localhost/{name}" for name in names}
    ]
    for tag in ours:
        # NB: never with --force, which would take containers of another state directory along
        tools.run([tools.engine, "rmi", tag], log=tools.engine, check=False)
