"""`reprise attach RUN[/N]`: a kubeconfig for an attempt that waits for its agent, and what to do with it."""

import asyncio
import base64
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from reprise.adapters.kube import Kube
from reprise.cli.default_cluster import use_default_kubeconfig
from reprise.domain import errors
from reprise.domain import kubeconfig as kubeconfigs
from reprise.domain.budget import Phase
from reprise.domain.entities import ObjectRef

API_VERSION = "reprise.dev/v1alpha1"
_TARGET = re.compile(r"^(?P<run>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(/(?P<index>[1-9][0-9]*))?$")
# Budgets of what only a harness knows; there when the run has them.
_REPORTED = {"turns": "turns", "tokens": "tokens", "costUSD": "USD"}


@dataclass(frozen=True)
class Target:
    """Which attempt: of which run, and which of its repeats (None: the first that is open)."""

    run: str
    index: int | None


@click.command()
@click.argument("target", metavar="RUN[/N]")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the run.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["kubeconfig", "env", "json"]),
    default=None,
    help="Print this instead of writing a file: the kubeconfig, shell exports, or everything as JSON.",
)
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where to write the kubeconfig; default ./<run>.kubeconfig.",
)
@click.option("--timeout", default=900, show_default=True, type=click.IntRange(0), help="Seconds to wait.")
@click.option("--kubeconfig", default=None, help="Administrator's kubeconfig.")
@click.option("--context", default=None, help="Context in it.")
def attach(
    target: str,
    namespace: str,
    output: str | None,
    path: Path | None,
    timeout: int,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Get a kubeconfig for the attempt N of RUN (without N: the first one that is open), waiting for it."""
    if kubeconfig is None:
        use_default_kubeconfig()
    found = asyncio.run(_fetch(parse(target), namespace, timeout, kubeconfig, context))
    match output:
        case "kubeconfig":
            click.echo(found["kubeconfig"])
        case "env":
            path = write_private(path or Path(f"{found['run']}.kubeconfig"), found["kubeconfig"])
            for name, value in environment(found, path).items():
                click.echo(f"export {name}={value}")
        case "json":
            click.echo(json.dumps(found, indent=2))
        case _:
            path = write_private(path or Path(f"{found['run']}.kubeconfig"), found["kubeconfig"])
            click.echo(instructions(found, path))


def parse(text: str) -> Target:
    """Read `RUN` or `RUN/N`. Raises InvalidInput."""
    match = _TARGET.match(text)
    if match is None:
        raise errors.InvalidInput(f"expected RUN or RUN/N with N from 1, found {text!r}")
    return Target(match["run"], int(match["index"]) if match["index"] else None)


async def _fetch(
    target: Target, namespace: str, timeout_seconds: float, kubeconfig: str | None, context: str | None
) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_seconds
    async with await Kube.connect(kubeconfig, context) as kube:
        run = await kube.get(ObjectRef(API_VERSION, "BenchmarkRun", namespace, target.run))
        if run is None:
            runs = await kube.list_objects(API_VERSION, "BenchmarkRun", namespace)
            names = ", ".join(one["metadata"]["name"] for one in runs) or "none"
            raise errors.NotFound(
                f"expected the run {target.run} in namespace {namespace}; there are: {names}"
            )
        attempt = await _open_attempt(kube, target, namespace, deadline)
        name = attempt["metadata"]["name"]
        config = await _kubeconfig(kube, namespace, name, deadline)
    access = kubeconfigs.read(json.loads(config))
    return {
        "run": target.run,
        "attempt": name,
        "namespace": attempt["spec"]["application"]["namespace"],
        "server": access.server,
        "certificateAuthority": access.ca_pem,
        "token": access.token,
        "budgets": attempt["spec"]["budgets"],
        "startBy": attempt["spec"].get("startBy"),
        "kubeconfig": config,
    }


async def _open_attempt(kube: Kube, target: Target, namespace: str, deadline: float) -> dict[str, Any]:
    """Wait for the attempt. Raises NotFound when the run ends or the time is over without one."""
    told = ""
    while True:
        run = await kube.get(ObjectRef(API_VERSION, "BenchmarkRun", namespace, target.run))
        status = (run or {}).get("status") or {}
        # NB: by uid, for an attempt of an earlier run of the same name may not be gone yet.
        uid = (run or {}).get("metadata", {}).get("uid", "")
        attempts = await kube.list_objects(API_VERSION, "AgentAttempt", namespace)
        mine = [one for one in attempts if one["spec"]["run"]["uid"] == uid]
        if target.index is not None:
            mine = [one for one in mine if one["spec"]["index"] == target.index]
        is_open = [one for one in mine if not _phase(one).is_over]
        if is_open:
            return min(is_open, key=lambda one: int(one["spec"]["index"]))
        if mine and target.index is not None:
            raise errors.Refused(
                f"expected an open attempt, found {target.run}/{target.index} in phase {_phase(mine[0])}"
            )
        phase = str(status.get("phase") or "Pending")
        if run is None or phase in ("Completed", "Invalid", "Failed", "Recovering"):
            raise errors.NotFound(
                f"expected an attempt that is still open, the run {target.run} is "
                + (f"{phase}: {status.get('message', '')}" if run else "deleted")
            )
        line = f"run {target.run} is {phase}: {status.get('message') or 'no attempt is open yet'}"
        if line != told:
            told = line
            click.echo(line, err=True)
        left = deadline - time.monotonic()
        if left <= 0:
            raise errors.NotFound(f"expected an attempt within the given time, found none; {line}")
        await _change(kube, namespace, left)


async def _change(kube: Kube, namespace: str, seconds: float) -> None:
    """Return at the next change of any run or attempt in the namespace, or after ten seconds."""
    limit = max(1, int(min(10, seconds)))

    async def watch(kind: str) -> None:
        first = True
        async for _ in kube.watch(API_VERSION, kind, namespace, timeout_seconds=limit):
            if not first:
                return
            first = False

    tasks = [asyncio.create_task(watch(kind)) for kind in ("BenchmarkRun", "AgentAttempt")]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=limit + 1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kubeconfig(kube: Kube, namespace: str, attempt: str, deadline: float) -> str:
    """The kubeconfig that the operator has put beside the attempt; JSON text, which is YAML too."""
    ref = ObjectRef("v1", "Secret", namespace, f"{attempt}-kubeconfig")
    while (secret := await kube.get(ref)) is None:
        if time.monotonic() > deadline:
            raise errors.NotFound(f"expected the Secret {ref.name} beside the attempt, found none")
        await _change(kube, namespace, 1)
    return as_json(base64.b64decode(secret["data"]["kubeconfig"]).decode())


def as_json(text: str) -> str:
    """A kubeconfig, YAML or JSON, as indented JSON. Raises Corrupt when it is neither."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise errors.Corrupt("expected a kubeconfig in the attempt's Secret, found other text") from exc
    if not isinstance(loaded, dict):
        raise errors.Corrupt("expected a kubeconfig in the attempt's Secret, found other text")
    return json.dumps(loaded, indent=2)


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, replacing one that is there."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text + "\n")
    temporary.replace(path)
    return path


def environment(found: dict[str, Any], path: Path) -> dict[str, str]:
    """What an agent's process needs, as the built-in one gets it; the CA is in the kubeconfig."""
    return {"KUBECONFIG": str(path.resolve()), "GATEWAY_URL": found["server"], "TOKEN": found["token"]}


def instructions(found: dict[str, Any], path: Path) -> str:
    """What to do now, for a person."""
    budgets = found["budgets"]
    more = "".join(f", {budgets[key]:g} {what}" for key, what in _REPORTED.items() if key in budgets)
    start = f", to be started by {found['startBy']}" if found.get("startBy") else ""
    return f"""\
attempt {found["attempt"]} is open{start}
  kubeconfig  {path}  (this attempt only, read-only, namespace {found["namespace"]})
  budget      {budgets["requests"]} requests, {budgets["wallClockSeconds"]} s from the first request{more}

  export KUBECONFIG={path.resolve()}
  kubectl get pods,events                      # the clock starts now
  kubectl get --raw /instructions              # task, endpoints, how to answer
  kubectl get --raw /alerts

Answer once:
  echo '{{"entities": [{{"name": "{found["namespace"]}/Kind/name"}}]}}' | kubectl create --raw /submit -f -"""


def _phase(attempt: dict[str, Any]) -> Phase:
    return Phase((attempt.get("status") or {}).get("phase") or Phase.PENDING)
