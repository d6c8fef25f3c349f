"""Hunt with atheris: `python -m tests.fuzz [TARGET ...] [--seconds N]`. Needs the extra `fuzz`.

Each target runs in a process of its own. What fails is written into its corpus, so that the tests stay red
until it is mended. Prints a table; exits with 1 when anything was found.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import targets

_RUNS = re.compile(r"^#(\d+)\t", re.MULTILINE)
_COVERED = re.compile(r" cov: (\d+)")
# Longer than any target's own timeouts, shorter than anybody's patience.
_STUCK_SECONDS = 300


def run(name: str, seconds: int) -> tuple[str, int]:
    """A row of the table, and 1 when something was found."""
    kept = targets.CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.hunt", name, corpus, str(kept),
                f"-max_total_time={seconds}", "-max_len=2048", "-timeout=10", "-rss_limit_mb=1024",
                f"-artifact_prefix={kept}/found-",
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=seconds + _STUCK_SECONDS,
        )  # fmt: skip
    failed = int(done.returncode != 0)
    if failed:
        print(done.stdout[-2000:], done.stderr[-6000:], file=sys.stderr)
    runs = max(map(int, _RUNS.findall(done.stderr)), default=0)
    covered = max(map(int, _COVERED.findall(done.stderr)), default=0)
    return f"{name:12} {runs:>10} {covered:>8} {failed:>8}", failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"of {', '.join(targets.TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    given = parser.parse_args()
    if unknown := [name for name in given.target if name not in targets.TARGETS]:
        parser.error(f"expected targets of {', '.join(targets.TARGETS)}, found {', '.join(unknown)}")
    print(f"{'target':12} {'executions':>10} {'coverage':>8} {'findings':>8}")
    found = 0
    for name in given.target or targets.TARGETS:
        row, failed = run(name, given.seconds)
        print(row, flush=True)
        found += failed
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
