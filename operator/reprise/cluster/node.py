"""The node image of the closed-network build, and the images of the control plane inside it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprise.cluster import archive, engine, gobuild, keys
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

# Go module → program → what the program is called in the node or in its image
HOST_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("kubelet", "kubeadm", "kubectl"),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
}
# what kubeadm calls the image's last part → (Go module, program, path in the image)
STATIC_IMAGES: Mapping[str, tuple[str, str, str]] = {
    "kube-apiserver": ("kubernetes", "kube-apiserver", "/usr/local/bin/kube-apiserver"),
    "kube-controller-manager": (
        "kubernetes",
        "kube-controller-manager",
        "/usr/local/bin/kube-controller-manager",
    ),
    "kube-scheduler": ("kubernetes", "kube-scheduler", "/usr/local/bin/kube-scheduler"),
    "etcd": ("etcd", "server", "/usr/local/bin/etcd"),
    "coredns": ("coredns", "coredns", "/coredns"),
    "pause": ("pause", "pause", "/pause"),
}
PROXY = "kube-proxy"
MODULES = ("kubernetes", "containerd", "etcd", "coredns", "pause")

# NB: netbase has /etc/protocols. Without it nft lists `6` where kube-proxy has written `tcp`: with each full
# sync, at its start and every hour, kube-proxy then takes all Services for leftovers and deletes them.
_PROXY_IMAGE = """\
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update && apt-get install -y --no-install-recommends nftables netbase conntrack kmod \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY kube-proxy /usr/local/bin/kube-proxy
"""


@dataclass(frozen=True)
class NodeImage:
    """Everything the image comes from. `programs` maps a Go module to the folder of its programs."""

    root: Path
    debian: str
    modules: tuple[gobuild.GoModule, ...]

    @property
    def folder(self) -> Path:
        return self.root / "images" / "node"

    def key(self) -> str:
        """Changes with the folder `images/node`, the base and every program inside."""
        return keys.of(
            keys.of_tree(self.folder), self.debian, *(module.key() for module in self.modules), _PROXY_IMAGE
        )

    def tag(self) -> str:
        return f"localhost/reprise-node:{self.key()}"

    def ensure(self, store: Store, tools: Tools) -> str:
        """Build it unless Podman has it; returns its tag."""
        if engine.has_image(tools, self.tag()):
            return self.tag()
        programs = {module.name: module.ensure(store, tools) for module in self.modules}
        with store.lock("node-image"), engine.context(self._files(programs)) as context:
            self._complete(context, programs, tools)
            engine.build(tools, context, self.tag(), {"DEBIAN": self.debian}, "node-image")
        return self.tag()

    def _files(self, programs: Mapping[str, Path]) -> dict[str, Path]:
        files = {name: self.folder / name for name in ("Containerfile", "rootfs", "netagent")}
        for module, names in HOST_PROGRAMS.items():
            files |= {f"bin/{name}": programs[module] / name for name in names}
        return files

    def _complete(self, context: Path, programs: Mapping[str, Path], tools: Tools) -> None:
        """Add what is made here: the version, the control plane's images, the name of the pause image."""
        (context / "netagent").mkdir(exist_ok=True)
        (context / "version").write_text(gobuild.KUBERNETES_VERSION + "\n")
        wanted = image_names(programs["kubernetes"] / "kubeadm", tools)
        images = context / "images"
        images.mkdir()
        for name, (module, program, path) in STATIC_IMAGES.items():
            archive.write(images / f"{name}.tar", [wanted[name]], [path], {path: programs[module] / program})
        self._kube_proxy(images / f"{PROXY}.tar", wanted[PROXY], programs["kubernetes"] / PROXY, tools)
        config = context / "rootfs" / "etc" / "containerd" / "config.toml"
        text = config.read_text()
        if "@PAUSE_IMAGE@" not in text:
            raise errors.Corrupt(
                f"expected the mark @PAUSE_IMAGE@ in {config.name} of images/node, found none"
            )
        config.write_text(text.replace("@PAUSE_IMAGE@", wanted["pause"]))

    def _kube_proxy(self, out: Path, tag: str, program: Path, tools: Tools) -> None:
        """The one image with something beside its program: kube-proxy calls nft."""
        with engine.context({PROXY: program}) as context:
            (context / "Containerfile").write_text(_PROXY_IMAGE)
            engine.build(tools, context, tag, {"DEBIAN": self.debian}, "kube-proxy-image")
        engine.save(tools, [tag], out)
        # the archive is all that is needed; the name is not ours to keep in Podman's store
        tools.run([tools.engine, "rmi", tag], log=tools.engine, check=False)


def image_names(kubeadm: Path, tools: Tools) -> dict[str, str]:
    """What this kubeadm calls the images of its control plane, by their last part.

    Raises ToolFailed, Corrupt.
    """
    listed = tools.run(
        [kubeadm, "config", "images", "list", "--kubernetes-version", gobuild.KUBERNETES_VERSION],
        log="kubeadm",
    ).stdout.split()
    names = {line.rpartition("/")[2].partition(":")[0]: line for line in listed}
    missing = sorted({*STATIC_IMAGES, PROXY} - set(names))
    if missing:
        raise errors.Corrupt(
            f"expected kubeadm to list an image for each of {missing}, found {sorted(names)}"
        )
    return names


def install_kubectl(programs: Path, target: Path) -> None:
    """Copy kubectl to where people and other parts find it, atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    shutil.copy2(programs / "kubectl", temporary)
    temporary.replace(target)
