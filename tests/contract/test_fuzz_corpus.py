"""Everything that the fuzzers have found or begun with, once more: needs no fuzzer."""

from pathlib import Path

import pytest
from tests.fuzz.targets import CORPUS, TARGETS

INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
# What an expression costs is seen by this alone: one that hangs is killed.
@pytest.mark.timeout(60)
def test_input(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())
