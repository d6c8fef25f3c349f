"""From many suspicions to the few independent causes."""

from collections.abc import Iterable, Mapping, Sequence

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.rules import environment
from reprise.agents.triage.world import World

# From here on a suspicion is worth naming.
SURE = 0.6
# The mechanism itself was seen: not explained away by another cause.
SEEN = 0.9
# The best guess is named when users are hurt and nothing better was found.
GUESS = 0.35


def resolve(suspected: Iterable[Hypothesis], world: World) -> Sequence[Hypothesis]:
    """The causes to submit, most likely first.

    Every entity once, at its highest confidence. A suspicion about workloads that depend on what a stronger
    one breaks is a symptom. Without any sure cause the best guess is taken, but only while an alert fires.
    """
    best: dict[str, Hypothesis] = {}
    for one in suspected:
        if one.entity not in best or one.confidence > best[one.entity].confidence:
            best[one.entity] = one
    ranked = sorted(best.values(), key=lambda one: (-one.confidence, one.entity))
    dependents = environment.callers(world)
    chosen: list[Hypothesis] = []
    explained: set[str] = set()
    for one in ranked:
        if one.confidence < SURE:
            break
        if one.confidence < SEEN and one.affects and one.affects <= explained:
            continue
        chosen.append(one)
        explained |= _reach(one.affects, dependents)
    if not chosen and ranked and ranked[0].confidence >= GUESS and world.complaining():
        return ranked[:1]
    return chosen


def _reach(names: Iterable[str], dependents: Mapping[str, set[str]]) -> set[str]:
    """The names and everything that depends on them, directly or not."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += dependents.get(name, ())
    return found
