"""How good the rules-only agent `triage` is on every snapshot that there is, through `reprise replay`.

Takes the snapshots that have the operator's part beside them (`<snapshot>.private/`, for the truth), in
`BENCH_SNAPSHOTS`, else where the operator puts them. Each is replayed once; the agent runs as its image runs
it.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import triage_agent

from bench import serving
from bench.serving import Serving
from bench.table import say
from reprise.domain import scoring, stats, submission, truth
from reprise.snapshot import manifest, private

SEED = 1
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Solved:
    """One snapshot, answered. `requests` as the gateway counted them; `seconds` of the agent's process."""

    scenario: str
    score: float
    requests: int
    seconds: float


def by_scenario(found: Iterable[Solved]) -> dict[str, list[Solved]]:
    """In the order of the names."""
    out: dict[str, list[Solved]] = {}
    for one in sorted(found, key=lambda one: one.scenario):
        out.setdefault(one.scenario, []).append(one)
    return out


def table(found: Sequence[Solved]) -> str:
    """Figures over scenarios, then a row a scenario. A scenario counts once, however often recorded."""
    groups = by_scenario(found)
    means = {name: statistics.fmean(one.score for one in group) for name, group in groups.items()}
    interval = stats.mean_interval(list(means.values()), SEED)
    right = sum(mean == 1.0 for mean in means.values())
    low, high = stats.share_interval(right, len(means))
    mean = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    exactly = f"{right} of {len(means)} [{low:.3f}, {high:.3f}]"
    lines = [
        "### `triage` on recorded incidents, replayed",
        "",
        "| figure | value |",
        "|---|---|",
        f"| scenarios (snapshots) | {len(means)} ({len(found)}) |",
        f"| score, mean over scenarios, 95 % bootstrap interval | {mean} |",
        f"| scenarios solved exactly, 95 % Wilson interval | {exactly} |",
        f"| requests, median | {statistics.median(one.requests for one in found):.0f} |",
        f"| seconds, median | {statistics.median(one.seconds for one in found):.2f} |",
        "",
        "| scenario | n | score | requests | s |",
        "|---|---|---|---|---|",
    ]
    for name, group in groups.items():
        requests = statistics.median(one.requests for one in group)
        seconds = statistics.median(one.seconds for one in group)
        lines.append(f"| `{name}` | {len(group)} | {means[name]:.3f} | {requests:.0f} | {seconds:.2f} |")
    return "\n".join(lines) + "\n"


def solve(snapshot: Path, root: Path) -> Solved:
    """Replay one snapshot and have the agent answer."""
    made = manifest.from_bytes((snapshot / manifest.FILE_NAME).read_bytes())
    document = private.read(private.folder(snapshot), made.id)
    out = root / snapshot.name
    with serving.serving(snapshot, out, root / "cache") as one:
        begun = time.perf_counter()
        _run_agent(one, out)
        seconds = time.perf_counter() - begun
    outcome = one.outcomes[0]
    if outcome["submission"] is None:
        raise RuntimeError(f"expected a submission on {snapshot}, found phase {outcome['phase']}")
    answer = truth.from_json({"rootCauses": document["truth"]})
    kinds = {entity.kind for cause in answer.root_causes for entity in (cause.entity, *cause.equivalents)}
    entities = submission.parse(outcome["submission"], extra_kinds=kinds).entities
    score = scoring.score(answer, entities).score
    return Solved(document["scenario"]["name"], score, outcome["requests"], seconds)


def _run_agent(one: Serving, out: Path) -> None:
    place = one.places[0]
    token = out / "token"
    token.touch(mode=0o600)
    token.write_text(place.token)
    done = triage_agent.run(place.url, token, TIMEOUT_SECONDS, CA_FILE=str(one.ca))
    if done.returncode != 0:
        raise RuntimeError(f"triage ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def main() -> str:
    chosen = [path for path in serving.snapshots() if private.folder(path).is_dir()]
    if not chosen:
        sys.exit("expected snapshots with the operator's part beside them, found none; see BENCH_SNAPSHOTS")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(chosen, 1):
            found.append(solve(path, Path(folder)))
            say(f"{number} of {len(chosen)}: {json.dumps(found[-1].__dict__)}")
    return table(found)
