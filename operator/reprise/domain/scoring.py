"""How good a submission is. Pure and deterministic; no model judges.

The score is ITBench-AA's: 0 when any root cause is missing, else TP / (TP + FP). `docs/scoring.md` has
the examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reprise.domain.entities import EntityId
from reprise.domain.truth import RootCause, Truth

# The cut-offs of entity@k that are reported.
KS = (1, 3, 5)


@dataclass(frozen=True)
class Score:
    """The result of one submission. Shares are between 0 and 1.

    `true_positives` are root causes found, as the truth names them; `false_positives` are submitted
    entities that are no root cause; `missed` are root causes not named. `entity_at_k` maps k to the share
    of root causes among the first k different entities submitted.
    """

    score: float
    precision: float
    recall: float
    f1: float
    true_positives: tuple[EntityId, ...]
    false_positives: tuple[EntityId, ...]
    missed: tuple[EntityId, ...]
    entity_at_k: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form that `reprise score -o json` prints."""
        return {
            "score": self.score,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "truePositives": [str(entity) for entity in self.true_positives],
            "falsePositives": [str(entity) for entity in self.false_positives],
            "missed": [str(entity) for entity in self.missed],
            "entityAtK": {str(k): value for k, value in self.entity_at_k},
        }


def score(truth: Truth, entities: Sequence[EntityId]) -> Score:
    """Compare what was submitted, in the agent's order, with the truth.

    Duplicates count once. Naming a root cause by two of its equivalents finds it once and is no false
    positive. With an empty truth (a control) the empty submission scores 1 and any other 0.
    """
    submitted = list({_key(entity): entity for entity in reversed(entities)}.values())[::-1]
    causes = truth.root_causes
    found = [_found_by(entity, causes) for entity in submitted]
    hit = set().union(*found)
    true_positives = tuple(cause.entity for index, cause in enumerate(causes) if index in hit)
    missed = tuple(cause.entity for index, cause in enumerate(causes) if index not in hit)
    false_positives = tuple(entity for entity, indexes in zip(submitted, found, strict=True) if not indexes)
    named = len(true_positives) + len(false_positives)
    # Nothing named of nothing to name is right; nothing named of something is not.
    precision = len(true_positives) / named if named else float(not causes)
    recall = len(true_positives) / len(causes) if causes else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(
        score=0.0 if missed else precision,
        precision=precision,
        recall=recall,
        f1=f1,
        true_positives=true_positives,
        false_positives=false_positives,
        missed=missed,
        entity_at_k=tuple((k, _at_k(found[:k], len(causes), bool(submitted))) for k in KS),
    )


def _key(entity: EntityId) -> tuple[str, str, str]:
    """Two spellings of a kind's capitals are the same entity."""
    return entity.namespace, entity.kind.lower(), entity.name


def same(entity: EntityId, names: Sequence[EntityId]) -> bool:
    """Whether the entity is one of these, however its kind's capitals are written."""
    return any(_key(entity) == _key(name) for name in names)


def _found_by(entity: EntityId, causes: Sequence[RootCause]) -> frozenset[int]:
    """The root causes that this entity names: as a rule one, and more where they share an equivalent."""
    return frozenset(
        index for index, cause in enumerate(causes) if same(entity, (cause.entity, *cause.equivalents))
    )


def _at_k(found: Sequence[frozenset[int]], causes: int, anything: bool) -> float:
    if not causes:
        return 0.0 if anything else 1.0
    return len(set().union(*found)) / causes
