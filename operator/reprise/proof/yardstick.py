"""The yardstick of a proof: what the rules-only agent `triage` makes of the incident while it is live.

It runs as its image runs it: a process of its own that knows the gateway's address and its token, and
nothing of what this process knows.
"""

import asyncio
import base64
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

import reprise
from reprise.domain import errors, proof

SECONDS = 120.0
_MODULE = "reprise.agents.triage"
# Of what an agent suspected: the rest would make a result long and say little.
_MOST_SUSPECTED = 20


async def play(kubeconfig: bytes, seconds: float = SECONDS) -> proof.Yardstick:
    """One attempt to its end; the score is for the run to say.

    Raises Unreachable when the agent handed in nothing: no answer of the gateway, or out of time.
    """
    with tempfile.TemporaryDirectory() as folder:
        environ = _environ(kubeconfig, Path(folder))
        begun = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            env=environ,
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


def _environ(kubeconfig: bytes, folder: Path) -> dict[str, str]:
    config = yaml.safe_load(kubeconfig)
    cluster = config["clusters"][0]["cluster"]
    token, authority = folder / "token", folder / "ca.crt"
    token.touch(mode=0o600)
    token.write_text(config["users"][0]["user"]["token"])
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return {
        "PATH": os.environ["PATH"],
        # Where this very package was found: the process starts without the caller's own environment.
        "PYTHONPATH": str(Path(reprise.__file__).parents[1]),
        "GATEWAY_URL": cluster["server"],
        "TOKEN_FILE": str(token),
        "CA_FILE": str(authority),
    }
