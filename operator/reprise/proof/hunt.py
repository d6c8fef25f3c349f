"""The hunt for leaks: while the fault is in, can anything of the answer be read through the agent's door?"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors, proof
from reprise.proof.crawl import Answer, Crawl, Question
from reprise.snapshot import private, scan

# Of the attempt's wall clock, and of a cluster on which other proofs run.
SECONDS = 20.0
_MOST_FINDINGS = 20
_AROUND = 60


@dataclass(frozen=True)
class Token:
    """What must not be read. whole: as a word of its own; exact: written just so, else in any case."""

    text: str
    kind: str
    whole: bool = True
    exact: bool = False

    def find(self, said: bytes, lower: bytes) -> int:
        """Where it is in what was said, -1 for nowhere. lower: the same in lower case."""
        if self.exact:
            return scan.find(said, self.text.encode(), whole=self.whole)
        return scan.find(lower, self.text.lower().encode(), whole=self.whole)


class Hunter:
    """Hears answers and looks for tokens."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = tuple(dict.fromkeys(tokens))
        self.tried = 0
        self.read = 0
        self.findings: list[str] = []

    @classmethod
    def of(cls, document: Json, namespace: str) -> "Hunter":
        """For what the operator keeps of a run (the document of `private`); the application's namespace."""
        names = private.tokens(document, namespace)
        return cls(
            [
                *(Token(name, kind) for name, kind in names.items()),
                *_answers(document),
                *(Token(word, "a name of ours", whole=False) for word in private.words(document)),
            ]
        )

    def hear(self, question: Question, answer: Answer) -> None:
        """Count the answer, and note each token in it once."""
        self.tried += 1
        self.read += answer.status == 200
        said = answer.head.encode() + b"\n" + answer.body
        lower = said.lower()
        for token in self._tokens:
            at = token.find(said, lower)
            if at >= 0:
                around = lower[max(0, at - _AROUND) : at + len(token.text) + _AROUND].decode(errors="replace")
                self.findings.append(f"{token.text.lower()!r} ({token.kind}) in {question}: …{around}…")


def _answers(document: Json) -> Iterator[Token]:
    """The root causes as an agent would hand them in: nobody else writes them like that. One that is in no
    namespace is told by its capital alone: `kubectl get events` prints node/NAME."""
    for cause in document["truth"]:
        for entity in (cause["entity"], *cause.get("equivalents", ())):
            if "/" in entity:
                yield Token(entity, "a root cause", exact=entity.count("/") == 1)


async def hunt(door: Kube, document: Json, namespace: str, seconds: float = SECONDS) -> proof.Leak:
    """Read all that differs from one incident to the next, for at most so long. Raises nothing of ours."""
    hunter = Hunter.of(document, namespace)
    begun = time.monotonic()
    complete = True
    try:
        async with asyncio.timeout(seconds):
            await Crawl(lambda question: _ask(door, question), hunter.hear).everything_of_an_incident()
    except TimeoutError:
        complete = False
    took = round(time.monotonic() - begun, 1)
    return proof.Leak(hunter.tried, hunter.read, tuple(hunter.findings[:_MOST_FINDINGS]), took, complete)


async def _ask(door: Kube, question: Question) -> Answer:
    options: dict[str, Any] = {"query": list(question.query), "accept": question.accept}
    try:
        answer = await door.raw(question.method, question.path, **options)
    except errors.Unreachable:
        return Answer(0, b"")
    return Answer(answer.status, answer.body)
