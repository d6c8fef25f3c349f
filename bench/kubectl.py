"""kubectl, as a measurement calls it."""

import subprocess


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Its standard output. Raises CalledProcessError."""
    done = subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True, input=stdin)
    return done.stdout
