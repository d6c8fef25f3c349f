"""`python -m reprise.agents.standin SCRIPT [--port N] [--host H]`: prints its URL and serves."""

import argparse
import sys
from pathlib import Path

from reprise.agents.standin import script
from reprise.agents.standin.server import StandIn


def main() -> int:
    """0 when interrupted, 2 for a script that cannot be read."""
    options = argparse.ArgumentParser(prog="standin", description="a model's endpoint with scripted answers")
    options.add_argument(
        "script", type=Path, help="JSON (or YAML) file; see reprise/agents/standin/script.py"
    )
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    given = options.parse_args()
    try:
        loaded = script.load(given.script)
    except (OSError, ValueError, ImportError) as exc:
        print(f"{given.script}: expected a script, found: {exc}", file=sys.stderr)
        return 2
    server = StandIn(loaded, given.host, given.port)
    print(server.url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stopped.set()
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
