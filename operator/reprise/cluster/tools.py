"""Runs programs: output goes to a log that is kept, failure becomes ToolFailed with the log's name."""

import contextlib
import datetime
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from reprise.domain import errors

TAIL_LINES = 4


@dataclass(frozen=True)
class Finished:
    """How a program ended; `stdout` as text, undecodable bytes replaced."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Tools:
    """Runs programs with `env` on top of this process's environment and a log file a topic in `logs`."""

    logs: Path
    env: Mapping[str, str] = field(default_factory=dict)
    echo: Callable[[str], None] | None = None
    engine: str = "podman"

    def with_engine(self, engine: str) -> "Tools":
        """The same with another container engine.

        Ours are Podman's variables: Docker's kind must not see them.
        """
        env = {} if engine == "docker" else self.env
        return replace(self, engine=engine, env=env)

    def with_env(self, **more: str) -> "Tools":
        """The same with more environment variables."""
        return replace(self, env={**self.env, **more})

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: str,
        cwd: Path | None = None,
        stdin: str | Path | None = None,
        check: bool = True,
        timeout_seconds: float | None = None,
    ) -> Finished:
        """Run to the end. With `check`, an exit code other than 0 raises ToolFailed, and so does a timeout.

        A program that does not exist raises NotFound.
        """
        words = [str(word) for word in argv]
        self.logs.mkdir(parents=True, exist_ok=True)
        path = self.logs / f"{log}.log"
        with path.open("a", encoding="utf-8") as out:
            stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            out.write(f"# {stamp} {shlex.join(words)}\n")
            out.flush()
            try:
                finished = self._communicate(words, out, cwd, stdin, timeout_seconds)
            except FileNotFoundError as exc:
                raise errors.NotFound(
                    f"expected the program {words[0]!r} on PATH, found none; install it"
                ) from exc
            except subprocess.TimeoutExpired as exc:
                raise errors.ToolFailed(
                    f"{words[0]} did not end within {timeout_seconds:g} s; see {path}"
                ) from exc
            out.write(f"# exit code {finished.code}\n")
        if check and finished.code != 0:
            tail = (finished.stderr.strip() or finished.stdout.strip()).splitlines()[-TAIL_LINES:]
            raise errors.ToolFailed(
                f"`{shlex.join(words[:4])}` ended with {finished.code}: {' / '.join(tail)}; see {path}"
            )
        return finished

    def _communicate(
        self,
        words: list[str],
        out: IO[str],
        cwd: Path | None,
        stdin: str | Path | None,
        timeout: float | None,
    ) -> Finished:
        with contextlib.ExitStack() as stack:
            source: IO[bytes] | int = subprocess.DEVNULL if stdin is None else subprocess.PIPE
            if isinstance(stdin, Path):
                source = stack.enter_context(stdin.open("rb"))
            process = self._start(words, cwd, source)
        return self._finish(process, out, stdin if isinstance(stdin, str) else None, timeout)

    def _start(self, words: list[str], cwd: Path | None, source: IO[bytes] | int) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **self.env},
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def _finish(
        self, process: "subprocess.Popen[str]", out: IO[str], stdin: str | None, timeout: float | None
    ) -> Finished:
        assert process.stdout is not None  # noqa: S101 - a pipe
        assert process.stderr is not None  # noqa: S101 - a pipe
        kept: tuple[list[str], list[str]] = ([], [])
        lock = threading.Lock()

        def drain(stream: IO[str], lines: list[str]) -> None:
            for line in stream:
                lines.append(line)
                with lock:
                    out.write(line)
                    out.flush()
                    if self.echo:
                        self.echo(line.rstrip("\n"))

        threads = [
            threading.Thread(target=drain, args=pair, daemon=True)
            for pair in zip((process.stdout, process.stderr), kept, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            if stdin is not None and process.stdin is not None:
                try:
                    process.stdin.write(stdin)
                    process.stdin.close()
                except BrokenPipeError:
                    pass  # the program's exit code says why it did not read on
            process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            for thread in threads:
                thread.join(timeout=5)
            process.stdout.close()
            process.stderr.close()
        return Finished(process.returncode, "".join(kept[0]), "".join(kept[1]))


def which(name: str) -> Path | None:
    """The program's path, also looked for where administrators' programs lie."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return Path(found) if found else None
