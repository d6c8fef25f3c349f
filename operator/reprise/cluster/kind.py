"""kind: the cluster's configuration, its making and its removal."""

import socket
from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.cluster import paths
from reprise.cluster.tools import Tools
from reprise.domain import errors

GATEWAY_NODE_PORT = 30443
# Both below the ports that a kernel gives to who asks for any (from 32768 on Linux). The engine forwards a
# published port even while nobody listens there (its containers died, its rules did not): a stranger who
# is given that port cannot be reached on it.
PREFERRED_API_PORT = 16343
PREFERRED_GATEWAY_PORT = 16443
PORTS_TRIED = 100
LABEL_CLUSTER = "io.x-k8s.kind.cluster"
LABEL_ROLE = "io.x-k8s.kind.role"

_KUBELET = {
    "kind": "KubeletConfiguration",
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "maxPods": 200,
    "featureGates": {"KubeletInUserNamespace": True},
    # metrics-server reads the kubelets within one scrape of a pod's start
    "containerLogMaxSize": "20Mi",
}

# Guards against hanging, not limits. kubeadm's first call to the API server has one minute by default, and
# that minute begins before the kubelet does: on a slow disk the images are still being imported.
_TIMEOUTS = {
    "controlPlaneComponentHealthCheck": "10m0s",
    "kubeletHealthCheck": "10m0s",
    "kubernetesAPICall": "10m0s",
    "etcdAPICall": "10m0s",
    "tlsBootstrap": "10m0s",
    "discovery": "10m0s",
}
_KUBEADM = tuple(
    {"kind": kind, "apiVersion": "kubeadm.k8s.io/v1beta4", "timeouts": _TIMEOUTS}
    for kind in ("InitConfiguration", "JoinConfiguration")
)


def cluster_name(name: str) -> str:
    """kind's name for our cluster.

    Node names begin with it and agents see them, so it says nothing about us.
    """
    return "local" if name == paths.DEFAULT_NAME else f"local-{name}"


def free_port(preferred: int) -> int:
    """The first port from `preferred` on where nobody listens on the loopback address.

    Raises Conflict when `PORTS_TRIED` of them are taken.
    """
    for port in range(preferred, preferred + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise errors.Conflict(
        f"expected a free port on 127.0.0.1 from {preferred} to {preferred + PORTS_TRIED - 1}; all are taken"
    )


@dataclass(frozen=True)
class KindCluster:
    """What kind is asked for. `closed` means a node image of ours: no CNI of kind's, cgroupfs."""

    name: str
    workers: int
    api_port: int
    gateway_port: int
    data: Path
    archives: Path
    closed: bool

    def config(self) -> str:
        """kind's YAML."""
        mounts = [
            {"hostPath": str(self.data), "containerPath": "/var/lib/reprise"},
            {"hostPath": str(self.archives), "containerPath": "/kind/archives", "readOnly": True},
        ]
        control_plane: dict[str, object] = {
            "role": "control-plane",
            "extraMounts": mounts,
            "extraPortMappings": [
                {
                    "containerPort": GATEWAY_NODE_PORT,
                    "hostPort": self.gateway_port,
                    "listenAddress": "127.0.0.1",
                    "protocol": "TCP",
                }
            ],
        }
        workers = [{"role": "worker", "extraMounts": mounts} for _ in range(self.workers)]
        networking: dict[str, object] = {
            "apiServerAddress": "127.0.0.1",
            "apiServerPort": self.api_port,
        }
        config: dict[str, object] = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": cluster_name(self.name),
            "networking": networking,
            "nodes": [control_plane, *workers],
        }
        if self.closed:
            networking |= {"disableDefaultCNI": True, "kubeProxyMode": "nftables"}
            config["kubeadmConfigPatches"] = [
                yaml.safe_dump(patch, sort_keys=False) for patch in (_KUBELET, *_KUBEADM)
            ]
        dumped: str = yaml.safe_dump(config, sort_keys=False)
        return dumped


def create(tools: Tools, kind: Path | str, cluster: KindCluster, image: str | None, kubeconfig: Path) -> None:
    """Create the cluster.

    Its only kubeconfig is `kubeconfig`. What a failed creation left is kept for repair.
    """
    cluster.data.mkdir(parents=True, exist_ok=True)
    cluster.archives.mkdir(parents=True, exist_ok=True)
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    temporary = kubeconfig.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    words: list[str | Path] = [
        kind,
        "create",
        "cluster",
        "--config",
        "-",
        "--kubeconfig",
        temporary,
        "--retain",
    ]
    tools.run([*words, *(["--image", image] if image else [])], log="kind", stdin=cluster.config())
    temporary.chmod(0o600)
    temporary.replace(kubeconfig)
