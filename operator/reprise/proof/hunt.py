"""The hunt for leaks: while the fault is in, can anything of the answer be read through the agent's door?"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors, proof
from reprise.proof.crawl import Answer, Crawl, Question
from reprise.snapshot import private, scan

# Of the attempt's wall clock, and of a cluster on which other proofs run.
SECONDS = 20.0
_MOST_FINDINGS = 20
_AROUND = 60


class Hunter:
    """Hears answers and looks for tokens: `names` as words of their own, `words` anywhere; in any case."""

    def __init__(self, names: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._tokens = [(token.lower().encode(), kind, True) for token, kind in names.items()]
        self._tokens += [(word.lower().encode(), kind, False) for word, kind in words.items()]
        self.tried = 0
        self.read = 0
        self.findings: list[str] = []

    @classmethod
    def of(cls, document: Json, namespace: str) -> "Hunter":
        """For what the operator keeps of a run (the document of `private`); the application's namespace."""
        return cls(
            {**private.tokens(document, namespace), **_answers(document)},
            dict.fromkeys(private.words(document), "a name of ours"),
        )

    def hear(self, question: Question, answer: Answer) -> None:
        """Count the answer, and note each token in it once."""
        self.tried += 1
        self.read += answer.status == 200
        lower = (answer.head.encode() + b"\n" + answer.body).lower()
        for token, kind, whole in self._tokens:
            at = scan.find(lower, token, whole=whole)
            if at >= 0:
                text = lower[max(0, at - _AROUND) : at + len(token) + _AROUND].decode(errors="replace")
                self.findings.append(f"{token.decode()!r} ({kind}) in {question}: …{text}…")


def _answers(document: Json) -> dict[str, str]:
    """The root causes as an agent would hand them in: nobody else writes them like that, but for those
    that are in no namespace, which `kubectl get events` prints as kind/name."""
    return {
        entity: "a root cause"
        for cause in document["truth"]
        for entity in (cause["entity"], *cause.get("equivalents", ()))
        if entity.count("/") > 1
    }


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
