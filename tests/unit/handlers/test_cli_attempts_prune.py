"""`reprise attempts prune`: what goes, and what must not."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.handlers.world import World, live, operator

from reprise.cli import attempts_prune
from reprise.cli.attempts import attempts
from reprise.domain import errors

DAY = 86400


async def finished() -> World:
    world = World()
    world.apply_run()
    await live(world, operator(world))
    return world


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> str:
    """The uid of the one attempt that the cluster has."""
    world = asyncio.run(finished())

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[World]:
        yield world

    monkeypatch.setattr(attempts_prune, "connect", connect)
    (attempt,) = world.of_kind("AgentAttempt")
    return str(attempt["metadata"]["uid"])


def write(data: Path, name: str, days: float) -> None:
    path = data / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}\n")
    written = time.time() - days * DAY
    os.utime(path, (written, written))


def left(data: Path) -> list[str]:
    return sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.is_file())


def prune(data: Path, *options: str) -> str:
    result = CliRunner().invoke(attempts, ["prune", "--data", str(data), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_old_files_of_attempts_that_are_gone_go(alive: str, tmp_path: Path) -> None:
    for name, days in (
        ("audit/gone.jsonl", 31),
        ("records/gone.log", 31),
        ("audit/young.jsonl", 29),
        (f"audit/{alive}.jsonl", 400),
        (f"records/{alive}.log", 400),
        ("audit/notes.txt", 400),
        ("snapshots/gone.jsonl", 400),
    ):
        write(tmp_path, name, days)
    before = left(tmp_path)
    would = prune(tmp_path, "--keep-days", "30", "--dry-run")
    assert left(tmp_path) == before
    said = prune(tmp_path, "--keep-days", "30")
    assert would == said.replace("removed", "would remove")
    assert said.splitlines() == ["removed audit/gone.jsonl", "removed records/gone.log", "2 of 5"]
    assert left(tmp_path) == sorted(set(before) - {"audit/gone.jsonl", "records/gone.log"})


@pytest.mark.usefixtures("alive")
def test_a_folder_without_any_is_fine(tmp_path: Path) -> None:
    assert prune(tmp_path, "--keep-days", "0") == "0 of 0\n"


def test_nothing_goes_while_the_cluster_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[World]:
        raise errors.Unreachable("the API server did not answer")
        yield World()

    monkeypatch.setattr(attempts_prune, "connect", connect)
    write(tmp_path, "audit/gone.jsonl", 31)
    result = CliRunner().invoke(attempts, ["prune", "--data", str(tmp_path), "--keep-days", "1"])
    assert isinstance(result.exception, errors.Unreachable)
    assert left(tmp_path) == ["audit/gone.jsonl"]


def test_how_long_is_asked_for(tmp_path: Path) -> None:
    result = CliRunner().invoke(attempts, ["prune", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "--keep-days" in result.output
