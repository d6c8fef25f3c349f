"""Harnesses as subprocesses, before a real gateway on a fake API server and a model with a script."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.gateway_fakes import TOKEN, Door

ROOT = Path(__file__).parents[2]
# Made by `make agent-venv`; CI and people with one elsewhere name it in the variable.
HARNESS_PYTHON = Path(os.environ.get("REPRISE_HARNESS_PYTHON") or ROOT / ".venv-agent" / "bin" / "python")
LONG_SECONDS = 120


@dataclass(frozen=True)
class Done:
    """How a harness ended. `last_words` is what the kubelet would have read."""

    code: int
    out: str
    err: str
    last_words: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [item for item in self.events if item["event"] == event]


def url_of(gate: Door) -> str:
    return str(gate.http.make_url("/")).rstrip("/")


def harness_python() -> str:
    """The interpreter that has Stirrup. Skips where there is none."""
    if not HARNESS_PYTHON.exists():
        pytest.skip(f"no {HARNESS_PYTHON}: run `make agent-venv` (it needs Python 3.12 or newer)")
    return str(HARNESS_PYTHON)


async def run(
    module: str | Path,
    gateway: str,
    folder: Path,
    *arguments: str,
    python: str = sys.executable,
    **environ: str,
) -> Done:
    """Run a module of ours, or a file, in the environment of an agent's pod."""
    what = [str(module)] if isinstance(module, Path) else ["-m", module]
    program: Sequence[str] = [python, *what, *arguments]
    return await execute(program, gateway, folder, **environ)


async def execute(program: Sequence[str], gateway: str, folder: Path, **environ: str) -> Done:
    """Run any program in that environment."""
    (folder / "token").write_text(TOKEN + "\n")
    log = folder / "termination-log"
    log.write_text("")
    process = await asyncio.create_subprocess_exec(
        *program,
        env={
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT / "operator"),
            "HOME": str(folder),
            "GATEWAY_URL": gateway,
            "TOKEN_FILE": str(folder / "token"),
            "TERMINATION_LOG": str(log),
            # A proxy of the environment must not be used.
            "https_proxy": "http://127.0.0.1:1",
            "http_proxy": "http://127.0.0.1:1",
            **environ,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    try:
        async with asyncio.timeout(LONG_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode(), log.read_text())


def needs(*programs: str) -> None:
    """Skip where a program of the agent's image is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on this machine")


async def content(path: Path) -> str:
    """What a program writes into a file, once there is something in it."""
    async with asyncio.timeout(LONG_SECONDS):
        while True:
            text = await asyncio.to_thread(lambda: path.read_text() if path.exists() else "")
            if text.endswith("\n"):
                return text.strip()
            await asyncio.sleep(0.01)
