"""The score: examples from the definition, and properties that any example must have."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import scoring
from reprise.domain.entities import EntityId
from reprise.domain.truth import RootCause, Truth


def ids(*names: str) -> tuple[EntityId, ...]:
    return tuple(EntityId("shop", "Deployment", name) for name in names)


def truth_of(*causes: str) -> Truth:
    """`a`, or `a=b=c` where b and c are equivalents of a."""
    return Truth(
        tuple(
            RootCause(entity, tuple(equivalents))
            for entity, *equivalents in (ids(*cause.split("=")) for cause in causes)
        )
    )


#      name                            truth           submitted        score  prec  recall  tp  fp  missed
TABLE: list[tuple[str, list[str], str, float, float, float, int, int, int]] = [
    ("exactly the cause", ["a"], "a", 1.0, 1.0, 1.0, 1, 0, 0),
    ("one too many", ["a"], "a b", 0.5, 0.5, 1.0, 1, 1, 0),
    ("three too many", ["a"], "b c d a", 0.25, 0.25, 1.0, 1, 3, 0),
    ("wrong", ["a"], "b", 0.0, 0.0, 0.0, 0, 1, 1),
    ("nothing", ["a"], "", 0.0, 0.0, 0.0, 0, 0, 1),
    ("one of two", ["a", "b"], "a", 0.0, 1.0, 0.5, 1, 0, 1),
    ("both of two", ["a", "b"], "b a", 1.0, 1.0, 1.0, 2, 0, 0),
    ("both of two and a symptom", ["a", "b"], "b x a", 2 / 3, 2 / 3, 1.0, 2, 1, 0),
    ("an equivalent", ["a=p"], "p", 1.0, 1.0, 1.0, 1, 0, 0),
    ("two equivalents count once, neither is wrong", ["a=p=q"], "p q a", 1.0, 1.0, 1.0, 1, 0, 0),
    ("a duplicate counts once", ["a"], "a a a", 1.0, 1.0, 1.0, 1, 0, 0),
    ("a duplicate of a wrong one counts once", ["a"], "a b b", 0.5, 0.5, 1.0, 1, 1, 0),
    ("an equivalent that two causes share", ["a=p", "b=p"], "p", 1.0, 1.0, 1.0, 2, 0, 0),
    ("control, nothing said", [], "", 1.0, 1.0, 1.0, 0, 0, 0),
    ("control, something said", [], "a", 0.0, 0.0, 1.0, 0, 1, 0),
]


@pytest.mark.parametrize(
    ("causes", "submitted", "score", "precision", "recall", "tp", "fp", "missed"),
    [pytest.param(*row[1:], id=row[0]) for row in TABLE],
)
def test_table(
    causes: list[str],
    submitted: str,
    score: float,
    precision: float,
    recall: float,
    tp: int,
    fp: int,
    missed: int,
) -> None:
    result = scoring.score(truth_of(*causes), ids(*submitted.split()))
    assert (result.score, result.precision, result.recall) == pytest.approx((score, precision, recall))
    counts = (len(result.true_positives), len(result.false_positives), len(result.missed))
    assert counts == (tp, fp, missed)


def test_capitals_of_a_kind_do_not_matter() -> None:
    result = scoring.score(truth_of("a"), [EntityId("shop", "deployment", "a")])
    assert result.score == 1.0
    assert str(result.true_positives[0]) == "shop/Deployment/a"


def test_namespace_and_name_matter() -> None:
    truth = truth_of("a")
    assert scoring.score(truth, [EntityId("other", "Deployment", "a")]).score == 0.0
    assert scoring.score(truth, [EntityId("shop", "Deployment", "A")]).score == 0.0


def test_entity_at_k_follows_the_agents_order() -> None:
    truth = truth_of("a", "b")
    first = scoring.score(truth, ids("a", "x", "y", "b"))
    assert dict(first.entity_at_k) == {1: 0.5, 3: 0.5, 5: 1.0}
    assert dict(scoring.score(truth, ids("x", "x", "a", "b")).entity_at_k) == {1: 0.0, 3: 1.0, 5: 1.0}


def test_f1_is_the_harmonic_mean() -> None:
    result = scoring.score(truth_of("a", "b"), ids("a", "x"))
    assert result.f1 == pytest.approx(0.5)
    assert result.score == 0.0


names = st.sampled_from("abcdefgh")
submissions = st.lists(names, max_size=10)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Root causes whose names and equivalents do not overlap."""
    pool = draw(st.permutations("abcdefgh"))
    sizes = draw(st.lists(st.integers(1, 3), max_size=3))
    causes, start = [], 0
    for size in sizes:
        chunk = ids(*pool[start : start + size])
        start += size
        if chunk:
            causes.append(RootCause(chunk[0], chunk[1:]))
    return Truth(tuple(causes))


@given(truths(), submissions, st.randoms(use_true_random=False))
def test_order_changes_only_entity_at_k(truth: Truth, names: list[str], random: Random) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)
    one, two = scoring.score(truth, ids(*names)), scoring.score(truth, ids(*shuffled))
    assert (one.score, one.precision, one.recall, one.f1) == (two.score, two.precision, two.recall, two.f1)
    assert one.true_positives == two.true_positives
    assert one.missed == two.missed
    assert set(one.false_positives) == set(two.false_positives)


@given(truths(), submissions)
def test_saying_it_twice_changes_nothing(truth: Truth, names: list[str]) -> None:
    assert scoring.score(truth, ids(*names, *names)) == scoring.score(truth, ids(*names))


@given(truths(), submissions)
def test_an_equivalent_is_as_good_as_the_entity(truth: Truth, names: list[str]) -> None:
    swapped = Truth(
        tuple(
            RootCause((*c.equivalents, c.entity)[0], (*c.equivalents, c.entity)[1:])
            for c in truth.root_causes
        )
    )
    one, two = scoring.score(truth, ids(*names)), scoring.score(swapped, ids(*names))
    assert (one.score, one.f1, one.false_positives) == (two.score, two.f1, two.false_positives)


@given(truths(), submissions)
def test_bounds_and_the_rule_of_full_recall(truth: Truth, names: list[str]) -> None:
    result = scoring.score(truth, ids(*names))
    for value in (
        result.score,
        result.precision,
        result.recall,
        result.f1,
        *dict(result.entity_at_k).values(),
    ):
        assert 0.0 <= value <= 1.0
    assert result.score == (0.0 if result.missed else result.precision)
    assert len(result.true_positives) + len(result.missed) == len(truth.root_causes)


@given(truths(), submissions, names)
def test_a_wrong_entity_more_never_helps(truth: Truth, names: list[str], extra: str) -> None:
    before, after = (
        scoring.score(truth, ids(*names)),
        scoring.score(truth, (*ids(*names), *ids(f"wrong-{extra}"))),
    )
    assert after.score <= before.score
    if before.score > 0:
        assert after.score < before.score


@given(truths())
def test_the_truth_itself_scores_one(truth: Truth) -> None:
    assert scoring.score(truth, [cause.entity for cause in truth.root_causes]).score == 1.0


@given(submissions)
def test_a_control_wants_silence(names: list[str]) -> None:
    assert scoring.score(Truth(()), ids(*names)).score == (0.0 if names else 1.0)
