"""The agent itself: look, suspect, resolve."""

from collections.abc import Sequence

from reprise.agents.journal import Journal
from reprise.agents.protocol import Door, Hypothesis
from reprise.agents.triage import resolve, rules, world


class Triage:
    """Reads once, applies every rule, resolves."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def investigate(self, door: Door) -> Sequence[Hypothesis]:
        """The independent causes that it would submit, most likely first; empty when all looks well."""
        seen = world.look(door, self._journal)
        self._journal.note("world", namespace=seen.namespace, **seen.counts())
        suspected: list[Hypothesis] = []
        for rule in rules.ALL:
            for hypothesis in rule(seen):
                suspected.append(hypothesis)
                self._journal.note(
                    "hypothesis",
                    entity=hypothesis.entity,
                    rule=hypothesis.rule,
                    confidence=round(hypothesis.confidence, 2),
                    evidence=hypothesis.evidence,
                )
        return resolve.resolve(suspected, seen)
