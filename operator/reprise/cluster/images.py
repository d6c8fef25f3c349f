"""The images that run in the cluster: what each comes from, its name, its archive."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeGuard

import yaml

from reprise.cluster import archive, engine, gobuild, keys, rootfs
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

ARCHIVE = "image.tar"
# folder below images/ → the image's name in manifests; other folders are called as their image
_NAMES = {name: f"reprise-{name}" for name in ("operator", "gateway", "replay", "agent", "agent-shell")}
_NOT_IMAGES = {"go", "node", "base"}
# image → (Go module, program, path in the image): an image of one static program
_STATIC = {
    "prometheus": ("prometheus", "prometheus", "/usr/local/bin/prometheus"),
    "jaeger": ("jaeger", "jaeger", "/usr/local/bin/jaeger"),
    "kube-state-metrics": ("kube-state-metrics", "kube-state-metrics", "/usr/local/bin/kube-state-metrics"),
    "metrics-server": ("metrics-server", "metrics-server", "/usr/local/bin/metrics-server"),
    "chaos-controller-manager": (
        "chaos-mesh",
        "chaos-controller-manager",
        "/usr/local/bin/chaos-controller-manager",
    ),
    "pause": ("pause", "pause", "/pause"),
}
# What incidents put in the place of an image of the application: a program for a processor that no node has,
# wherever pods look for the image's own. Its archive names the nodes' architecture, for they import no other.
FOREIGN_ARCHITECTURE = "arm64"
_FOREIGN = {
    "otel-demo-kafka": ("/opt/kafka/run-kafka",),
    "otel-demo-lite": ("/app/run/shop", "/app/run/postgresql", "/app/run/valkey"),
}


class Image(Protocol):
    """One image of ours. `modules` are those whose programs it holds."""

    @property
    def name(self) -> str: ...

    @property
    def modules(self) -> tuple[gobuild.GoModule, ...]: ...

    def key(self) -> str: ...

    def make(self, out: Path, store: Store, tools: Tools) -> None:
        """Write the archive `out`."""


def reference(image: Image) -> str:
    """The image's full name with its content key, as pods ask for it."""
    return f"localhost/{image.name}:{image.key()}"


@dataclass(frozen=True)
class StaticImage:
    """One static Go program and nothing else; `also` are further paths at which it lies."""

    name: str
    module: gobuild.GoModule
    program: str
    path: str
    also: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[gobuild.GoModule, ...]:
        return (self.module,)

    def key(self) -> str:
        return keys.of(self.module.key(), self.program, self.path, *self.also, "2")

    def make(self, out: Path, store: Store, tools: Tools) -> None:
        program = self.module.ensure(store, tools) / self.program
        files = dict.fromkeys((self.path, *self.also), program)
        archive.write(out, [reference(self)], [self.path], files)


@dataclass(frozen=True)
class BaseImage:
    """What built images stand on: Debian, or Debian with Python (`images/base`)."""

    root: Path
    debian: str

    def tag(self) -> str:
        key = keys.of(self.debian, keys.of_tree(self.root / "images" / "base"))
        return f"localhost/reprise-base:{key}"

    def ensure(self, store: Store, tools: Tools) -> str:
        """Build it unless Podman has it; returns its tag."""
        if not engine.has_image(tools, self.tag()):
            if self.debian == rootfs.tag():
                rootfs.ensure(store, tools)
            with engine.context(
                {"Containerfile": self.root / "images" / "base" / "Containerfile"}
            ) as context:
                engine.build(tools, context, self.tag(), {"DEBIAN": self.debian}, "base-image")
        return self.tag()


@dataclass(frozen=True)
class BuiltImage:
    """A folder with a Containerfile.

    Its context is the folder and the repository paths that `image.yaml` lists, and in `bin/` the programs of
    Go modules that it lists.
    """

    folder: Path
    base: BaseImage
    inputs: tuple[str, ...] = ()
    programs: Mapping[gobuild.GoModule, tuple[str, ...]] = field(default_factory=dict)

    @property
    def modules(self) -> tuple[gobuild.GoModule, ...]:
        return tuple(self.programs)

    @property
    def name(self) -> str:
        return _NAMES.get(self.folder.name, self.folder.name)

    def _sources(self) -> dict[str, Path]:
        sources = {
            entry.name: entry for entry in sorted(self.folder.iterdir()) if entry.name != "__pycache__"
        }
        for path in self.inputs:
            source = self.base.root / path
            if not source.exists():
                raise errors.NotFound(
                    f"{self.folder.name}/image.yaml: expected the input {path!r} in the checkout, "
                    f"found nothing"
                )
            sources[path] = source
        return sources

    def key(self) -> str:
        """Changes with the base, the folder and every input.

        Sources edited while building count the next time.
        """
        return self._key

    @functools.cached_property
    def _key(self) -> str:
        parts = [part for name, path in self._sources().items() for part in (name, keys.of_tree(path))]
        parts += [module.key() for module in self.modules]
        return keys.of(self.base.tag(), *parts)

    def make(self, out: Path, store: Store, tools: Tools) -> None:
        base = self.base.ensure(store, tools)
        programs = {
            f"bin/{name}": module.ensure(store, tools) / name
            for module, names in self.programs.items()
            for name in names
        }
        with engine.context(self._sources() | programs) as context:
            engine.build(tools, context, reference(self), {"BASE": base}, f"image-{self.name}")
        engine.save(tools, [reference(self)], out)


def copied_from_repository(containerfile: str, folder: Path) -> tuple[str, ...]:
    """Sources of COPY lines that are not in the image's own folder and not another stage's."""
    found = []
    for line in re.sub(r"\\\n", " ", containerfile).splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not any(word.startswith("--from=") for word in words):
            sources = [word for word in words[1:-1] if not word.startswith("--")]
            found += [source.rstrip("/") for source in sources if not (folder / source).exists()]
    return tuple(dict.fromkeys(found))


class _Recipe(NamedTuple):
    inputs: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]
    # Those that the image has a substitute for where they cannot be built.
    optional_programs: Mapping[str, tuple[str, ...]]


def _recipe(folder: Path) -> _Recipe:
    """What the folder's image.yaml lists, else what its COPY lines ask of the repository.

    Raises InvalidInput.
    """
    path = folder / "image.yaml"
    if not path.is_file():
        return _Recipe(copied_from_repository((folder / "Containerfile").read_text(), folder), {}, {})
    loaded = yaml.safe_load(path.read_text()) or {}
    inputs = loaded.get("inputs") if isinstance(loaded, dict) else None
    needed = loaded.get("programs", {}) if isinstance(loaded, dict) else None
    optional = loaded.get("optional_programs", {}) if isinstance(loaded, dict) else None
    if (
        not _texts(inputs)
        or not _programs(needed)
        or not _programs(optional)
        or set(loaded) - {"inputs", "programs", "optional_programs"}
    ):
        raise errors.InvalidInput(
            f"images/{folder.name}/image.yaml: expected `inputs: [path, ...]` with paths of the repository, "
            "and perhaps `programs` and `optional_programs: {module: [program, ...]}` with folders of "
            "images/go, nothing else"
        )
    return _Recipe(
        tuple(inputs),
        {module: tuple(names) for module, names in needed.items()},
        {module: tuple(names) for module, names in optional.items()},
    )


def _programs(value: object) -> TypeGuard[dict[str, list[str]]]:
    return isinstance(value, dict) and all(_texts(names) for names in value.values())


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def catalogue(root: Path, debian: str, toolchain: gobuild.GoToolchain | None) -> dict[str, Image]:
    """Every image that can be built, by its name in manifests.

    Without a toolchain those with programs of Go modules are left out.
    """
    base = BaseImage(root, debian)
    found: dict[str, Image] = {}

    def module(name: str, toolchain: gobuild.GoToolchain) -> gobuild.GoModule:
        return gobuild.GoModule(root / "images" / "go" / name, toolchain)

    for folder in sorted((root / "images").iterdir()):
        if folder.name not in _NOT_IMAGES and (folder / "Containerfile").is_file():
            recipe = _recipe(folder)
            if recipe.programs and toolchain is None:
                continue
            listed = {**recipe.programs, **recipe.optional_programs}
            programs = {module(name, toolchain): names for name, names in listed.items() if toolchain}
            image = BuiltImage(folder, base, recipe.inputs, programs)
            found[image.name] = image
    if toolchain is not None:
        for name, (module_name, program, path) in _STATIC.items():
            found[name] = StaticImage(name, module(module_name, toolchain), program, path)
        foreign = gobuild.GoModule(root / "images" / "go" / "pause", toolchain, FOREIGN_ARCHITECTURE)
        for name, (first, *rest) in _FOREIGN.items():
            own = f"{name}-{FOREIGN_ARCHITECTURE}"
            found[own] = StaticImage(own, foreign, "pause", first, tuple(rest))
    return found


def ensure_archive(image: Image, store: Store, tools: Tools) -> Path:
    """The image's archive in the cache."""
    folder = store.ensure(
        "archives", image.name, image.key(), lambda out: image.make(out / ARCHIVE, store, tools)
    )
    return folder / ARCHIVE


_ENV_IMAGE = re.compile(r"(^|_)IMAGE$")


def named_in(documents: Iterable[object]) -> set[str]:
    """Bare image names (no registry, no tag) that the objects run or name in variables `*_IMAGE`."""
    names: set[str] = set()

    def note(value: str) -> str:
        names.add(value)
        return value

    _walk(list(documents), note)
    return {name for name in names if re.fullmatch(r"[a-z0-9-]+", name)}


def resolve(documents: Iterable[object], references: Mapping[str, str]) -> list[object]:
    """Copies of the objects with every bare image name replaced by its reference, pulled only if absent.

    Raises NotFound, naming all bare names that have no reference.
    """
    documents = list(documents)
    missing = sorted(named_in(documents) - set(references))
    if missing:
        raise errors.NotFound(
            f"expected an image of ours for each bare image name in the manifests, found none for {missing}; "
            "add images/<name>/Containerfile or write the full name"
        )
    return [_walk(document, lambda value: references.get(value, value)) for document in documents]


def _walk(value: object, replace: Callable[[str], object]) -> object:
    if isinstance(value, list):
        return [_walk(one, replace) for one in value]
    if not isinstance(value, dict):
        return value
    copied = {key: _walk(one, replace) for key, one in value.items()}
    image = value.get("image")
    if isinstance(image, str) and "name" in value:  # a container
        copied["image"] = replace(image)
        if copied["image"] != image:
            copied["imagePullPolicy"] = "IfNotPresent"
    env_name, env_value = value.get("name"), value.get("value")
    if isinstance(env_name, str) and isinstance(env_value, str) and _ENV_IMAGE.search(env_name):
        copied["value"] = replace(env_value)
    return copied
