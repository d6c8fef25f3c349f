"""What is done with finished snapshots: seconds, sizes and peak memory, on generated ones.

`BENCH_SPANS` (200000), `BENCH_LARGE_SPANS` (2000000, 0 leaves it out) and `BENCH_LINES` (100000) set the
sizes. Every step runs in a process of its own, whose peak of resident memory is what is told.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fakes import snapshot_v2

from bench.table import Figure, render

SPANS = int(os.environ.get("BENCH_SPANS", "200000"))
LARGE_SPANS = int(os.environ.get("BENCH_LARGE_SPANS", "2000000"))
LINES = int(os.environ.get("BENCH_LINES", "100000"))
MB = 1_000_000
# Source of a step -> what the child prints: seconds and peak resident KiB.
_CHILD = """
import resource, sys, time
from pathlib import Path
from reprise.snapshot import archive, diff, export, reader
a, out = Path(sys.argv[1]), Path(sys.argv[2])
began = time.monotonic()
{step}
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
STEPS = {
    "pack": "archive.pack(a, out / 'a.tar.zst')",
    "unpack": "archive.unpack(out / 'a.tar.zst', out / 'b')",
    "export parquet": "export.export(a, 'parquet', out / 'parquet')",
    "diff": "diff.compare(reader.open_snapshot(a))",
}


def measured(step: str, snapshot: Path, out: Path) -> tuple[float, float]:
    """(seconds, peak MiB) of one step in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(step=STEPS[step]), str(snapshot), str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, kib = done.stdout.split()
    return float(seconds), float(kib) / 1024


def size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MB


def one_size(spans: int, lines: int) -> list[Figure]:
    name = f"{spans // 1000}k spans"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = snapshot_v2.make(root / "a", traces=spans // snapshot_v2.SPANS_PER_TRACE, logs=lines)
        (root / "out").mkdir()
        figures = [Figure(f"{name}: folder", "MB", [size_mb(made)])]
        for step in STEPS:
            seconds, peak = measured(step, made, root / "out")
            figures.append(Figure(f"{name}: {step}", "s", [seconds]))
            figures.append(Figure(f"{name}: {step}, peak memory", "MiB", [peak]))
            if step == "pack":
                packed = (root / "out" / "a.tar.zst").stat().st_size / MB
                figures.append(Figure(f"{name}: archive", "MB", [packed]))
                figures.append(Figure(f"{name}: compression", "x", [size_mb(made) / packed]))
        figures.append(Figure(f"{name}: parquet", "MB", [size_mb(root / "out" / "parquet")]))
        return figures


def main() -> str:
    figures = one_size(SPANS, LINES)
    if LARGE_SPANS:
        figures += one_size(LARGE_SPANS, LINES)
    return render(f"Finished snapshots, generated, {LINES} log lines", figures)
