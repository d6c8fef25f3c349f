"""All families, which of them a request is about, and how many incidents they hold."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from reprise.domain import errors
from reprise.faults.families import chaos, cluster, flags, objects, servers, shop, template
from reprise.faults.families.family import Family, Point

FAMILIES: Mapping[str, Family] = {
    one.mechanism: one
    for one in (
        *template.FAMILIES,
        *objects.FAMILIES,
        *flags.FAMILIES,
        *servers.FAMILIES,
        *chaos.FAMILIES,
        *cluster.FAMILIES,
    )
}


@dataclass(frozen=True)
class Wanted:
    """Which families a request is about: those with all of the tags and one of the mechanisms.

    unsupported: also those that need what few clusters have.
    cluster_wide: also those that are felt outside of the application's namespace.
    """

    tags: Collection[str] = field(default_factory=tuple)
    mechanisms: Collection[str] = field(default_factory=tuple)
    unsupported: bool = False
    cluster_wide: bool = False


@dataclass(frozen=True)
class Sizes:
    """How many distinct incidents there are of one fault, and of two independent ones."""

    single: int
    double: int


def choose(wanted: Wanted) -> tuple[Family, ...]:
    """The families of the request, in their order. Raises InvalidInput for words that no family knows."""
    tags = sorted({tag for one in FAMILIES.values() for tag in one.tags})
    problems = [
        f"tag: expected one of: {', '.join(tags)}; found {tag!r}" for tag in wanted.tags if tag not in tags
    ]
    problems += [
        f"mechanism: expected one with a family, one of: {', '.join(sorted(FAMILIES))}; found {name!r}"
        for name in wanted.mechanisms
        if name not in FAMILIES
    ]
    if problems:
        raise errors.InvalidInput(problems)
    return tuple(
        one
        for one in FAMILIES.values()
        if set(wanted.tags) <= set(one.tags)
        and (not wanted.mechanisms or one.mechanism in wanted.mechanisms)
        and (wanted.unsupported or not one.seldom_supported)
        and (wanted.cluster_wide or not one.cluster_wide)
    )


def combinable(families: Sequence[Family]) -> Iterator[tuple[Family, Point]]:
    """The incidents that can be one of two: each shows by itself, whatever else is broken."""
    for one in families:
        if not one.alone:
            yield from ((one, point) for point in one.points if point.shows_by_itself())


def independent(first: tuple[Family, Point], second: tuple[Family, Point]) -> bool:
    """Whether neither of two faults is the other's kind, hits its target or keeps it from starting."""
    (family_a, a), (family_b, b) = first, second
    return (
        family_a.mechanism != family_b.mechanism
        and a.hurts != b.hurts
        and shop.STARTS_AFTER.get(a.hurts) != b.hurts
        and shop.STARTS_AFTER.get(b.hurts) != a.hurts
    )


def sizes(families: Sequence[Family]) -> Sizes:
    """How many incidents the families hold. A test holds every family to the rule of distinctness."""
    pairs = combinations(list(combinable(families)), 2)
    return Sizes(sum(len(one.points) for one in families), sum(independent(a, b) for a, b in pairs))
