"""`reprise attempts`: what agents did, why they were right or wrong, and their records for other tools."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from reprise import __version__
from reprise.adapters.kube import Kube
from reprise.adapters.wire import agent_attempt, model
from reprise.cli import attempt_data as data
from reprise.cli import attempt_text as text
from reprise.cli import attempts_prune
from reprise.cli.run import connect
from reprise.cluster import paths
from reprise.domain import errors, exports

_NAMESPACE = click.option(
    "-n", "--namespace", default="default", show_default=True, help="Namespace of the run."
)
_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
_AUDIT = click.option(
    "--audit",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder of the audit trails; default: that of the cluster that `reprise up` made.",
)


@click.group()
def attempts() -> None:
    """Show what agents did, hold their records to account, and export them.

    \b
    Examples:
      reprise attempts list netpol-1a2b
      reprise attempts show netpol-1a2b/1
      reprise attempts why netpol-1a2b/1
      reprise attempts record netpol-1a2b/1
      reprise attempts verify netpol-1a2b/1
      reprise attempts export netpol-1a2b/1 --format otel --out spans.json
      reprise attempts prune --keep-days 30 --dry-run

    Exit codes: 0 done, 1 there is no such attempt or its record is not whole, 2 wrong usage.
    """


@attempts.command(
    "list",
    epilog="""Examples:

\b
  reprise attempts list
  reprise attempts list netpol-1a2b -o json

Exit codes: 0 listed (also when there are none), 1 no such run, 2 usage.""",
)
@click.argument("run", required=False)
@_NAMESPACE
@click.option("-A", "--all-namespaces", is_flag=True, help="Attempts of every namespace.")
@_OUTPUT
def list_attempts(run: str | None, namespace: str, all_namespaces: bool, output: str) -> None:
    """List attempts: all, or those of RUN."""
    if run and all_namespaces:
        raise click.UsageError("expected either RUN or --all-namespaces")

    async def ask(kube: Kube) -> list[Any]:
        if run:
            return await data.of_run(kube, namespace, run)
        where = "" if all_namespaces else namespace
        found = await kube.list_objects(model.API_VERSION, agent_attempt.KIND, where)
        return sorted(found, key=lambda item: item["metadata"].get("creationTimestamp", ""))

    rows = [text.row(item) for item in asyncio.run(_with_cluster(ask))]
    click.echo(json.dumps(rows, indent=2) if output == "json" else text.table(rows))


@attempts.command(
    epilog="""Examples:

\b
  reprise attempts show netpol-1a2b/1
  reprise attempts show audit/6f0c1d2e.jsonl -o json

Exit codes: 0 shown, 1 no such attempt, 2 usage.""",
)
@click.argument("target", metavar="RUN/N|FILE")
@_NAMESPACE
@_AUDIT
@_OUTPUT
def show(target: str, namespace: str, audit: Path | None, output: str) -> None:
    """Show an attempt turn by turn: calls with sizes and durations, refusals, budget, submission."""
    found = _find(target, namespace, audit)
    click.echo(json.dumps(text.show_json(found), indent=2) if output == "json" else text.show_text(found))


@attempts.command(
    epilog="""Examples:

\b
  reprise attempts why netpol-1a2b/1
  reprise attempts why netpol-1a2b/1 -o json | jq .missed

Exit codes: 0 shown (whatever the score), 1 no such attempt, or its truth cannot be had, 2 usage.""",
)
@click.argument("target", metavar="RUN/N")
@_NAMESPACE
@_AUDIT
@_OUTPUT
def why(target: str, namespace: str, audit: Path | None, output: str) -> None:
    """Show truth beside submission: found, missed, wrong and what each wrong one is, and when the agent first
    had each root cause in its hands."""

    async def ask(kube: Kube) -> data.Why:
        found = await data.find(kube, namespace, target, audit or _audit_folder())
        return await data.explain(kube, found, paths.data_dir() / "snapshots")

    found = asyncio.run(_with_cluster(ask))
    click.echo(json.dumps(text.why_json(found), indent=2) if output == "json" else text.why_text(found))


@attempts.command(
    epilog="""Examples:

\b
  reprise attempts verify netpol-1a2b/1
  reprise attempts verify 6f0c1d2e.jsonl

Exit codes: 0 whole, 1 not (every problem is listed), or no such attempt, 2 usage.""",
)
@click.argument("target", metavar="RUN/N|FILE")
@_NAMESPACE
@_AUDIT
@_OUTPUT
def verify(target: str, namespace: str, audit: Path | None, output: str) -> None:
    """Check that no line of an audit trail is missing, changed or moved. With RUN/N it is also held to what
    the attempt's status says of it, so that lines missing at its end show."""
    found = _find(target, namespace, audit)
    result = found.check()
    if output == "json":
        click.echo(json.dumps(text.check_json(result, found.anchor), indent=2))
    else:
        for line in text.check_lines(result, found.anchor):
            click.echo(line)
    sys.exit(0 if result.whole else 1)


@attempts.command(
    epilog="""Examples:

\b
  reprise attempts export netpol-1a2b/1 --format otel --out spans.json
  reprise attempts export 6f0c1d2e.jsonl --format atif --out trajectory.json

otel is OTLP/JSON, as collectors take it; atif is the Agent Trajectory Interchange Format, version 1.7.

Exit codes: 0 written, 1 no such attempt or no trail, 2 usage.""",
)
@click.argument("target", metavar="RUN/N|FILE")
@click.option("--format", "form", type=click.Choice(["otel", "atif"]), required=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to write it."
)
@_NAMESPACE
@_AUDIT
def export(target: str, form: str, out: Path, namespace: str, audit: Path | None) -> None:
    """Write an attempt's trail for other tools: OpenTelemetry spans, or an ATIF trajectory."""
    found = _find(target, namespace, audit)
    found.needed()
    attempt = found.exported(__version__)
    if form == "otel":
        document = exports.otlp(attempt, found.trail)
    else:
        where = (found.spec.get("application") or {}).get("namespace", "")
        document = exports.atif(attempt, found.trail, exports.task(where))
    try:
        out.write_text(json.dumps(document, ensure_ascii=False) + "\n", "utf-8")
    except OSError as exc:
        raise errors.InvalidInput(f"{out}: cannot be written: {exc}") from exc
    click.echo(f"{out}: {len(found.trail.calls)} calls")


@attempts.command(
    epilog="""Examples:

\b
  reprise attempts record netpol-1a2b/1
  reprise attempts record netpol-1a2b/1 | jq -c 'select(.event == "assistant")'

Exit codes: 0 printed, 1 no such attempt, or nothing of its agent was kept, 2 usage."""
)
@click.argument("target", metavar="RUN/N")
@_NAMESPACE
@click.option(
    "--records",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder of the records; default: that of the cluster that `reprise up` made.",
)
def record(target: str, namespace: str, records: Path | None) -> None:
    """Print what an attempt's agent has printed itself: with kind stirrup every message, a JSON line each."""

    async def ask(kube: Kube) -> data.Found:
        return await data.find(kube, namespace, target, _audit_folder())

    found: data.Found = asyncio.run(_with_cluster(ask))
    path = (records or paths.data_dir() / "records") / f"{found.uid}.log"
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    except FileNotFoundError as exc:
        raise errors.NotFound(
            f"expected the record {path}, found none: it is kept when the attempt is decided, for agents "
            "that run as a Job, on the operator's volume: copy it here, and name its folder with --records"
        ) from exc


attempts.add_command(attempts_prune.prune)


async def _with_cluster(ask: Any) -> Any:
    async with connect() as kube:
        return await ask(kube)


def _audit_folder() -> Path:
    return paths.data_dir() / "audit"


def _find(target: str, namespace: str, audit: Path | None) -> data.Found:
    """The attempt of a cluster, or, when a file of that name is there, a trail without one."""
    if target.endswith(".jsonl") or Path(target).is_file():
        return data.from_file(Path(target))

    async def ask(kube: Kube) -> data.Found:
        return await data.find(kube, namespace, target, audit or _audit_folder())

    found: data.Found = asyncio.run(_with_cluster(ask))
    return found
