"""The small programs that take a container's CPU and memory, compiled as their image compiles them."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "images/chaos-daemon/src"
CPU = (
    "--cpu-load-slice",
    "10",
    "--cpu-method",
    "sqrt",
    "--cpu",
    "2",
    "--cpu-load",
    "20",
)  # Chaos Mesh's words
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, and a `real` stress-ng that only says how it was called."""
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("no gcc")
    folder = tmp_path_factory.mktemp("programs")
    real = folder / "real"
    real.write_text('#!/bin/sh\necho "$@"\n')
    real.chmod(0o755)
    for source, name in (("cpuStress", "stress-ng"), ("memStress", "memStress")):
        flags = ["-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", f'-DREAL="{real}"']
        subprocess.run([compiler, *flags, "-o", folder / name, SOURCE / f"{source}.c"], check=True)
    return folder


@pytest.fixture(params=["cpu", "memory"])
def stressor(request: pytest.FixtureRequest, programs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """With two workers."""
    words = {
        "cpu": [programs / "stress-ng", *CPU],
        "memory": [programs / "memStress", "--workers", "2", "--size", "8MB"],
    }[request.param]
    with subprocess.Popen(words) as process:
        yield process
        process.kill()


def workers(of: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()}


def until(holds: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < PATIENCE_SECONDS, "it never came to that"
        time.sleep(0.05)


def ticks(pid: int) -> int:
    """CPU time of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def kibibytes(pid: int) -> int:
    """Memory of its own."""
    [line] = [x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("RssAnon")]
    return int(line.split()[1])


def test_every_worker_takes_what_it_is_told_to(stressor: subprocess.Popen[bytes]) -> None:
    until(lambda: len(workers(stressor.pid)) == 2)
    if "memStress" in str(stressor.args):
        until(lambda: all(8 * 1024 <= kibibytes(pid) < 10 * 1024 for pid in workers(stressor.pid)))
    else:
        until(lambda: all(ticks(pid) > 10 for pid in workers(stressor.pid)))
        assert all(kibibytes(pid) < 1024 for pid in workers(stressor.pid)), "made for small containers"


def test_a_worker_that_is_killed_is_started_again(stressor: subprocess.Popen[bytes]) -> None:
    until(lambda: len(workers(stressor.pid)) == 2)
    killed = min(workers(stressor.pid))
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(workers(stressor.pid) - {killed}) == 2)


def test_the_workers_end_with_it(stressor: subprocess.Popen[bytes]) -> None:
    until(lambda: len(workers(stressor.pid)) == 2)
    left = workers(stressor.pid)
    stressor.terminate()
    assert stressor.wait(PATIENCE_SECONDS) == 0
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))


@pytest.mark.parametrize(
    "words",
    [("--vm", "1"), ("--cpu", "0"), ("--cpu", "1", "--cpu-load", "200"), ("--cpu", "1", "--quiet"), ()],
)
def test_what_it_does_not_know_is_left_to_the_real_one(programs: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run([programs / "stress-ng", *words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(words)
