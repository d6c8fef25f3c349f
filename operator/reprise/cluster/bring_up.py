"""`reprise up`, step by step. Every step finds out by itself whether there is anything to do."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprise.cluster import (
    detect,
    gobuild,
    hostpackages,
    images,
    install,
    kind,
    nodes,
    paths,
    podman,
    repair,
    rootfs,
    state,
    upstream,
)
from reprise.cluster import node as node_image
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

ROLLOUT_SECONDS = 300
API_SECONDS = 90


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    name: str = paths.DEFAULT_NAME
    profile: str = "auto"
    workers: int = 1
    app: str = "lite"
    kubeconfig: Path | None = None
    context: str | None = None


@dataclass(frozen=True)
class Builder:
    """The tools of one `up`."""

    wanted: Wanted
    root: Path
    store: Store
    tools: Tools
    progress: Progress

    def up(self) -> None:
        """Bring everything up. Raises only errors of the tree."""
        with self.store.lock(f"up-{self.wanted.name}"):
            facts = detect.gather(self.tools, bool(self.wanted.kubeconfig or self.wanted.context))
            remembered = state.load(self.wanted.name)
            # A cluster that stands keeps its profile: a registry that answers today does not change it.
            asked = (
                self.wanted.profile if self.wanted.profile != "auto" or not remembered else remembered.profile
            )
            choice = detect.decide(asked, facts)
            self.progress.say(f"profile {choice.profile}: {choice.reason}")
            match choice.profile:
                case "existing":
                    self._existing()
                case "pull":
                    self._pull(facts.engine or "docker")
                case _:
                    self._build()

    def _build(self) -> None:
        self._host()
        toolchain = gobuild.find_toolchain(self.tools)
        modules = tuple(self._module(name, toolchain) for name in node_image.MODULES)
        for module in (*modules, self._module("kind", toolchain)):
            self._compile(module)
        kind_program = self._module("kind", toolchain).ensure(self.store, self.tools) / "kind"
        node_image.install_kubectl(modules[0].ensure(self.store, self.tools), paths.kubectl_path())
        debian = rootfs.tag()
        image = node_image.NodeImage(self.root, debian, modules)
        if not podman.has_image(self.tools, image.tag()):
            with self.progress.step("Debian root file system"):
                rootfs.ensure(self.store, self.tools)
            with self.progress.step("node image"):
                image.ensure(self.store, self.tools)
        remembered = self._cluster("podman", kind_program, "build", image.tag())
        self._fill(
            images.catalogue(self.root, debian, toolchain),
            nodes.Nodes(self.tools, "podman", kind.cluster_name(self.wanted.name)),
            install.Kubectl(self.tools, paths.kubectl_path(), paths.kubeconfig_path(self.wanted.name)),
            f"https://127.0.0.1:{remembered.gateway_port}",
            toolchain,
        )

    def _pull(self, engine: str) -> None:
        """kind with its own node image. Static images still come from the pinned Go modules, so versions agree."""
        toolchain = gobuild.find_toolchain(self.tools)
        remembered = self._cluster(engine, "kind", "pull", None)
        self._fill(
            images.catalogue(self.root, upstream.DEBIAN_IMAGE, toolchain),
            nodes.Nodes(self.tools, engine, kind.cluster_name(self.wanted.name)),
            install.Kubectl(self.tools, "kubectl", paths.kubeconfig_path(self.wanted.name)),
            f"https://127.0.0.1:{remembered.gateway_port}",
            toolchain,
        )

    def _existing(self) -> None:
        """A cluster that somebody else made: images go into its nodes when they are containers here."""
        kubeconfig = self.wanted.kubeconfig or Path.home() / ".kube" / "config"
        program = paths.kubectl_path() if paths.kubectl_path().exists() else "kubectl"
        kubectl = install.Kubectl(self.tools, program, kubeconfig, self.wanted.context)
        if not kubectl.ready():
            raise errors.Unreachable(
                f"expected an API server behind {kubeconfig} that says it is ready, found none; is the cluster up?"
            )
        toolchain = gobuild.find_toolchain(self.tools)
        catalogue = images.catalogue(self.root, rootfs.tag(), toolchain)
        node_names = kubectl.run("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
        found = repair.cluster_of(self.tools, node_names)
        if found is None:
            raise errors.Unsupported(
                f"expected the nodes {', '.join(node_names)} to be kind's containers on this machine, found none: "
                "images cannot be brought into a cluster elsewhere; create a kind cluster, or use `reprise up`"
            )
        address = kubectl.run(
            "get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
        )
        self._fill(catalogue, found, kubectl, f"https://{address}:{kind.GATEWAY_NODE_PORT}", toolchain)

    def _host(self) -> None:
        host = hostpackages.look(self.store.root)
        hostpackages.require(host, warm=(self.store.root / "go").is_dir())
        if host.missing:
            self.progress.say(f"installing Debian packages: {' '.join(host.missing)}")
            with self.progress.step("host packages"):
                hostpackages.install(self.tools, host.missing)

    def _module(self, name: str, toolchain: gobuild.GoToolchain) -> gobuild.GoModule:
        return gobuild.GoModule(self.root / "images" / "go" / name, toolchain)

    def _compile(self, module: gobuild.GoModule) -> None:
        if not module.built(self.store):
            with self.progress.step(f"compile {module.name}"):
                module.ensure(self.store, self.tools)
            self.store.prune("go", module.name)

    def _cluster(self, engine: str, program: Path | str, profile: str, image: str | None) -> state.Remembered:
        """A running cluster with a ready API server."""
        name, kubeconfig = self.wanted.name, paths.kubeconfig_path(self.wanted.name)
        containers = nodes.Nodes(self.tools, engine, kind.cluster_name(name))
        kubectl = install.Kubectl(self.tools, paths.kubectl_path() if image else "kubectl", kubeconfig)
        remembered = state.load(name)
        condition, why = state.recognise(remembered, containers.all(), kubeconfig.is_file())
        if condition is state.Condition.FOREIGN:
            raise errors.Conflict(
                f"kind cluster {kind.cluster_name(name)!r}: {why}; remove it with `kind delete cluster "
                f"--name {kind.cluster_name(name)}` or choose another --name"
            )
        if (
            remembered
            and condition is not state.Condition.ABSENT
            and remembered.workers != self.wanted.workers
        ):
            raise errors.Conflict(
                f"the cluster was made with {remembered.workers} workers, {self.wanted.workers} are asked for: "
                "run `reprise down` first"
            )
        if condition in (state.Condition.RUNNING, state.Condition.STOPPED):
            with self.progress.step("cluster answers") as step:
                healthy = repair.revive(containers, kubectl, API_SECONDS)
                step.note = why if healthy else f"{why}, does not come back"
            if healthy and remembered:
                if image and remembered.node_image != image:
                    self.progress.say(
                        "  note: the node image changed since; `reprise down` and `up` renew the nodes"
                    )
                return remembered
            condition, why = state.Condition.HALF_MADE, "it did not come back after a start"
        if condition is state.Condition.HALF_MADE:
            self.progress.say(f"  the cluster is not usable ({why}): removing it and making it anew")
            kind.delete(self.tools, program, name, kubeconfig)
        made_modules = nodes.ensure_lib_modules() or (remembered is not None and remembered.made_lib_modules)
        port = kind.free_port(kind.PREFERRED_GATEWAY_PORT)
        begun = state.Remembered(
            name,
            profile,
            self.wanted.workers,
            port,
            image or detect.NODE_IMAGE,
            made_lib_modules=made_modules,
        )
        state.save(begun)
        with self.progress.step(f"cluster with {self.wanted.workers} worker(s)"):
            cluster = kind.KindCluster(
                name, self.wanted.workers, port, paths.data_dir(name), paths.archives_dir(), image is not None
            )
            kind.create(self.tools, program, cluster, image, kubeconfig)
        with self.progress.step("nodes ready"):
            kubectl.run("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={API_SECONDS}s")
        finished = replace(begun, finished=True)
        state.save(finished)
        return finished

    def _fill(
        self,
        catalogue: Mapping[str, images.Image],
        containers: nodes.Nodes,
        kubectl: install.Kubectl,
        gateway_url: str,
        toolchain: gobuild.GoToolchain,
    ) -> None:
        """Images, manifests, and the wait until everything runs."""
        application: Sequence[object] | None = None
        if self.wanted.app == "upstream":
            with self.progress.step("upstream chart"):
                helm = self._module("helm", toolchain).ensure(self.store, self.tools) / "helm"
                application = upstream.render(self.tools, helm, self.root)
        manifests = install.load_manifests(self.root, self.tools, kubectl.program, application)
        if manifests.absent:
            self.progress.say(f"  note: not in this checkout: {', '.join(manifests.absent)}")
        names = sorted(manifests.image_names())
        unknown = [name for name in names if name not in catalogue]
        if unknown:
            raise errors.NotFound(
                f"expected images/<name>/Containerfile for each bare image name in the manifests, found none for {unknown}"
            )
        for module in dict.fromkeys(
            image.module for name in names if isinstance(image := catalogue[name], images.StaticImage)
        ):
            self._compile(module)
        self._images([catalogue[name] for name in names], containers, kubectl)
        references = {name: images.reference(catalogue[name]) for name in names}
        with self.progress.step("observability and operator applied"):
            self._apply(manifests, references, kubectl, gateway_url)
        for namespace in ("kube-system", install.OBSERVABILITY_NAMESPACE, install.SYSTEM_NAMESPACE):
            with self.progress.step(f"{namespace} ready"):
                install.wait_for_rollout(kubectl, namespace, ROLLOUT_SECONDS)

    def _images(
        self, wanted: Sequence[images.Image], containers: nodes.Nodes, kubectl: install.Kubectl
    ) -> None:
        """Every image on every node that takes pods."""
        targets = repair.schedulable(kubectl)
        present = {node: containers.present_images(node) for node in targets}
        for image in wanted:
            reference = images.reference(image)
            lacking = [node for node in targets if reference not in present[node]]
            if not lacking:
                continue
            if not self.store.has("archives", image.name, image.key()):
                with self.progress.step(f"image {image.name}"):
                    images.ensure_archive(image, self.store, self.tools)
            archive = images.ensure_archive(image, self.store, self.tools)
            with self.progress.step(f"import {image.name}"):
                for node in lacking:
                    containers.import_archive(node, archive)
            self.store.prune("archives", image.name)

    def _apply(
        self,
        manifests: install.Manifests,
        references: Mapping[str, str],
        kubectl: install.Kubectl,
        gateway_url: str,
    ) -> None:
        spaces = install.namespaces(
            [install.OBSERVABILITY_NAMESPACE, install.SYSTEM_NAMESPACE, install.AGENTS_NAMESPACE]
        )
        maps: list[object] = [install.endpoints_config_map(gateway_url)]
        if manifests.application:
            resolved = images.resolve(manifests.application, references)
            maps.append(install.application_config_map(resolved))
        install.apply_all(kubectl, [*spaces, *manifests.crds, *maps])
        install.apply_all(kubectl, images.resolve(manifests.observability, references))
        if manifests.operator:
            install.apply_all(kubectl, images.resolve(manifests.operator, references))


def down(tools: Tools, name: str, store: Store, with_cache: bool, progress: Progress) -> None:
    """Remove the cluster, its network and its record; the cache only when asked for. Data and logs stay."""
    remembered = state.load(name)
    engine = "docker" if remembered and remembered.profile == "pull" and shutil.which("docker") else "podman"
    if shutil.which(engine):
        containers = nodes.Nodes(tools, engine, kind.cluster_name(name))
        if containers.all() and remembered is None:
            raise errors.Conflict(
                f"kind cluster {kind.cluster_name(name)!r} has containers here that this program does not remember "
                "having made; it leaves them alone"
            )
        with progress.step("containers and volumes removed"):
            containers.remove_with_volumes()
        if engine == "podman" and not nodes.remove_network(tools):
            progress.say(f"  the network {podman.NETWORK} stays: another cluster uses it")
        if with_cache:
            with progress.step("built images removed"):
                podman.remove_images(tools)
    state_folder = paths.state_dir(name)
    for file in ("kubeconfig", "kubeconfig.new", "kubeconfig.lock", "containers.conf"):
        (state_folder / file).unlink(missing_ok=True)
    state.forget(name)
    if remembered and remembered.made_lib_modules and not nodes.others_remember(name):
        nodes.remove_lib_modules()
    if with_cache:
        with progress.step("cache removed"):
            shutil.rmtree(store.root, ignore_errors=True)
