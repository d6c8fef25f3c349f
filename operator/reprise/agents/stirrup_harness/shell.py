"""The shell tool: bash in the sandbox that the container is.

Stirrup's own local shell refuses absolute paths, for it fears for the machine that it runs on, and keeps all
output in memory before it cuts it. Here the container is the sandbox, and what is kept is bounded.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field
from stirrup.core.models import Tool, ToolResult

# Of an output, this much of its beginning and as much of its end is shown to the model.
HALF_BYTES = 10_000
_DESCRIPTION = (
    "Run a command with bash. kubectl, curl and jq are there; see the task for what is served. "
    "Returns the exit code, standard output and standard error together; a long output loses its middle, so "
    "filter it. Nothing but files stays from one command to the next."
)


class Command(BaseModel):
    """One command."""

    cmd: str = Field(description="the command, in bash's syntax", min_length=1)
    justification: str = Field(
        default="", description="why you look there, in a few words; kept for the record"
    )


@dataclass(frozen=True)
class Output:
    """`code` None: it took too long and was killed."""

    text: str
    code: int | None


class _Kept:
    """The beginning and the end of a stream."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._bytes = 0

    def add(self, data: bytes) -> None:
        self._bytes += len(data)
        room = HALF_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        del self._tail[:-HALF_BYTES]

    def text(self) -> str:
        lost = self._bytes - len(self._head) - len(self._tail)
        middle = f"\n[... {lost} bytes left out ...]\n".encode() if lost else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode(errors="replace")


async def run(command: str, folder: Path, environ: Mapping[str, str], seconds: float) -> Output:
    """Run it in a process group of its own, which is gone afterwards whatever it has started."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command,
        cwd=folder,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    kept = _Kept()
    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            # The command is over when its shell is; what it left in the background may hold the pipe open.
            reading = asyncio.create_task(_read(process, kept))
            code = await process.wait()
            await asyncio.wait({reading}, timeout=1.0)
            reading.cancel()
    except TimeoutError:
        code = None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return Output(kept.text(), code)


async def _read(process: asyncio.subprocess.Process, kept: _Kept) -> None:
    stream = process.stdout
    while stream is not None and (data := await stream.read(65536)):
        kept.add(data)


def tool(folder: Path, seconds: int, environ: Mapping[str, str] = os.environ) -> Tool[Command, None]:
    """The tool `shell`. What concerns the model stays out of the commands' environment."""
    shown = {key: value for key, value in environ.items() if not key.startswith("MODEL_")}

    async def execute(command: Command) -> ToolResult[None]:
        done = await run(command.cmd, folder, shown, seconds)
        ending = (
            f"exit code {done.code}" if done.code is not None else f"killed: took longer than {seconds} s"
        )
        return ToolResult(content=f"{done.text}\n[{ending}]", success=done.code == 0)

    return Tool(name="shell", description=_DESCRIPTION, parameters=Command, executor=execute)
