"""Says what is being done and for how long: a live line on a terminal, plain lines elsewhere."""

import datetime
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console


@dataclass
class Step:
    """A step under way. `note` is shown beside its name when it ends."""

    name: str
    note: str = ""


@dataclass
class Progress:
    """Writes to standard error, so that standard output stays free for results."""

    verbose: bool = False
    log: Path | None = None
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    started: float = field(default_factory=time.monotonic)

    def tool_line(self, line: str) -> None:
        """A line of a tool's own output, shown with -v."""
        self.console.print(f"    {line}", style="dim", markup=False)

    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self.started

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time one step. A step that raises is shown as failed with its time; the error goes on."""
        step, started = Step(name), time.monotonic()
        live = self.console.is_terminal and not self.verbose
        status = self.console.status(name) if live else None
        if status:
            status.start()
        elif self.verbose or not sys.stderr.isatty():
            self.say(f"  .. {name}")
        mark = "failed"
        try:
            yield step
            mark = "ok"
        finally:
            if status:
                status.stop()
            elapsed = time.monotonic() - started
            note = f"  ({step.note})" if step.note else ""
            line = f"{mark} {name:<44} {elapsed:7.1f} s{note}"
            self.say(f"  {line}")
            self._keep(line)

    def _keep(self, line: str) -> None:
        """Steps and their times stay readable after the terminal is gone."""
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as out:
                out.write(f"{datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')} {line}\n")
