"""The lifecycle gate on a sample of the catalogue that changes daily, and on a scenario of one's own."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.live import daily
from tests.live.conftest import ROOT, Kubectl, state_dir
from tests.live.first import FOLDER, NAMES

from reprise.adapters import scenario_files
from reprise.domain.proof import Verdict
from reprise.faults import registry
from reprise.proof import results

Reprise = Callable[..., subprocess.CompletedProcess[str]]
SCENARIOS = scenario_files.load_all(FOLDER)
# What was proven once must be provable again; what was not is the full proof's business.
PROVEN = [
    SCENARIOS[name]
    for name, proof in sorted(results.load(ROOT / "docs/proof.jsonl").items())
    if proof.verdict is Verdict.PROVEN
]
NARROW = [s.name for s in PROVEN if s.name not in NAMES and not registry.cluster_wide(s)]
SAMPLE = random.Random(daily.TODAY).sample(NARROW, 1)
# Two cores carry one copy of the application; under two a baseline may never become quiet.
COPIES = 2 if daily.ALL or (os.cpu_count() or 1) >= 4 else 1

OWN = """\
name: my-quotes-are-gone
title: Nobody quotes
symptom: No shipping costs are shown.
difficulty: easy
application: otel-demo
faults:
  - mechanism: workload-scaled-to-zero
    target: {kind: Deployment, name: quote}
symptoms:
  - name: nothing stands behind quote
    alert: {name: ServiceWithoutEndpoints, labels: {service_name: quote}}
"""


@pytest.fixture(scope="module")
def proofs(reprise: Reprise, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Today's sample and a scenario of one's own, side by side where the machine carries two copies of the
    application."""
    folder = tmp_path_factory.mktemp("proof")
    own = folder / "my-quotes-are-gone.yaml"
    own.write_text(OWN)
    done = reprise(
        "prove", *SAMPLE, "-f", str(own), "--parallel", str(COPIES), "--results", str(folder / "proof.jsonl"),
        "--snapshots", "-o", "json", timeout_seconds=3000,
    )  # fmt: skip
    print(done.stderr)
    return {one["scenario"]: one for one in json.loads(done.stdout)}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", [*SAMPLE, "my-quotes-are-gone"])
def test_sample_is_proven(scenario: str, proofs: dict[str, dict[str, Any]]) -> None:
    proof = proofs[scenario]
    assert proof["verdict"] in ("proven", "unsupported"), proof["reason"]
    if proof["verdict"] == "proven":
        assert all(check["passed"] for check in proof["checks"])
        assert proof["drift"] == []
        assert 0.0 <= proof["yardstick"]["score"] <= 1.0
        assert proof["yardstick"]["requests"] > 1


def test_what_was_recorded_is_whole(proofs: dict[str, dict[str, Any]], reprise: Reprise) -> None:
    proven = [one for one in proofs.values() if one["verdict"] == "proven"]
    assert proven
    for one in proven:
        assert one["snapshot"], one["scenario"]
        done = reprise("snapshot", "verify", str(state_dir() / "data" / "snapshots" / one["snapshot"]))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(COPIES == 1, reason="fewer than four cores carry no copy; REPRISE_TEST_ALL=1 tries it")
def test_copies_of_the_application_are_removed(proofs: dict[str, Any], kubectl: Kubectl) -> None:
    kubectl("wait", "--for=delete", "ns/otel-demo-2", "--timeout=300s", timeout_seconds=310)
    assert "otel-demo-2" not in kubectl("get", "ns", "-o", "name")


def test_what_cannot_be_proven_is_said_before_anything_is_changed(reprise: Reprise, tmp_path: Path) -> None:
    unknown = reprise("prove", "no-such-scenario")
    assert unknown.returncode == 1
    assert "no-such-scenario" in unknown.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(OWN.replace("my-quotes-are-gone", "wrong").replace("kind: Deployment", "kind: Service"))
    refused = reprise("prove", "-f", str(wrong))
    assert refused.returncode == 1
    assert f"{wrong}:8" in refused.stderr
