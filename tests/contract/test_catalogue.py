"""docs/catalogue.md is made from the results of the last full proof, and covers every mechanism."""

import hashlib
from pathlib import Path

from reprise.adapters import scenario_files
from reprise.domain.proof import Verdict
from reprise.faults import registry
from reprise.proof import catalogue, results

ROOT = Path(__file__).parents[2]
SCENARIOS = scenario_files.load_all(ROOT / "scenarios")
PROOFS = results.load(ROOT / "docs/proof.jsonl")
DOCUMENT = (ROOT / "docs/catalogue.md").read_text()


def test_the_document_is_made_from_the_results() -> None:
    about = (ROOT / "docs/catalogue-about.txt").read_text().strip()
    assert catalogue.markdown(SCENARIOS.values(), PROOFS, about) == DOCUMENT, (
        'run `reprise catalogue --results docs/proof.jsonl --about "$(cat docs/catalogue-about.txt)"`'
    )


def test_results_are_of_scenarios_that_there_are() -> None:
    assert set(PROOFS) <= set(SCENARIOS)


def test_every_mechanism_is_proven_or_said_to_be_unsupported_by_the_product() -> None:
    settled = {
        fault.mechanism
        for name, proof in PROOFS.items()
        if proof.verdict is not Verdict.FAILED
        for fault in SCENARIOS[name].faults
    }
    breaking = {name for name, one in registry.MECHANISMS.items() if not one.harmless}
    assert breaking - settled == set()


def test_nothing_was_ever_left_behind() -> None:
    assert [name for name, proof in PROOFS.items() if proof.drift] == []


def test_results_are_of_the_files_as_they_are() -> None:
    """A changed scenario has lost its proof: prove it again, `make prove` does."""
    stale = []
    for path in (ROOT / "scenarios").rglob("*.yaml"):
        proof = PROOFS.get(path.stem)
        if proof and proof.digest != hashlib.sha256(path.read_bytes()).hexdigest()[:16]:
            stale.append(path.stem)
    assert stale == []
