"""How a harness ends: exit codes, and the reason where the kubelet reads it.

Code 75 (sysexits' EX_TEMPFAIL) says that the attempt failed for reasons outside of the agent: the model's
endpoint, its key, the gateway. Such an attempt is made again and never counts. All else but 0 is the
agent's own.
"""

import os
import sys
from pathlib import Path

DONE = 0
AGENT_FAILED = 1
INFRA_FAILED = 75

# Kubernetes keeps at most 4096 bytes of a container's termination message.
_MESSAGE_BYTES = 4000


def end(code: int, reason: str) -> int:
    """Say why, as the last line of stderr and in the termination log, and return the code."""
    line = " ".join(reason.split()).encode()[:_MESSAGE_BYTES].decode(errors="ignore")
    path = Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))
    # The kubelet makes the file; where there is none nobody reads it.
    if path.is_file():
        try:
            path.write_text(line)
        except OSError as exc:
            print(f"{path}: expected a file to write the reason into, found: {exc}", file=sys.stderr)
    print(line, file=sys.stderr, flush=True)
    return code
