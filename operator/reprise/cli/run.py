"""`reprise run` applies a BenchmarkRun and follows it; `reprise report` shows one."""

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
import yaml

from reprise.adapters.kube import Json, Kube
from reprise.adapters.wire import benchmark_run, model
from reprise.cli import report as reports
from reprise.cli import timeline
from reprise.cli.default_cluster import use_default_kubeconfig
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.run import AgentKind
from reprise.domain.run_status import Phase

_NAME_LIMIT = 50
_WATCH_SECONDS = 60


@click.command()
@click.argument("file", required=False, type=click.File("r"))
@click.option("--scenario", help="Run this scenario instead of a file.")
@click.option("--name", help="Name of the run; by default made from the scenario's.")
@click.option(
    "-n", "--namespace", default=None, help="Namespace of the run; default: the file's, else default."
)
@click.option("--repeats", type=click.IntRange(1, 100), help="How many attempts count.")
@click.option("--seed", type=click.IntRange(0), help="Seed of every choice.")
@click.option(
    "--agent", type=click.Choice([str(kind) for kind in AgentKind]), help="Who works on the incident."
)
@click.option("--follow/--no-follow", default=False, help="Show the timeline until the run is over.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def run(
    file: Any,
    scenario: str | None,
    name: str | None,
    namespace: str | None,
    repeats: int | None,
    seed: int | None,
    agent: str | None,
    follow: bool,
    output: str,
) -> None:
    """Apply a BenchmarkRun from FILE or for a scenario. With --follow, exit code 0 means Completed."""
    if (file is None) == (scenario is None):
        raise click.UsageError("expected either FILE or --scenario NAME")
    manifest = from_file(file) if file is not None else from_scenario(str(scenario))
    meta, spec = manifest.setdefault("metadata", {}), manifest.setdefault("spec", {})
    meta["name"] = name or meta.get("name") or default_name(spec.get("scenario", "run"))
    meta["namespace"] = namespace or meta.get("namespace") or "default"
    for key, value in (("repeats", repeats), ("seed", seed)):
        if value is not None:
            spec[key] = value
    if agent is not None:
        spec["agent"] = {**(spec.get("agent") or {}), "kind": agent}
    sys.exit(asyncio.run(_run(manifest, follow, output)))


@click.command()
@click.argument("name", metavar="RUN")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def report(name: str, namespace: str, output: str) -> None:
    """Show a run: timeline, alerts, what the agents looked at, truth beside submission, score, drift."""
    asyncio.run(_report(namespace, name, output))


def from_file(file: Any) -> Json:
    """The one BenchmarkRun of a file. Raises InvalidInput."""
    try:
        documents = [item for item in yaml.safe_load_all(file) if item is not None]
    except yaml.YAMLError as exc:
        raise errors.InvalidInput(f"expected YAML, found: {exc}") from exc
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise errors.InvalidInput(f"expected one BenchmarkRun, found {len(documents)} documents")
    found: Json = documents[0]
    if (found.get("apiVersion"), found.get("kind")) != (model.API_VERSION, benchmark_run.KIND):
        raise errors.InvalidInput(
            f"expected kind {benchmark_run.KIND} of {model.API_VERSION}, "
            f"found {found.get('kind')} of {found.get('apiVersion')}"
        )
    return found


def from_scenario(scenario: str) -> Json:
    return {"apiVersion": model.API_VERSION, "kind": benchmark_run.KIND, "spec": {"scenario": scenario}}


def default_name(scenario: str) -> str:
    """The scenario's name with a random end: a name can be used once as long as its run exists."""
    end = secrets.token_hex(2)
    return f"{scenario[: _NAME_LIMIT - len(end) - 1].rstrip('-')}-{end}"


@asynccontextmanager
async def connect() -> AsyncIterator[Kube]:
    use_default_kubeconfig()
    async with await Kube.connect() as kube:
        yield kube


async def _run(manifest: Json, follow: bool, output: str) -> int:
    async with connect() as kube:
        try:
            created = await kube.create(manifest)
        except errors.Conflict as exc:
            meta = manifest["metadata"]
            raise errors.Conflict(
                f"a run {meta['namespace']}/{meta['name']} exists; delete it first, or use --name"
            ) from exc
        ref = ObjectRef(
            model.API_VERSION,
            benchmark_run.KIND,
            created["metadata"]["namespace"],
            created["metadata"]["name"],
        )
        if not follow:
            click.echo(json.dumps(created) if output == "json" else f"{ref.namespace}/{ref.name} created")
            return 0
        final = await follow_run(kube, ref, quiet=output == "json")
        found = await reports.gather(kube, final)
        click.echo(json.dumps(reports.to_json(found)) if output == "json" else reports.to_text(found))
        return 0 if final["status"]["phase"] == Phase.COMPLETED else 1


async def follow_run(kube: Kube, ref: ObjectRef, *, quiet: bool) -> Json:
    """Print what changes until the run is over; returns it. Raises NotFound when somebody deletes it."""
    printer = timeline.Printer(None if quiet else click.echo)
    if not quiet:
        click.echo(f"following {ref.namespace}/{ref.name} (Ctrl-C leaves it running)")
    while True:
        try:
            watch = kube.watch(
                ref.api_version,
                ref.kind,
                ref.namespace,
                field_selector=f"metadata.name={ref.name}",
                timeout_seconds=_WATCH_SECONDS,
            )
            async for kind, obj in watch:
                if kind == "BOOKMARK":
                    continue
                if kind == "DELETED":
                    raise errors.NotFound(f"{ref.namespace}/{ref.name} was deleted while it ran")
                printer.show(obj)
                if timeline.is_over(obj):
                    return obj
        except (errors.Unreachable, errors.Conflict) as exc:
            if not quiet:
                click.echo(f"  the API server does not answer, trying again: {exc}", err=True)
            # The connection itself waits up to its own timeout; this only spares a refusing one.
            await asyncio.sleep(1)


async def _report(namespace: str, name: str, output: str) -> None:
    async with connect() as kube:
        obj = await kube.get(ObjectRef(model.API_VERSION, benchmark_run.KIND, namespace, name))
        if obj is None:
            raise errors.NotFound(
                f"expected a run {namespace}/{name}, found none; `kubectl get brun -A` lists them"
            )
        found = await reports.gather(kube, obj)
        click.echo(json.dumps(reports.to_json(found)) if output == "json" else reports.to_text(found))
