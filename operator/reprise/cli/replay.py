"""`reprise replay`: a recorded incident behind the gateway, on this machine."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from reprise.cluster import paths, prometheus
from reprise.cluster.progress import Progress
from reprise.cluster.tools import Tools, which
from reprise.domain import errors, scoring, truth
from reprise.domain.budget import Budget
from reprise.domain.entities import EntityId
from reprise.replay import location, serve, source
from reprise.replay.attempts import Outcome
from reprise.snapshot import archive, private
from reprise.snapshot import verify as verifying

_BEGINS = {"baseline": "baselineAt", "injection": "injectedAt", "symptom": "symptomAt"}
_UNITS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """Seconds, from `90s`, `30m`, `1h30m`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        if not re.fullmatch(r"(\d+[smh])+", text):
            self.fail(f"expected a duration such as 90s, 30m or 1h30m, found {text!r}", param, ctx)
        return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


@click.command(
    epilog="""Examples:

\b
  reprise replay snapshots/6f0c1d2e
  reprise replay snapshots/6f0c1d2e --attempts 3 --wall-clock 30m --requests 200
  reprise replay snapshots/6f0c1d2e --time moving --from symptom --port 0 -o json
  reprise replay incident.tar.zst
  reprise replay s3://incidents/runs/6f0c1d2e

SNAPSHOT is a folder, an archive (NAME.tar.zst), or the URL of either in a store. Archives and URLs are
unpacked once, into the state directory under their digest.

Ctrl-C ends it and prints what each attempt has submitted. Started again with the same --out,
attempts go on with the budgets that are left to them.

Exit codes: 0 served and ended, 1 the snapshot is not whole or cannot be served, 2 usage."""
)
@click.argument("snapshot", metavar="SNAPSHOT")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="0: any.")
@click.option(
    "--time",
    "time_",
    type=click.Choice(["frozen", "moving"]),
    default="frozen",
    show_default=True,
    help="Stands still at the end of the recording, or goes by from --from until then.",
)
@click.option(
    "--from",
    "begins",
    type=click.Choice(list(_BEGINS)),
    default="baseline",
    show_default=True,
    help="Where a moving time begins.",
)
@click.option("--attempts", default=1, show_default=True, type=click.IntRange(1, 1000))
@click.option("--wall-clock", type=Duration(), default="1h", show_default=True, help="Budget an attempt.")
@click.option(
    "--requests", default=1000, show_default=True, type=click.IntRange(1), help="Budget an attempt."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Attempts, kubeconfigs and audit trails; default ./replay-<id of the snapshot>.",
)
@click.option(
    "--prometheus-binary",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    default=None,
    help="Default: the one on PATH, else the one that `reprise up` builds.",
)
@click.option("--no-metrics", is_flag=True, help="Run no Prometheus; questions about metrics get a 503.")
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=archive.LIMIT_BYTES,
    show_default=True,
    help="Refuse an archive or a URL that unpacks to more.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True)
def replay(
    snapshot: str,
    host: str,
    port: int,
    time_: str,
    begins: str,
    attempts: int,
    wall_clock: int,
    requests: int,
    out: Path | None,
    prometheus_binary: Path | None,
    no_metrics: bool,
    max_bytes: int,
    output: str,
    verbose: bool,
) -> None:
    """Serve a recorded incident to agents, without a cluster: the same door as on a live one."""
    progress = Progress(verbose)
    folder = location.folder(snapshot, paths.state_dir() / "fetched", max_bytes)
    report = verifying.verify(folder)
    if not report.ok:
        for problem in report.problems:
            click.echo(problem, err=True)
        # What was fetched was whole then, and would be taken for it again.
        advice = "fetch or record it again" if folder == Path(snapshot) else "remove it to fetch it again"
        raise errors.Corrupt(f"{len(report.problems)} problems in {folder}; {advice}")
    binary, reason = None, "metrics are not served here"
    if not no_metrics:
        binary, reason = find_prometheus(prometheus_binary, progress)
    cache = paths.cache_dir() / "replay"
    settings = serve.Settings(
        out=out or Path(f"replay-{source.read(folder).id}"),
        cache=cache,
        host=host,
        port=port,
        attempts=attempts,
        limits=Budget(wall_clock, requests),
        begins_at=_BEGINS[begins] if time_ == "moving" else None,
        prometheus=binary,
        no_metrics=reason,
    )
    outcomes = asyncio.run(_serve(folder, settings, output))
    scores = scored(outcomes, folder)
    click.echo(ended_json(outcomes, scores) if output == "json" else ended(outcomes, scores))
    sys.exit(0)


async def _serve(folder: Path, settings: serve.Settings, output: str) -> Sequence[Outcome]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def tell(ready: serve.Ready) -> None:
        click.echo(ready_json(ready) if output == "json" else instructions(ready))

    return await serve.run(folder, settings, stop, tell)


def find_prometheus(given: Path | None, progress: Progress) -> tuple[Path | None, str]:
    """The program, or None with the reason as an agent may be told it."""
    found = given or which("prometheus")
    if found is not None:
        return found, ""
    tools = Tools(paths.logs_dir(), echo=progress.tool_line if progress.verbose else None)
    try:
        return prometheus.ensure(tools, progress), ""
    except errors.RepriseError as exc:
        progress.say(f"metrics will not be answered: {exc}")
        return None, "metrics are not served here: no Prometheus program was found, and none could be built"


def instructions(ready: serve.Ready) -> str:
    """What to do now, for a person."""
    first = ready.keys[0]
    kubeconfigs = "\n".join(f"  {key.attempt:<12}{key.kubeconfig}" for key in ready.keys)
    metrics = f"\n  {ready.no_metrics}" if ready.no_metrics else ""
    return f"""\
serves {ready.url} as of {ready.now.isoformat(timespec="seconds")}, namespace {ready.namespace}{metrics}
{kubeconfigs}

  export KUBECONFIG={first.kubeconfig.resolve()}
  kubectl get pods,events                      # the clock of the attempt starts now
  kubectl get --raw /instructions              # task, endpoints, how to answer

  curl --cacert {ready.ca.resolve()} -H "Authorization: Bearer {first.token}" \\
    '{ready.url}/prometheus/api/v1/query?query=up'
  curl --cacert {ready.ca.resolve()} -H "Authorization: Bearer {first.token}" {ready.url}/alerts

Answer once:
  echo '{{"entities": [{{"name": "{ready.namespace}/Kind/name"}}]}}' | kubectl create --raw /submit -f -

Ctrl-C ends it."""


def ready_json(ready: serve.Ready) -> str:
    """The same for programs, on one line, so that it can be read while the command runs."""
    return json.dumps(
        {
            "url": ready.url,
            "certificateAuthority": str(ready.ca.resolve()),
            "namespace": ready.namespace,
            "now": ready.now.isoformat(),
            "metrics": ready.no_metrics or "served",
            "attempts": [
                {"name": key.attempt, "kubeconfig": str(key.kubeconfig.resolve()), "token": key.token}
                for key in ready.keys
            ],
        }
    )


def scored(outcomes: Sequence[Outcome], folder: Path) -> dict[str, float]:
    """The score of each submission, by the attempt's name. Nothing where the operator's part is not beside
    the snapshot: it need not be on this machine."""
    try:
        kept = private.read(private.folder(folder), source.read(folder).id)
    except errors.NotFound:
        return {}
    known = truth.from_json({"rootCauses": kept["truth"]})
    return {
        one.name: scoring.score(known, [EntityId.parse(text) for text in one.entities]).score
        for one in outcomes
        if one.entities is not None
    }


def ended(outcomes: Sequence[Outcome], scores: Mapping[str, float]) -> str:
    lines = []
    for one in outcomes:
        answer = "no submission" if one.entities is None else ", ".join(one.entities) or "nothing is wrong"
        score = f"  score {scores[one.name]:.2f}" if one.name in scores else ""
        lines.append(f"{one.name:<12}{one.phase:<16}{one.requests:>6} requests  {answer}{score}")
    return "\n".join(lines)


def ended_json(outcomes: Sequence[Outcome], scores: Mapping[str, float]) -> str:
    return json.dumps(
        {
            "attempts": [
                {
                    "name": one.name,
                    "phase": str(one.phase),
                    "requests": one.requests,
                    "submission": None if one.entities is None else {"entities": list(one.entities)},
                    "score": scores.get(one.name),
                }
                for one in outcomes
            ]
        }
    )
