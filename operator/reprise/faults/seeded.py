"""Choices that look like a person's and repeat with the seed."""

import random
from collections.abc import Collection, Sequence

from reprise.domain import errors


def chooser(seed: int, mechanism: str, target: str) -> random.Random:
    """Randomness of one fault of one run: another fault of the same run chooses on its own."""
    return random.Random(f"{seed}/{mechanism}/{target}")  # noqa: S311 - repeatable on purpose


def pick(rng: random.Random, candidates: Sequence[str], taken: Collection[str], what: str) -> str:
    """One of the candidates that is not taken. Raises InvalidInput when all are."""
    free = [candidate for candidate in candidates if candidate not in taken]
    if not free:
        raise errors.InvalidInput(
            f"expected a free {what}, found all of these taken: {', '.join(candidates)}"
        )
    return rng.choice(free)
