"""Incidents from a seed: the same for the same seed, the first ones the same for any count."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from reprise.domain import errors
from reprise.domain.scenario import Difficulty, Scenario
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.families import decoys, table
from reprise.faults.families.family import RULE, Family, Point

_LEVELS = tuple(Difficulty)
_MANY_DECOYS = 2
Incident = tuple[tuple[Family, Point], ...]


@dataclass(frozen=True)
class Request:
    """What to generate. faults: how many independent ones an incident has, 1 or 2."""

    seed: int
    count: int
    wanted: table.Wanted = field(default_factory=table.Wanted)
    faults: int = 1
    decoys: bool = True


def scenarios(request: Request) -> tuple[Scenario, ...]:
    """`count` distinct incidents. Raises InvalidInput when there are not so many, and for unknown words."""
    problems = [
        f"{name}: expected {least} or more, found {value}"
        for name, value, least in (("seed", request.seed, 0), ("count", request.count, 1))
        if value < least
    ]
    if request.faults not in (1, 2):
        problems.append(f"faults: expected 1 or 2, found {request.faults}")
    if problems:
        raise errors.InvalidInput(problems)
    families = table.choose(request.wanted)
    incidents = _doubles if request.faults == 2 else _singles
    found = list(islice(incidents(families, request.seed), request.count))
    if len(found) < request.count:
        raise errors.InvalidInput(
            f"count: expected at most {len(found)}, the number of distinct incidents of "
            f"{len(families)} families with {request.faults} faults each, found {request.count}. {RULE}"
        )
    return tuple(_scenario(request, number, incident) for number, incident in enumerate(found, 1))


# -- the order --------------------------------------------------------------------------------------


def _rng(seed: int, *words: object) -> random.Random:
    return random.Random("/".join(map(str, (seed, *words))))  # noqa: S311 - repeatable on purpose


def _singles(families: Sequence[Family], seed: int) -> Iterator[Incident]:
    """Every incident once: family by family in turn, each time on the workload that had the fewest so far."""
    waiting: dict[str, list[Point]] = {}
    for one in families:
        waiting[one.mechanism] = list(one.points)
        _rng(seed, one.mechanism).shuffle(waiting[one.mechanism])
    order = list(families)
    _rng(seed, "families").shuffle(order)
    hurt: Counter[str] = Counter()
    while order:
        for one in order:
            points = waiting[one.mechanism]
            point = min(points, key=lambda candidate: hurt[candidate.hurts])  # the first of equals
            points.remove(point)
            hurt[point.hurts] += 1
            yield ((one, point),)
        order = [one for one in order if waiting[one.mechanism]]


def _doubles(families: Sequence[Family], seed: int) -> Iterator[Incident]:
    """Every pair of independent incidents once."""
    known = set(map(id, (point for _, point in table.combinable(families))))
    first = [incident[0] for incident in _singles(families, seed) if id(incident[0][1]) in known]
    second = list(first)
    _rng(seed, "partners").shuffle(second)
    # Where in `second` each of `first` goes on to look; each begins elsewhere.
    looks = [
        iter([*second[at:], *second[:at]])
        for at in _rng(seed, "offsets").choices(range(len(second)), k=len(first))
    ]
    met: set[frozenset[int]] = set()
    active = set(range(len(first)))
    for index in cycle(range(len(first))):
        if not active:
            return
        if index not in active:
            continue
        for partner in looks[index]:
            pair = frozenset({id(first[index][1]), id(partner[1])})
            if table.independent(first[index], partner) and pair not in met:
                met.add(pair)
                yield (first[index], partner)
                break
        else:
            active.discard(index)


# -- the scenario -----------------------------------------------------------------------------------


def _scenario(request: Request, number: int, incident: Incident) -> Scenario:
    families, points = zip(*incident, strict=True)
    guilty = {name for point in points for name in (point.hurts, point.name)}
    rng = _rng(request.seed, number, "decoys")
    more = decoys.pick(rng, guilty) if request.decoys else ()
    tags = dict.fromkeys(tag for one in families for tag in one.tags)
    tags |= {"compound": None} if len(incident) > 1 else {}
    tags |= {"decoy": None} if more else {}
    return Scenario(
        # Says nothing about the incident. NB: its width may not depend on the count.
        name=f"generated-{request.seed}-{number:03d}",
        title="; ".join(_title(one, point) for one, point in incident),
        symptom=" ".join(dict.fromkeys(point.notice for point in points)),
        difficulty=_difficulty(incident, len(more)),
        tags=(*tags, "generated"),
        application="otel-demo",
        faults=tuple(point.fault(one.mechanism) for one, point in incident),
        symptoms=_symptoms(points),
        decoys=more,
        expected_seconds=max(one.expected_seconds for one in families),
    )


def _title(one: Family, point: Point) -> str:
    return f"{point.hurts}: {one.title}" + (f" ({point.way})" if point.way else "")


def _difficulty(incident: Incident, number_of_decoys: int) -> Difficulty:
    """The harder of the families', one level more for a second fault or several decoys."""
    level = max(_LEVELS.index(one.difficulty) for one, _ in incident)
    harder = len(incident) > 1 or number_of_decoys >= _MANY_DECOYS
    return _LEVELS[min(level + harder, len(_LEVELS) - 1)]


def _symptoms(points: Sequence[Point]) -> tuple[Symptom, ...]:
    """What all of them show, required ones first; what two show is asked for once."""
    found: dict[str, Symptom] = {}
    for symptom in sorted((s for p in points for s in p.symptoms), key=lambda s: not s.required):
        found.setdefault(symptom.name, symptom)
    if len(points) > 1:
        # The other fault may keep users from getting so far.
        return tuple(s if s.required else _optional(s) for s in found.values())
    return tuple(found.values())


def _optional(symptom: Symptom) -> Symptom:
    return replace(symptom, required=False) if isinstance(symptom, AlertSymptom) else symptom
