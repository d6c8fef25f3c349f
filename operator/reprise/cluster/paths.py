"""Where things lie: cache and state outside the checkout, sources inside it."""

import os
from pathlib import Path

from reprise.domain import errors

DEFAULT_NAME = "reprise"


def _base(variable: str, xdg_variable: str, fallback: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own).expanduser().absolute()
    xdg = os.environ.get(xdg_variable)
    return (Path(xdg) if xdg else Path.home() / fallback).absolute() / "reprise"


def cache_dir() -> Path:
    """Built artefacts, shared by all clusters: `$REPRISE_CACHE`, else below the XDG cache directory."""
    return _base("REPRISE_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir(name: str = DEFAULT_NAME) -> Path:
    """What belongs to one cluster: `$REPRISE_STATE`, else below the XDG state directory.

    The default cluster's files lie in it directly, those of others in `clusters/<name>`.
    """
    base = _base("REPRISE_STATE", "XDG_STATE_HOME", ".local/state")
    return base if name == DEFAULT_NAME else base / "clusters" / name


def kubeconfig_path(name: str = DEFAULT_NAME) -> Path:
    """The only kubeconfig that is ever written."""
    return state_dir(name) / "kubeconfig"


def default_kubeconfig() -> Path:
    """The kubeconfig that kubectl would use; read, never written."""
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named) if named else Path.home() / ".kube" / "config"


def data_dir(name: str = DEFAULT_NAME) -> Path:
    """Snapshots and audit trails; the nodes see it as `/var/lib/reprise`."""
    return state_dir(name) / "data"


def logs_dir(name: str = DEFAULT_NAME) -> Path:
    """One file a tool, appended to."""
    return state_dir(name) / "logs"


def archives_dir() -> Path:
    """Image archives; the nodes see it read-only as `/kind/archives`."""
    return cache_dir() / "archives"


def kubectl_path() -> Path:
    """The kubectl of the cluster's own version, once it is built."""
    return cache_dir() / "bin" / "kubectl"


def repository_root() -> Path:
    """The checkout with `images/` and `manifests/`, above this file or above the working directory.

    Raises NotFound when there is none: the images cannot be built from an installed package alone.
    """
    for start in (Path(__file__).resolve(), Path.cwd() / "x"):
        for folder in start.parents:
            if (folder / "images" / "go").is_dir() and (folder / "manifests").is_dir():
                return folder
    raise errors.NotFound(
        "expected a checkout with images/ and manifests/ above this package or the working "
        "directory, found none; "
        "run the command inside a clone of the repository"
    )
