"""The errors of the product, one tree.

    RepriseError                  message says: expected, found, what to do
    ├── InvalidInput              somebody wrote something wrong; carries every problem found
    ├── Unsupported               this cluster or machine cannot host it, and why
    ├── NotFound                  an object that must exist does not
    ├── Conflict                  somebody else changed or holds it
    ├── Refused                   the other side understood and said no (403, admission)
    ├── Unreachable               the other side did not answer (retryable)
    ├── ToolFailed                a program that we ran failed
    └── Corrupt                   data that we wrote is not what we wrote

Adapters translate their system's errors into these and raise nothing else.
"""

from collections.abc import Sequence


class RepriseError(Exception):
    """Base. `retryable` tells whether the same call may succeed later with nothing changed by a person."""

    retryable = False


class InvalidInput(RepriseError):
    """Input that cannot be used. `problems` holds every mistake found, each with its place."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems))


class Unsupported(RepriseError):
    """What was asked for is sound, but cannot be hosted here."""


class NotFound(RepriseError):
    """An object that must exist does not."""


class Conflict(RepriseError):
    """Somebody else changed, made or holds the object."""

    retryable = True


class Refused(RepriseError):
    """The other side understood the request and refused it."""


class Unreachable(RepriseError):
    """The other side did not answer, or answered that it cannot now."""

    retryable = True


class ToolFailed(RepriseError):
    """A program that was run ended with an error. The message ends with where its log lies."""


class Corrupt(RepriseError):
    """Stored data does not match its digest or its schema."""
