"""`make bench [ONLY="memory gateway"]`: prints the tables of docs/benchmarks.md, measured on this machine."""

import importlib
import os
import platform
import sys

from reprise.cluster import paths

PARTS = (
    "memory", "gateway", "agents", "redaction", "telemetry", "replay", "large", "snapshots", "capture",
    "triage", "runs", "quiet",
)  # fmt: skip


def main() -> None:
    os.environ.setdefault("KUBECONFIG", str(paths.kubeconfig_path()))
    wanted = sys.argv[1:] or list(PARTS)
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        sys.exit(f"expected some of {', '.join(PARTS)}; found {', '.join(unknown)}")
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores\n")
    for part in wanted:
        print(f"measuring: {part} …", file=sys.stderr, flush=True)
        print(importlib.import_module(f"bench.{part}").main(), flush=True)


if __name__ == "__main__":
    main()
