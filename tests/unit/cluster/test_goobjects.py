"""Modules that embed objects: what `go build` is told, and from what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reprise.cluster import gobuild, goobjects
from reprise.cluster.tools import Finished, Tools
from reprise.domain import errors


@dataclass(frozen=True)
class Recorder(Tools):
    """Notes what is run; `go mod download` answers with the sources, the compiler makes empty objects."""

    sources: Path = Path()
    ran: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str | Path], **options: Any) -> Finished:
        words = [str(word) for word in argv]
        self.ran.append(words)
        if words[:3] == ["go", "mod", "download"]:
            return Finished(0, f'{{"Dir": "{self.sources}"}}', "")
        if words[0] == "gcc":
            Path(words[-1]).write_bytes(b"object")
        return Finished(0, "", "")


def prepared(tmp_path: Path, *files: str) -> tuple[Path, Recorder]:
    pins, sources = tmp_path / "pins", tmp_path / "cache"
    pins.mkdir()
    (pins / "go.mod").write_text("module m\n")
    (pins / "go.sum").write_text("sums\n")
    clock = sources / "pkg/time/fakeclock"
    clock.mkdir(parents=True)
    (sources / "ui").mkdir()
    for file in ("asset.go", *files):
        (clock / file).write_text("text")
    clock.chmod(0o555)
    return pins, Recorder(tmp_path, sources=sources)


def test_a_copy_gets_the_objects_and_takes_the_modules_place(tmp_path: Path) -> None:
    pins, tools = prepared(tmp_path, "clock.c", "day.c")
    with goobjects.completed("chaos-mesh", pins, tools) as [argument]:
        modfile = Path(argument.removeprefix("-modfile="))
        copy = modfile.parent / "sources"
        assert modfile.read_text() == "module m\n"
        assert modfile.with_suffix(".sum").read_text() == "sums\n"
        assert {path.name for path in (copy / "pkg/time/fakeclock").iterdir()} == {
            "asset.go",
            "clock.c",
            "clock.o",
            "day.c",
            "day.o",
        }
        assert not (copy / "ui").exists()
        edit = ["go", "mod", "edit", f"-replace=github.com/chaos-mesh/chaos-mesh={copy}", str(modfile)]
        assert tools.ran[-1] == edit
    assert not copy.exists()
    assert not (tools.sources / "pkg/time/fakeclock/clock.o").exists()


def test_other_modules_are_built_as_they_are(tmp_path: Path) -> None:
    pins, tools = prepared(tmp_path)
    with goobjects.completed("etcd", pins, tools) as arguments:
        assert arguments == []
    assert tools.ran == []


def test_a_release_without_the_c_files_is_noticed(tmp_path: Path) -> None:
    pins, tools = prepared(tmp_path)
    with (
        pytest.raises(errors.NotFound, match="expected C files"),
        goobjects.completed("chaos-mesh", pins, tools),
    ):
        pass


def test_the_key_follows_what_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chaos-mesh").mkdir()
    module = gobuild.GoModule(tmp_path / "chaos-mesh", gobuild.GoToolchain("go1.26.8", "local"))
    before = module.key()
    monkeypatch.setattr(goobjects, "EMBEDDED", {})
    assert module.key() != before
