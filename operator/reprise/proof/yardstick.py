"""The yardstick of a proof: what the rules-only agent `triage` makes of the incident while it is live.

It runs as its image runs it: a process of its own that knows the gateway's address and its token, and
nothing of what this process knows.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import reprise
from reprise.domain import errors, proof
from reprise.domain import kubeconfig as kubeconfigs

SECONDS = 120.0
COMMAND = (sys.executable, "-m", "reprise.agents.triage")
# Of what an agent suspected: the rest would make a result long and say little.
_MOST_SUSPECTED = 20


async def play(kubeconfig: bytes, seconds: float = SECONDS) -> proof.Yardstick:
    """One attempt to its end; the score is for the run to say.

    Raises Unreachable when the agent handed in nothing: no answer of the gateway, or out of time.
    """
    with tempfile.TemporaryDirectory() as folder:
        access = kubeconfigs.read(json.loads(kubeconfig))
        token, authority = Path(folder) / "token", Path(folder) / "ca.crt"
        token.touch(mode=0o600)
        token.write_text(access.token)
        authority.write_text(access.ca_pem)
        begun = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            env=environ(access.server, token) | {"CA_FILE": str(authority)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError as exc:
            raise errors.Unreachable(
                f"expected an answer of triage within {seconds:.0f} s, found none"
            ) from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        took = round(time.monotonic() - begun, 2)
    found = read(_entries(out.decode(errors="replace")), took)
    if process.returncode != 0:
        last = (err or out).decode(errors="replace").strip()[-300:]
        raise errors.Unreachable(
            f"expected an answer of triage, found exit code {process.returncode}: {last}"
        )
    return found


def read(journal: Iterable[Any], seconds: float) -> proof.Yardstick:
    """From the agent's own journal."""
    entities: tuple[str, ...] = ()
    suspected: list[str] = []
    requests = 0
    for entry in journal:
        match entry:
            case {"event": "look"}:
                requests += 1
            case {"event": "hypothesis"}:
                suspected.append("{entity} ({rule}, {confidence}): {evidence}".format_map(entry)[:300])
            case {"event": "submit"}:
                entities = tuple(entry["entities"])
    return proof.Yardstick(None, entities, requests, seconds, tuple(suspected[:_MOST_SUSPECTED]))


def _entries(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def environ(url: str, token_file: Path) -> dict[str, str]:
    """The agent's whole environment: its pod has none of the caller's."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(reprise.__file__).parents[1]),
        "GATEWAY_URL": url,
        "TOKEN_FILE": str(token_file),
    }
