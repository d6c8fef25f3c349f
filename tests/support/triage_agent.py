"""The rules-only agent as a process, as its image starts it: for the tests, and for `bench`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(url: str, token_file: Path, timeout: float, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one attempt to its end, however it ends. `environ` may overrule the rest."""
    return subprocess.run(
        [sys.executable, "-m", "reprise.agents.triage"],
        # Not the caller's own environment: the agent's pod has none of it.
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "GATEWAY_URL": url,
            "TOKEN_FILE": str(token_file),
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
