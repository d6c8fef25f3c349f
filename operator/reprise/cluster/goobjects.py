"""Go modules that embed what their own Makefile compiles from C, and that the module proxy therefore lacks.

Such a module is built from a copy of its sources, verified like every other, with the objects beside the C.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprise.cluster.tools import Tools
from reprise.domain import errors

# As the modules' Makefiles have it: position-independent, since the code is put into processes that run.
_COMPILER = ("gcc", "-c", "-fPIE", "-O2")


@dataclass(frozen=True)
class Embedded:
    """In `module`, each C file of `folder` is compiled to an object of its name."""

    module: str
    folder: str


# module folder below images/go → what it embeds
EMBEDDED: Mapping[str, Embedded] = {
    # the clock that TimeChaos puts into a process in the place of the real one
    "chaos-mesh": Embedded("github.com/chaos-mesh/chaos-mesh", "pkg/time/fakeclock"),
}


@contextmanager
def completed(name: str, pins: Path, go: Tools) -> Iterator[list[str]]:
    """More arguments of `go build` in the folder `pins`: none for a module that embeds nothing."""
    embedded = EMBEDDED.get(name)
    if embedded is None:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="reprise-go-") as folder:
        sources, modfile = Path(folder) / "sources", Path(folder) / "go.mod"
        _copy(source(embedded.module, pins, name, go), sources)
        _compile(sources / embedded.folder, name, go)
        shutil.copy(pins / "go.mod", modfile)
        shutil.copy(pins / "go.sum", modfile.with_suffix(".sum"))
        replace = f"-replace={embedded.module}={sources}"
        go.run(["go", "mod", "edit", replace, modfile], log=f"go-{name}")
        yield [f"-modfile={modfile}"]


def source(module: str, pins: Path, name: str, go: Tools) -> Path:
    """Where the sources of a required module lie, downloaded and verified if need be. Raises ToolFailed."""
    found = go.run(["go", "mod", "download", "-json", module], log=f"go-{name}", cwd=pins)
    return Path(json.loads(found.stdout)["Dir"])


def _copy(sources: Path, target: Path) -> None:
    """Without what no program is made of; the module cache is read-only, the copy is not."""
    shutil.copytree(
        sources, target, ignore=shutil.ignore_patterns("ui", "e2e-test"), copy_function=shutil.copyfile
    )
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _compile(folder: Path, name: str, tools: Tools) -> None:
    files = sorted(folder.glob("*.c"))
    if not files:
        raise errors.NotFound(f"expected C files in {folder.name} of the module {name}, found none")
    for file in files:
        tools.run([*_COMPILER, file, "-o", file.with_suffix(".o")], log=f"go-{name}")
