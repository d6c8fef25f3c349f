"""A Prometheus of one's own over the samples of a snapshot: a child process that dies with this one.

The samples are written once, through remote write (it alone carries staleness markers), and kept in the cache
as a block under the snapshot's digest. Each start serves hard links of that block, so that two replays of the
same snapshot do not meet.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path

import aiohttp

from reprise.adapters import remote_write
from reprise.domain import errors
from reprise.replay.source import Source

START_SECONDS = 120.0
STOP_SECONDS = 10.0
BATCH_SAMPLES = 20_000
# Changes when the same samples would be stored in another way.
_FORM = "1"
# Samples come series by series. Prometheus takes what is at most half a block older than the newest one,
# whatever the order. NB: an out-of-order window would not do: what it lets in is in no snapshot of the TSDB.
_BLOCK = "30d"
# What is old is kept: it is all that there is.
_CONFIG = "storage: {tsdb: {retention: {time: 100y}}}\n"
_LISTENING = re.compile(r'msg="Listening on" .*address=(\S+)')
_READY = "Server is ready to receive web requests"
_PR_SET_PDEATHSIG = 1


@asynccontextmanager
async def serving(
    binary: Path, source: Source, cache: Path, http: aiohttp.ClientSession
) -> AsyncIterator[str]:
    """The base URL of a Prometheus over the snapshot's samples. Raises ToolFailed, Corrupt, Refused."""
    block = await _ensure(binary, source, cache, http)
    with _workplace(cache) as work:
        shutil.copytree(block, work / "data", copy_function=_link)
        async with _running(binary, work) as url:
            yield url


async def _ensure(binary: Path, source: Source, cache: Path, http: aiohttp.ClientSession) -> Path:
    """The folder of blocks with the snapshot's samples: complete, or made now."""
    final = cache / f"tsdb-{source.digest[:32]}-{_FORM}"
    if final.is_dir():
        return final
    with _workplace(cache) as work, await asyncio.to_thread(_locked, cache, final.name):
        if final.is_dir():
            return final
        # One block for all of it, whatever its length.
        async with _running(
            binary, work, "--web.enable-remote-write-receiver", "--web.enable-admin-api"
        ) as url:
            await _load(source, url, http)
            # NB: of nothing at all there is a snapshot, too: an empty folder.
            async with http.post(f"{url}/api/v1/admin/tsdb/snapshot") as answer:
                document = json.loads(await answer.read())
        if document.get("status") != "success":
            raise errors.ToolFailed(f"Prometheus did not store what it was given: {document.get('error')}")
        (work / "data" / "snapshots" / document["data"]["name"]).rename(final)
    return final


async def _load(source: Source, url: str, http: aiohttp.ClientSession) -> None:
    """Send all samples, at most BATCH_SAMPLES of them in memory."""
    parts: list[bytes] = []
    count = 0
    for labels, samples in _series(source.root / "metrics" / "series.jsonl"):
        for begin in range(0, len(samples), BATCH_SAMPLES):
            piece = samples[begin : begin + BATCH_SAMPLES]
            parts.append(remote_write.series(labels, piece))
            count += len(piece)
            if count >= BATCH_SAMPLES:
                await remote_write.send(http, url, parts)
                parts, count = [], 0
    if parts:
        await remote_write.send(http, url, parts)


def _series(path: Path) -> Iterator[tuple[dict[str, str], list[tuple[int, str]]]]:
    try:
        with path.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                yield row["metric"], list(zip(accumulate(row["t"]), row["v"], strict=True))
    except FileNotFoundError as exc:
        raise errors.NotFound("expected metrics/series.jsonl in the snapshot, found none") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise errors.Corrupt(f"metrics/series.jsonl: expected a series a line, found {exc!r}") from exc


# -- the process ------------------------------------------------------------------------------------


@asynccontextmanager
async def _running(binary: Path, work: Path, *more: str) -> AsyncIterator[str]:
    """Prometheus over `work`/data until the end of the block. Its log is `work`/log."""
    (work / "prometheus.yml").write_text(_CONFIG)
    try:
        process = await asyncio.create_subprocess_exec(
            binary,
            f"--config.file={work / 'prometheus.yml'}",
            f"--storage.tsdb.path={work / 'data'}",
            f"--storage.tsdb.min-block-duration={_BLOCK}",
            f"--storage.tsdb.max-block-duration={_BLOCK}",
            "--web.listen-address=127.0.0.1:0",
            "--log.level=info",
            *more,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            start_new_session=True,
        )
    except OSError as exc:
        raise errors.ToolFailed(f"expected to run Prometheus at {binary}, found: {exc}") from exc
    draining: asyncio.Task[None] | None = None
    try:
        url = await _started(process)
        draining = asyncio.create_task(_drain(process))
        yield url
    finally:
        if draining is not None:
            draining.cancel()
        await _stop(process)


async def _started(process: asyncio.subprocess.Process) -> str:
    """Its URL, once it says that it is ready."""
    assert process.stderr is not None  # noqa: S101 - a pipe
    # NB: the two come from two threads of it: a store that opens fast is ready before the port is told.
    address, ready, tail = "", False, [""]
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := (await process.stderr.readline()).decode(errors="replace"):
                tail = [*tail[-3:], line.strip()]
                if found := _LISTENING.search(line):
                    address = found.group(1)
                ready = ready or _READY in line
                if address and ready:
                    return f"http://{address}"
            code = await process.wait()
    except TimeoutError as exc:
        raise errors.ToolFailed(
            f"Prometheus was not ready within {START_SECONDS:.0f} s; it last said: {' / '.join(tail)}"
        ) from exc
    raise errors.ToolFailed(f"Prometheus ended with {code}; it last said: {' / '.join(tail)}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Nobody reads what it says later, but a full pipe would stop it."""
    assert process.stderr is not None  # noqa: S101 - a pipe
    while await process.stderr.read(65536):
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _die_with_parent() -> None:
    """Asks the kernel, so that even a killed parent leaves no child behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


# -- files ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _workplace(cache: Path) -> Iterator[Path]:
    """A folder of one's own beside the cached blocks, removed in the end."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache, ignore_cleanup_errors=True) as made:
        yield Path(made)


@contextlib.contextmanager
def _held(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)


def _locked(cache: Path, name: str) -> contextlib.AbstractContextManager[None]:
    """Held by one process at a time; freed by the kernel when that process dies."""
    handle = os.open(cache / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return _held(handle)


def _link(origin: str, target: str) -> str:
    try:
        os.link(origin, target)
    except OSError:
        # Some file systems know no hard links.
        shutil.copy2(origin, target)
    return target
