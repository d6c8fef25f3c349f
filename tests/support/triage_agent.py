"""The rules-only agent as a process, as its image starts it: for the tests, and for `bench`."""

import subprocess
from pathlib import Path

from reprise.proof import yardstick


def run(url: str, token_file: Path, timeout: float, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one attempt to its end, however it ends. `environ` may overrule the rest."""
    return subprocess.run(
        yardstick.COMMAND,
        env=yardstick.environ(url, token_file) | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
