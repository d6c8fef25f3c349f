"""docs/mechanisms.md is what the code says, and the code says something about every parameter."""

from pathlib import Path

import pytest

from reprise.faults import reference, registry

ROOT = Path(__file__).parents[2]


def test_the_document_is_up_to_date() -> None:
    document = (ROOT / "docs/mechanisms.md").read_text()
    assert document == reference.markdown(registry.MECHANISMS.values()), (
        "run `reprise scenarios mechanisms --markdown > docs/mechanisms.md`"
    )


@pytest.mark.parametrize("entry", reference.entries(registry.MECHANISMS.values()), ids=lambda e: e.name)
def test_everything_is_explained(entry: reference.Entry) -> None:
    assert entry.summary.endswith(".")
    assert entry.targets
    unexplained = [parameter.name for parameter in entry.parameters if not parameter.text]
    assert not unexplained, f"write `{unexplained[0]}: what it means` in the parameters' docstring"
