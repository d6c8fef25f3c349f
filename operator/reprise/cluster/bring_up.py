"""`reprise up`, step by step. Every step finds out by itself whether there is anything to do."""

from dataclasses import dataclass, replace
from pathlib import Path

from reprise.cluster import (
    alert_profile,
    chaos_mesh,
    detect,
    engine,
    fill,
    gobuild,
    hostpackages,
    images,
    install,
    kind,
    nodes,
    paths,
    repair,
    rootfs,
    stand,
    state,
    upstream,
)
from reprise.cluster import node as node_image
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    name: str = paths.DEFAULT_NAME
    profile: str = "auto"
    workers: int = 1
    app: str = "lite"
    kubeconfig: Path | None = None
    context: str | None = None
    bare: bool = False
    # None keeps what the cluster has
    alerts: alert_profile.AlertProfile | None = None


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
        with self.store.lock(
            f"up-{self.wanted.name}", lambda: self.progress.say("waiting for another `reprise up` to end")
        ):
            facts = detect.gather(self.tools, bool(self.wanted.kubeconfig or self.wanted.context))
            remembered = state.load(self.wanted.name)
            asked = self.wanted.profile
            if asked == "auto" and remembered and not facts.existing:
                # A cluster that stands keeps its profile: a registry that answers today does not change it.
                asked = remembered.profile
            choice = detect.decide(asked, facts)
            if remembered and remembered.finished and choice.profile not in ("existing", remembered.profile):
                raise errors.Conflict(
                    f"the cluster was made with --profile {remembered.profile}, {choice.profile} asked for: "
                    "run `reprise down` first"
                )
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
            module.ensure_visibly(self.store, self.tools, self.progress)
        kind_program = self._module("kind", toolchain).ensure(self.store, self.tools) / "kind"
        node_image.install_kubectl(modules[0].ensure(self.store, self.tools), paths.kubectl_path())
        debian = rootfs.tag()
        image = node_image.NodeImage(self.root, debian, modules)
        if not engine.has_image(self.tools, image.tag()):
            with self.progress.step("Debian root file system"):
                rootfs.ensure(self.store, self.tools)
            with self.progress.step("node image"):
                image.ensure(self.store, self.tools)
            engine.forget_older(self.tools, "localhost/reprise-node", image.tag())
        remembered = self._stand("podman", kind_program, "build", image.tag())
        self._fill(
            fill.Supply(images.catalogue(self.root, debian, toolchain)),
            nodes.Nodes(self.tools, "podman", kind.cluster_name(self.wanted.name)),
            install.Kubectl(self.tools, paths.kubectl_path(), paths.kubeconfig_path(self.wanted.name)),
            f"https://127.0.0.1:{remembered.gateway_port}",
            toolchain,
        )

    def _pull(self, engine_name: str) -> None:
        """kind with its own node image, and upstream's own images for what is not ours."""
        if engine_name != self.tools.engine:
            replace(self, tools=self.tools.with_engine(engine_name))._pull(engine_name)
            return
        remembered = self._stand(engine_name, "kind", "pull", None)
        self._fill(
            fill.Supply(images.catalogue(self.root, upstream.DEBIAN_IMAGE, None), upstream.IMAGES),
            nodes.Nodes(self.tools, engine_name, kind.cluster_name(self.wanted.name)),
            install.Kubectl(self.tools, "kubectl", paths.kubeconfig_path(self.wanted.name)),
            f"https://127.0.0.1:{remembered.gateway_port}",
            None,
        )

    def _existing(self) -> None:
        """A cluster that somebody else made: images go into its nodes when they are containers here."""
        kubeconfig = self.wanted.kubeconfig or paths.default_kubeconfig()
        program = paths.kubectl_path() if paths.kubectl_path().exists() else "kubectl"
        kubectl = install.Kubectl(self.tools, program, kubeconfig, self.wanted.context)
        if not kubectl.ready():
            raise errors.Unreachable(
                f"expected an API server behind {kubeconfig} that says it is ready, found none; is "
                f"the cluster up?"
            )
        toolchain = gobuild.find_toolchain(self.tools)
        catalogue = images.catalogue(self.root, rootfs.tag(), toolchain)
        node_names = kubectl.run("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
        found = repair.cluster_of(self.tools, node_names)
        if found is None:
            raise errors.Unsupported(
                f"expected the nodes {', '.join(node_names)} to be kind's containers on this "
                f"machine, found none: "
                "images cannot be brought into a cluster elsewhere; create a kind cluster, or use "
                "`reprise up`"
            )
        address = kubectl.run(
            "get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
        )
        self._fill(
            fill.Supply(catalogue), found, kubectl, f"https://{address}:{kind.GATEWAY_NODE_PORT}", toolchain
        )

    def _host(self) -> None:
        host = hostpackages.look(self.store.root)
        hostpackages.require(host, warm=(self.store.root / "go").is_dir())
        if host.missing:
            self.progress.say(f"installing Debian packages: {' '.join(host.missing)}")
            with self.progress.step("host packages"):
                hostpackages.install(self.tools, host.missing)

    def _module(self, name: str, toolchain: gobuild.GoToolchain) -> gobuild.GoModule:
        return gobuild.GoModule(self.root / "images" / "go" / name, toolchain)

    def _stand(
        self, engine_name: str, program: Path | str, profile: str, image: str | None
    ) -> state.Remembered:
        """A running cluster with a ready API server."""
        asked = stand.Asked(self.wanted.name, profile, self.wanted.workers, image)
        containers = nodes.Nodes(self.tools, engine_name, kind.cluster_name(self.wanted.name))
        kubectl = paths.kubectl_path() if image else "kubectl"
        return stand.Maker(asked, containers, program, kubectl, self.tools, self.progress).ensure()

    def _fill(
        self,
        supply: fill.Supply,
        containers: nodes.Nodes,
        kubectl: install.Kubectl,
        gateway_url: str,
        toolchain: gobuild.GoToolchain | None,
    ) -> None:
        if self.wanted.bare:
            return
        application = None
        if self.wanted.app == "upstream":
            helm: Path | str = "helm"
            if toolchain:
                module = self._module("helm", toolchain)
                helm = module.ensure_visibly(self.store, self.tools, self.progress) / "helm"
            with self.progress.step("upstream chart"):
                application = upstream.render(self.tools, helm, self.root)
        elsewhere = self.wanted.kubeconfig or self.wanted.context
        remembered = None if elsewhere else state.load(self.wanted.name)
        alerts = alert_profile.chosen(self.wanted.alerts, remembered.alert_profile if remembered else None)
        filler = fill.Filler(
            self.root, supply, containers, kubectl, gateway_url, self.store, self.tools, self.progress, alerts
        )
        filler.fill(application)
        if remembered:
            state.save(replace(remembered, alert_profile=alerts.value))

        def crds() -> list[object]:
            if toolchain is None:
                return chaos_mesh.parse(upstream.chaos_mesh_crds(self.tools, "helm"))
            module = self._module(chaos_mesh.MODULE, toolchain)
            return chaos_mesh.crds_of_module(module, self.store, self.tools)

        # Last: by now an incident that needs no Chaos Mesh can begin.
        filler.fill_chaos_mesh(crds)
