"""Watch what happens to the cluster's objects while a run has not been recorded: one task a run.

Whether a run is watched is read from its phase at every look, so that a fresh process takes up what its
predecessor has left. What has been seen is on disk only: see `snapshot.spool`.
"""

import asyncio
import enum
import logging
import shutil
from collections.abc import Container
from pathlib import Path
from typing import assert_never

from reprise.domain.run import Run
from reprise.domain.run_status import Phase
from reprise.domain.scenario import Injector
from reprise.handlers.runtime import Scenarios
from reprise.snapshot import watcher

logger = logging.getLogger(__name__)
# A run waits this long for the first lists: what is injected before them would pass for how it always was.
FIRST_LISTS_SECONDS = 20.0


class Need(enum.Enum):
    """What a run asks of its watcher."""

    NOT_YET = "not yet"
    WATCH = "watch"
    KEEP = "keep"  # it is being recorded: the recorder takes the spool up itself
    NOTHING = "nothing"  # recorded, or never will be


def need(run: Run) -> Need:
    """By the run's phase alone."""
    if run.deleting or not run.spec.snapshot_enabled:
        return Need.NOTHING
    match run.status.phase:
        case Phase.PENDING | Phase.DEPLOYING:
            return Need.NOT_YET
        case Phase.BASELINE | Phase.INJECTING | Phase.MANIFESTING:
            return Need.WATCH
        case Phase.RECORDING:
            return Need.KEEP
        case Phase.ATTEMPTING | Phase.RECOVERING | Phase.COMPLETED | Phase.INVALID | Phase.FAILED:
            return Need.NOTHING
        case _:
            assert_never(run.status.phase)


class Watchers:
    """`runtime.History` on a real cluster; spools lie in `directory/<run uid>.spool`."""

    def __init__(self, connect: watcher.Connect, directory: Path, scenarios: Scenarios) -> None:
        self._connect = connect
        self._directory = directory
        self._scenarios = scenarios
        # As many as there are runs under way: `pause` and `forget` take them out.
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def spools(self, run_uid: str) -> Path:
        return self._directory / f"{run_uid}{watcher.DIRECTORY_ENDING}"

    async def follow(self, run: Run) -> None:
        """Start, keep or end the watching, as the run's phase wants it. A start returns with the first lists
        on disk. Raises InvalidInput for a scenario that cannot be read."""
        match need(run):
            case Need.WATCH:
                await self._start(run)
            case Need.NOTHING:
                await self.forget(run.ref.uid)
            case Need.NOT_YET | Need.KEEP:
                return

    async def _start(self, run: Run) -> None:
        task = self._tasks.get(run.ref.uid)
        if task is not None and not task.done():
            return
        wanted = await self._scenarios.get(run.spec.scenario)
        if wanted is None:
            return
        hidden = wanted.injector is Injector.HIDDEN
        tried = watcher.Tried()
        work = watcher.follow(self._connect, self.spools(run.ref.uid), hidden, tried)
        started = asyncio.create_task(work, name=f"watch for run {run.ref.uid}")
        started.add_done_callback(_ended)
        self._tasks[run.ref.uid] = started
        logger.info("%s: watches what happens to the cluster's objects", run.ref)
        try:
            await asyncio.wait_for(tried.all.wait(), FIRST_LISTS_SECONDS)
        except TimeoutError:
            logger.warning("%s: goes on before all that it watches has been listed", run.ref)

    async def pause(self, run_uid: str) -> None:
        """Returns when nothing is written to the spools any more."""
        task = self._tasks.pop(run_uid, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def forget(self, run_uid: str) -> None:
        """End the watching and remove the spools. Doing so twice is fine."""
        await self.pause(run_uid)
        await asyncio.to_thread(_remove, self.spools(run_uid))

    async def sweep(self, active: Container[str]) -> None:
        """Remove the spools of runs that are not among the uids given: a process died before it could."""
        for uid in await asyncio.to_thread(self._left):
            if uid not in active:
                await self.forget(uid)

    def _left(self) -> list[str]:
        return [path.stem for path in self._directory.glob(f"*{watcher.DIRECTORY_ENDING}")]

    async def close(self) -> None:
        for uid in list(self._tasks):
            await self.pause(uid)


def _ended(task: asyncio.Task[None]) -> None:
    """A watcher never ends by itself; it is started again at the next look."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.error("%s ended", task.get_name(), exc_info=exc)


def _remove(spools: Path) -> None:
    if spools.is_dir():
        shutil.rmtree(spools)
