"""Is anything of the operator's part in the public one? Reads every file once, and the files' names."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reprise.domain import errors
from reprise.snapshot import manifest as manifests
from reprise.snapshot import private

CHUNK_BYTES = 1 << 20
_WORD = re.compile(rb"[a-z0-9]")


@dataclass(frozen=True)
class Finding:
    """A token in the public part: in which file, at which byte (-1: in the file's name)."""

    file: str
    token: str
    kind: str
    offset: int

    def __str__(self) -> str:
        where = "in its name" if self.offset < 0 else f"at byte {self.offset}"
        return f"{self.file}: {self.token!r} ({self.kind}) {where}"


@dataclass(frozen=True)
class ScanReport:
    """`tokens`: how many were looked for."""

    path: str
    tokens: int
    files: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings


def scan(snapshot: Path) -> ScanReport:
    """Hold a snapshot against the operator's part beside it. Raises NotFound, Corrupt."""
    try:
        made = manifests.from_bytes((snapshot / manifests.FILE_NAME).read_bytes())
    except FileNotFoundError as exc:
        raise errors.NotFound(f"expected a snapshot at {snapshot}, found none; name its folder") from exc
    return compare(snapshot, private.read(private.folder(snapshot), made.id), made.namespace)


def compare(root: Path, document: private.Json, namespace: str) -> ScanReport:
    """At most one finding a file and token. `namespace` is the application's. Memory does not grow with the
    files."""
    tokens = {token.encode(): kind for token, kind in private.tokens(document, namespace).items()}
    words = {word.encode(): "a name of ours" for word in private.words(document)}
    findings: list[Finding] = []
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    for path in paths:
        name = path.relative_to(root).as_posix()
        found = dict(_in_name(name.lower().encode(), tokens, words))
        found |= {token: at for token, at in _in_file(path, tokens, words).items() if token not in found}
        findings += [
            Finding(name, token.decode(), tokens.get(token) or words[token], at)
            for token, at in sorted(found.items())
        ]
    return ScanReport(str(root), len(tokens) + len(words), len(paths), tuple(findings))


def _in_name(
    name: bytes, tokens: Mapping[bytes, str], words: Mapping[bytes, str]
) -> Iterator[tuple[bytes, int]]:
    for token in (*tokens, *words):
        if find(name, token, whole=token in tokens, goes_on=False, ended=True) >= 0:
            yield token, -1


def _in_file(path: Path, tokens: Mapping[bytes, str], words: Mapping[bytes, str]) -> dict[bytes, int]:
    """token → the byte of its first occurrence."""
    found: dict[bytes, int] = {}
    # What lies over the edge of two chunks, with the characters around it.
    overlap = max(map(len, (*tokens, *words))) + 2
    rest, begins = b"", 0
    with path.open("rb") as data:
        while True:
            chunk = data.read(CHUNK_BYTES)
            text = rest + chunk.lower()
            for token in (*tokens, *words):
                if token not in found:
                    at = find(text, token, whole=token in tokens, goes_on=begins > 0, ended=not chunk)
                    if at >= 0:
                        found[token] = begins + at
            if not chunk:
                return found
            rest = text[-overlap:]
            begins += len(text) - len(rest)


def find(text: bytes, token: bytes, *, whole: bool, goes_on: bool = False, ended: bool = True) -> int:
    """Where the token is, -1 for nowhere. whole: not within a longer word.

    goes_on: the text goes on from a chunk, which has judged what its first byte begins. Not ended: more
    follows, so that what reaches the end is judged the next time.
    """
    at = text.find(token)
    while whole and at >= 0:
        end = at + len(token)
        before = goes_on if at == 0 else _WORD.match(text, at - 1)
        after = _WORD.match(text, end) if end < len(text) else not ended
        if not before and not after:
            return at
        at = text.find(token, at + 1)
    return at
