"""Fills a running cluster: images onto its nodes, manifests applied, the wait until everything runs."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprise.cluster import alert_profile, chaos_mesh, engine, images, install, nodes, repair
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

ROLLOUT_SECONDS = 300
_NAMESPACES = (install.OBSERVABILITY_NAMESPACE, install.SYSTEM_NAMESPACE, install.AGENTS_NAMESPACE)


@dataclass(frozen=True)
class Supply:
    """Where images come from: `built` here, or `published` by upstream and pulled by the nodes themselves."""

    built: Mapping[str, images.Image]
    published: Mapping[str, str] = field(default_factory=dict)

    def check(self, names: Sequence[str]) -> None:
        """Raise NotFound, naming every image that nobody supplies."""
        if unknown := [name for name in names if name not in self.built and name not in self.published]:
            raise errors.NotFound(
                "expected images/<name>/Containerfile for each bare image name in the manifests, "
                f"found none for {unknown}"
            )

    def siblings(self, names: Sequence[str]) -> list[str]:
        """Images that no manifest names: what these are for another processor, where there is such a one."""
        return [
            one
            for name in names
            if name not in self.published and (one := f"{name}-{images.FOREIGN_ARCHITECTURE}") in self.built
        ]

    def references(self, names: Sequence[str]) -> dict[str, str]:
        """The full name of each."""
        return {
            name: self.published[name] if name in self.published else images.reference(self.built[name])
            for name in names
        }


@dataclass(frozen=True)
class Filler:
    """Installs into one cluster."""

    root: Path
    supply: Supply
    containers: nodes.Nodes
    kubectl: install.Kubectl
    gateway_url: str
    store: Store
    tools: Tools
    progress: Progress
    alerts: alert_profile.AlertProfile = alert_profile.AlertProfile.SHORT

    def fill(self, application: Sequence[object] | None) -> None:
        """Do all of it. `application` replaces the lite shop when given."""
        manifests = install.load_manifests(self.root, self.tools, self.kubectl.program, application)
        if manifests.absent:
            self.progress.say(f"  note: not in this checkout: {', '.join(manifests.absent)}")
        names = sorted(manifests.image_names())
        self.supply.check(names)
        wanted = [*names, *self.supply.siblings(names)]
        self._compile(wanted)
        self._import([self.supply.built[name] for name in wanted if name not in self.supply.published])
        with self.progress.step("observability and operator applied"):
            self._apply(manifests, self.supply.references(names))
        for namespace in ("kube-system", install.OBSERVABILITY_NAMESPACE, install.SYSTEM_NAMESPACE):
            with self.progress.step(f"{namespace} ready"):
                install.wait_for_rollout(self.kubectl, namespace, ROLLOUT_SECONDS)

    def fill_chaos_mesh(self, crds: Callable[[], Sequence[object]]) -> None:
        """Chaos Mesh; `crds` gives its CRDs. Where they cannot be had it is left out, with a note."""
        if chaos_mesh.managed_by_helm(self.kubectl):
            self.progress.say("  note: Chaos Mesh was installed with its own chart, and is left alone")
            return
        try:
            kinds = crds()
        except (errors.NotFound, errors.Unsupported) as exc:
            self.progress.say(f"  note: no Chaos Mesh, scenarios that need it are unsupported: {exc}")
            return
        documents = install.render(self.tools, self.kubectl.program, self.root / "manifests" / "chaos-mesh")
        names = sorted(images.named_in(documents))
        self.supply.check(names)
        self._compile(names)
        self._import([self.supply.built[name] for name in names if name not in self.supply.published])
        with self.progress.step("Chaos Mesh applied"):
            data = chaos_mesh.certificates(self.kubectl, dt.datetime.now(dt.UTC))
            resolved = images.resolve(documents, self.supply.references(names))
            foundations, rest = install.split(chaos_mesh.stamped(resolved, data))
            install.apply_all(self.kubectl, [*foundations, *kinds])
            rest += [chaos_mesh.secret(data), *chaos_mesh.webhooks(data)]
            install.apply_all(self.kubectl, rest)
        with self.progress.step(f"{chaos_mesh.NAMESPACE} ready"):
            install.wait_for_rollout(self.kubectl, chaos_mesh.NAMESPACE, ROLLOUT_SECONDS)

    def _compile(self, names: Sequence[str]) -> None:
        """Each program a step of its own, since they take minutes."""
        wanted = [self.supply.built[name] for name in names if name not in self.supply.published]
        for module in dict.fromkeys(module for one in wanted for module in one.modules):
            module.ensure_visibly(self.store, self.tools, self.progress)

    def _import(self, wanted: Sequence[images.Image]) -> None:
        """Every image on every node that takes pods."""
        targets = repair.schedulable(self.kubectl)
        present = {node: self.containers.present_images(node) for node in targets}
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
                    self.containers.import_archive(node, archive)
            self.store.prune("archives", image.name)
            if not isinstance(image, images.StaticImage):
                engine.forget_older(self.tools, f"localhost/{image.name}", reference)

    def _apply(self, manifests: install.Manifests, references: Mapping[str, str]) -> None:
        maps: list[object] = [install.endpoints_config_map(self.gateway_url)]
        if manifests.application:
            resolved = images.resolve(manifests.application, references)
            maps.append(install.application_config_map(resolved))
        foundations = [*install.namespaces(_NAMESPACES), *manifests.crds, *maps]
        rules = alert_profile.applied(manifests.observability, self.alerts)
        observability = images.resolve(rules, references)
        operator = images.resolve(manifests.operator, references)
        for part in (foundations, observability, operator):
            install.apply_all(self.kubectl, part)
