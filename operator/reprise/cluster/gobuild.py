"""Builds programs from the pinned Go modules below `images/go`. Checksums are verified by their go.sum."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from reprise.cluster import goobjects, keys
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import errors

# The oldest Go that the pinned modules accept, and the one fetched through the module proxy when Go is older.
MINIMUM_GO = (1, 26, 6)
FETCHED_GO = "go1.26.8"
KUBERNETES_VERSION = "v1.36.3"

_STAMP = "k8s.io/component-base/version"
_LDFLAGS = {
    "kubernetes": (
        f"-X {_STAMP}.gitVersion={KUBERNETES_VERSION} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=36"
        f" -X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES_VERSION}"
    ),
    # Kubernetes programs name their version by their own module's package
    "metrics-server": "-X sigs.k8s.io/metrics-server/pkg/version.Version=v0.9.0",
    "chaos-mesh": "-extldflags=-static",
}
# Modules with programs that call C. They are linked statically and look names up in Go, so that they run in
# images of any C library, as all the others do.
_CALLS_C = frozenset({"chaos-mesh"})
_TAGS = {
    "chaos-mesh": "netgo,osusergo",
    # Of the ways to find targets only the one in use: the clouds' libraries were a sixth of the packages.
    "prometheus": "remove_all_sd,enable_kubernetes_sd",
}


@dataclass(frozen=True)
class GoToolchain:
    """Which Go compiles: `version` as in go1.26.8, `setting` the value of GOTOOLCHAIN that selects it."""

    version: str
    setting: str


def choose_toolchain(installed: str) -> GoToolchain:
    """The installed Go (as `go env GOVERSION` prints it) when new enough, else the pinned one."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", installed)
    if match is None:
        raise errors.Unsupported(
            f"expected a Go version like go1.26.8, found {installed!r}; install Go 1.26 or newer"
        )
    numbers = tuple(int(part or 0) for part in match.groups())
    if numbers < (1, 21, 0):
        raise errors.Unsupported(
            f"expected Go 1.21 or newer (it fetches {FETCHED_GO} by itself), found {installed}; "
            f"install a newer Go"
        )
    return GoToolchain(installed, "local") if numbers >= MINIMUM_GO else GoToolchain(FETCHED_GO, FETCHED_GO)


def find_toolchain(tools: Tools) -> GoToolchain:
    """Asks the installed Go. Raises NotFound or Unsupported."""
    return choose_toolchain(
        tools.with_env(GOTOOLCHAIN="local").run(["go", "env", "GOVERSION"], log="go").stdout.strip()
    )


@dataclass(frozen=True)
class GoModule:
    """One folder below `images/go`: the programs of its `tool` lines, or its own when it has none.

    architecture: in Go's words; what its programs run on.
    """

    folder: Path
    toolchain: GoToolchain
    architecture: str = "amd64"

    @property
    def name(self) -> str:
        return self.folder.name

    def flags(self) -> list[str]:
        """The arguments of `go build`, part of the key."""
        tags = ["-tags", _TAGS[self.name]] if self.name in _TAGS else []
        return ["-trimpath", *tags, "-ldflags", f"-s -w {_LDFLAGS.get(self.name, '')}".strip()]

    def key(self) -> str:
        """Changes with the pins, the sources in the folder, the flags and the compiler."""
        parts = [*self.flags(), self.toolchain.version, f"cgo={self._cgo()}", self.architecture]
        if self.name in goobjects.EMBEDDED:
            parts.append(repr(goobjects.EMBEDDED[self.name]))
        return keys.of(keys.of_tree(self.folder), *parts)

    def _cgo(self) -> str:
        return "1" if self.name in _CALLS_C else "0"

    def packages(self) -> list[str]:
        text = (self.folder / "go.mod").read_text()
        return ["tool"] if re.search(r"^tool[ (]", text, re.MULTILINE) else ["."]

    def built(self, store: Store) -> bool:
        return store.has("go", self.name, self.key())

    def ensure(self, store: Store, tools: Tools) -> Path:
        """The folder with the programs. The compiler's own cache lets an interrupted build go on."""

        def make(out: Path) -> None:
            go = self._go(tools)
            with goobjects.completed(self.name, self.folder, go) as more:
                go.run(
                    ["go", "build", *more, *self.flags(), "-o", f"{out}{os.sep}", *self.packages()],
                    log=f"go-{self.name}",
                    cwd=self.folder,
                )

        return store.ensure("go", self.name, self.key(), make)

    def _go(self, tools: Tools) -> Tools:
        return tools.with_env(
            CGO_ENABLED=self._cgo(),
            GOARCH=self.architecture,
            GOFLAGS="-buildvcs=false -mod=readonly",
            GOTOOLCHAIN=self.toolchain.setting,
            GOWORK="off",
        )

    def source(self, dependency: str, tools: Tools) -> Path:
        """Where the sources of a module lie that this one requires, downloaded and verified if need be."""
        return goobjects.source(dependency, self.folder, self.name, self._go(tools))

    def ensure_visibly(self, store: Store, tools: Tools, progress: Progress) -> Path:
        """`ensure` as a step of its own when there is something to compile."""
        if not self.built(store):
            with progress.step(f"compile {self.name}"):
                self.ensure(store, tools)
            store.prune("go", self.name)
        return self.ensure(store, tools)
