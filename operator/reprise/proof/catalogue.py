"""docs/catalogue.md: every scenario, and what came of it in the last full proof."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from reprise.domain import stats
from reprise.domain.proof import Proof, Verdict, p90
from reprise.domain.scenario import Scenario

_SEED = 1


def markdown(scenarios: Iterable[Scenario], proofs: Mapping[str, Proof], about: str) -> str:
    """The page. `about`: on what the proof ran, in a sentence."""
    wanted = sorted(scenarios, key=lambda one: one.name)
    known = [proofs[one.name] for one in wanted if one.name in proofs]
    lines = [
        "# Catalogue",
        "",
        "Made by `reprise catalogue` from the results of `reprise prove`. " + about,
        "",
        *_figures(wanted, known),
        "",
        "| scenario | title | mechanisms | difficulty | verdict | seen after | symptoms seen | quiet after "
        "| `triage` |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in wanted:
        lines.append(_row(one, proofs.get(one.name)))
    reasons = [p for p in known if p.verdict is not Verdict.PROVEN]
    if reasons:
        lines += ["", "## Not proven here, and why", "", "| scenario | verdict | reason |", "|---|---|---|"]
        lines += [f"| `{p.scenario}` | {p.verdict} | {_cell(p.reason)} |" for p in reasons]
    return "\n".join(lines) + "\n"


def _figures(wanted: Sequence[Scenario], known: Sequence[Proof]) -> list[str]:
    counts = {v: sum(p.verdict is v for p in known) for v in Verdict}
    unproven = len(wanted) - len(known)
    proven = [p for p in known if p.verdict is Verdict.PROVEN]
    drift = sum(len(p.drift) for p in known)
    lines = [
        "| figure | value |",
        "|---|---|",
        f"| scenarios | {len(wanted)}, of which {sum(one.control for one in wanted)} controls |",
        f"| mechanisms used | {len({f.mechanism for one in wanted for f in one.faults})} |",
        *(f"| {verdict} | {count} |" for verdict, count in counts.items()),
        f"| not run | {unproven} |",
        f"| drift differences over all of it | {drift} |",
    ]
    if hunts := [p.leak for p in known if p.leak is not None]:
        asked, found = sum(leak.tried for leak in hunts), sum(len(leak.findings) for leak in hunts)
        lines.append(f"| hunts for leaks | {len(hunts)}, with {asked} questions; findings: {found} |")
    for label, values in (
        (
            "seconds from the first change to the last required symptom",
            [p.to_symptom_seconds for p in proven],
        ),
        ("seconds from the first inverse to quiet without drift", [p.to_recover_seconds for p in proven]),
        ("seconds of a whole run, its baseline included", [p.whole_seconds for p in proven]),
    ):
        if numbers := [value for value in values if value is not None]:
            median, late = statistics.median(numbers), p90(numbers)
            lines.append(f"| {label} | median {median:.0f}, 90th percentile {late:.0f}, n {len(numbers)} |")
    return lines + _yardstick(proven)


def _yardstick(proven: Sequence[Proof]) -> list[str]:
    """How the rules-only agent did on what was proven, while it was live."""
    scores = [p.yardstick_score for p in proven if p.yardstick_score is not None]
    if not scores:
        return []
    played = [p.yardstick for p in proven if p.yardstick and p.yardstick.score is not None]
    mean, right = stats.mean_interval(scores, _SEED), sum(score == 1.0 for score in scores)
    low, high = stats.share_interval(right, len(scores))
    requests = statistics.median(one.requests for one in played)
    seconds = statistics.median(one.seconds for one in played)
    interval = f"{mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}], n {mean.n}"
    return [
        f"| score of `triage`, mean over scenarios, 95 % bootstrap interval | {interval} |",
        f"| scenarios that it solved exactly, 95 % Wilson interval | {right} [{low:.3f}, {high:.3f}] |",
        f"| its requests and seconds, medians | {requests:.0f}, {seconds:.1f} s |",
    ]


def _row(one: Scenario, result: Proof | None) -> str:
    mechanisms = ", ".join(f"`{m}`" for m in dict.fromkeys(f.mechanism for f in one.faults)) or "control"
    start = f"| `{one.name}` | {_cell(one.title)} | {mechanisms} | {one.difficulty.value} | "
    if result is None:
        return start + "not run | | | | |"
    symptom = "" if result.to_symptom_seconds is None else f"{result.to_symptom_seconds:.0f} s"
    quiet = "" if result.to_recover_seconds is None else f"{result.to_recover_seconds:.0f} s"
    seen = "; ".join(f"{_cell(s.symptom)} ({s.seconds:.0f} s)" for s in result.symptoms)
    score = "" if result.yardstick_score is None else f"{result.yardstick_score:.2f}"
    return start + f"{result.verdict} | {symptom} | {seen} | {quiet} | {score} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:400]
