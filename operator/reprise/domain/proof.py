"""What makes a scenario proven, decided from a finished run and what four agents with known answers got."""

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reprise.domain.entities import EntityId
from reprise.domain.run_status import Phase, RunStatus
from reprise.domain.truth import Truth

# "Name everything visible" must not pay.
MOST_FOR_EVERYTHING = 0.2


class Verdict(enum.StrEnum):
    PROVEN = "proven"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"  # this cluster lacks something; the product says what


class Answer(enum.StrEnum):
    """The answers with which a proof's attempts are made, in their order."""

    REFERENCE = "reference"  # the truth itself
    EMPTY = "empty"  # nothing
    EVERYTHING = "everything"  # whatever can be seen, the truth included
    SYMPTOMS = "symptoms"  # the services where it hurts, none of which is the cause


@dataclass(frozen=True)
class Check:
    """One thing that a proof asks for. `detail` says what was found, in either case."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class Seen:
    """A symptom that showed: seconds after the injection began, and the evidence."""

    symptom: str
    seconds: float
    evidence: str


@dataclass(frozen=True)
class Leak:
    """What a hunt through the agent's door came to. tried: questions asked; read: those answered with 200.

    findings: where something of the answer or of the machinery was to be read. complete: whether all that is
    to be asked was asked in the time that there is.
    """

    tried: int
    read: int
    findings: tuple[str, ...] = ()
    seconds: float = 0.0
    complete: bool = True


@dataclass(frozen=True)
class Yardstick:
    """What the rules-only agent made of the incident. `score` is None when its attempt was not scored.

    entities: what it handed in; requests: to the gateway, the submission among them; seconds: of its process;
    suspected: what it thought of, with rule, confidence and evidence, a line each.
    """

    score: float | None
    entities: tuple[str, ...] = ()
    requests: int = 0
    seconds: float = 0.0
    suspected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """How one scenario fared. Seconds are None for what was not reached.

    to_symptom: from the first change to the last required symptom. to_recover: from the first inverse to
    quiet and no drift. whole: from the run's start to its end, baseline included. leak: None in results from
    before there was a hunt, and where no agent was let in. snapshot: what the folder of what was recorded is
    called in the operator's volume, "" for none. yardstick: None like `leak`, and where the agent did not
    come to an answer; it proves nothing and is no part of the verdict. quiet: whether the application was
    found healthy and quiet, without which a failure says nothing of the scenario.
    """

    scenario: str
    verdict: Verdict
    reason: str
    mechanisms: tuple[str, ...] = ()
    namespace: str = ""
    seed: int = 0
    digest: str = ""
    checks: tuple[Check, ...] = ()
    symptoms: tuple[Seen, ...] = ()
    truth: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    to_symptom_seconds: float | None = None
    to_recover_seconds: float | None = None
    whole_seconds: float | None = None
    finished_at: str = ""
    leak: Leak | None = None
    snapshot: str = ""
    yardstick: Yardstick | None = None
    quiet: bool = True

    @property
    def yardstick_score(self) -> float | None:
        """None also where the rules-only agent did not play, or was not scored."""
        return self.yardstick.score if self.yardstick else None


@dataclass(frozen=True)
class Findings:
    """What was found beside the run itself.

    unreachable: the truth's entities that an agent could not find through its door. visible: how many
    entities the answer "everything" named. scores: what each answer got; None for unscored. leak: the hunt
    through the door, None where there was none. yardstick: what the rules-only agent handed in.
    """

    truth: Truth = field(default_factory=Truth)
    unreachable: tuple[str, ...] = ()
    visible: int = 0
    scores: Mapping[Answer, float | None] = field(default_factory=dict)
    leak: Leak | None = None
    yardstick: Yardstick | None = None


def answers(control: bool) -> tuple[Answer, ...]:
    """With which answers a scenario is proven: nothing is the right answer to a control."""
    return (Answer.REFERENCE, Answer.EVERYTHING) if control else tuple(Answer)


def symptomatic(services: Sequence[str], namespace: str, truth: Truth) -> tuple[EntityId, ...]:
    """The Services of where it hurts, without what counts as naming a cause."""
    right = {e for cause in truth.root_causes for e in (cause.entity, *cause.equivalents)}
    named = (EntityId(namespace, "Service", name) for name in dict.fromkeys(services))
    return tuple(entity for entity in named if entity not in right)


def checks(status: RunStatus, found: Findings, control: bool) -> tuple[Check, ...]:
    """Every check of a run that went all the way to its attempts."""
    drift = status.drift.differences if status.drift else ("not compared",)
    made = [
        Check("symptoms observed", control or bool(status.evidence), f"{len(status.evidence)} symptoms seen"),
        Check(
            "truth reachable",
            not found.unreachable,
            f"not found through the door: {', '.join(found.unreachable)}"
            if found.unreachable
            else f"{len(found.truth.root_causes)} root causes found through the door",
        ),
    ]
    if found.leak is not None:
        made.append(Check("no leak", bool(found.leak.read) and not found.leak.findings, told(found.leak)))
    for answer in answers(control):
        score = found.scores.get(answer)
        text = "unscored" if score is None else f"{score:.3f}"
        if answer is Answer.EVERYTHING:
            text += f" for {found.visible} entities"
        made.append(Check(f"{answer} answer", score is not None and _fits(answer, score), text))
    made.append(
        Check("recovered", status.phase is Phase.COMPLETED, f"{status.phase}: {status.message}"[:300])
    )
    made.append(Check("no drift", not drift, "; ".join(drift[:5])))
    return tuple(made)


def told(leak: Leak) -> str:
    """The hunt in one line."""
    text = f"{leak.tried} questions in {leak.seconds:.1f} s, {leak.read} read, {len(leak.findings)} findings"
    if not leak.complete:
        text += ", broken off at the limit of time"
    return "; ".join([text, *leak.findings[:3]])


def _fits(answer: Answer, score: float) -> bool:
    match answer:
        case Answer.REFERENCE:
            return score == 1.0
        case Answer.EMPTY | Answer.SYMPTOMS:
            return score == 0.0
        case Answer.EVERYTHING:
            return score < MOST_FOR_EVERYTHING


def judge(
    scenario: str, status: RunStatus, found: Findings, *, control: bool, attempted: bool
) -> tuple[Verdict, str, tuple[Check, ...]]:
    """The verdict with its reason in one line and the checks behind it."""
    if status.phase is Phase.INVALID and status.reason == "Unsupported":
        return Verdict.UNSUPPORTED, status.message, ()
    if not attempted:
        return Verdict.FAILED, f"{status.phase} {status.reason}: {status.message}", ()
    made = checks(status, found, control)
    wrong = [f"{check.name}: {check.detail}" for check in made if not check.passed]
    return (Verdict.FAILED, "; ".join(wrong), made) if wrong else (Verdict.PROVEN, "", made)


def seconds(begin: dt.datetime | None, end: dt.datetime | None) -> float | None:
    """The time between two marks of a run, None when one was not reached."""
    return None if begin is None or end is None else round((end - begin).total_seconds(), 1)


def p90(values: Sequence[float]) -> float:
    """The 90th percentile: of n sorted values (n at least 1) that with the index 0.9 n, rounded down."""
    return sorted(values)[min(len(values) - 1, int(0.9 * len(values)))]


def timed(status: RunStatus) -> tuple[float | None, float | None, float | None]:
    """(to the symptom, to recovery, the whole run), in seconds."""
    recovering = next((p.started_at for p in reversed(status.phases) if p.phase is Phase.RECOVERING), None)
    return (
        seconds(status.timeline.injected_at, status.timeline.symptom_at),
        seconds(recovering, status.timeline.recovered_at),
        seconds(status.started_at, status.completed_at),
    )


def seen(status: RunStatus) -> tuple[Seen, ...]:
    """The run's symptoms with the time that each took."""
    begin = status.timeline.injected_at
    return tuple(Seen(e.symptom, seconds(begin, e.seen_at) or 0.0, e.evidence) for e in status.evidence)
