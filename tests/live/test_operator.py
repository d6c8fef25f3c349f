"""Bad input and bad days, on the real cluster with the real operator."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.live import daily
from tests.live.conftest import Kubectl, get_run, wait_finished
from tests.live.waiting import eventually

Start = Callable[..., str]
INCIDENT = "frontend-unreachable"
CONTROL = "quiet-day"
PHASES = ("Baseline", "Injecting", "Manifesting", "Recording", "Attempting", "Recovering")
NOBODY = {"kind": "none"}


def manifest(name: str, **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "reprise.dev/v1alpha1",
            "kind": "BenchmarkRun",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
    )


BAD = {
    "unknown field": ({"scenario": CONTROL, "scenarios": 1}, 'unknown field "spec.scenarios"'),
    "repeats 0": ({"scenario": CONTROL, "repeats": 0}, "spec.repeats"),
    "repeats 101": ({"scenario": CONTROL, "repeats": 101}, "spec.repeats"),
    "no scenario": ({}, "expected scenario, because mode is live"),
    "no such agent": ({"scenario": CONTROL, "agent": {"kind": "human"}}, "spec.agent.kind"),
    "an image for nobody": (
        {"scenario": CONTROL, "agent": {"kind": "none", "image": "x"}},
        "image is only used by kinds that run as a Job",
    ),
    "a snapshot for rules": (
        {"scenario": CONTROL, "agent": {"kind": "triage", "mountSnapshot": True}},
        "mountSnapshot is only used by the kinds stirrup and command",
    ),
    "a snapshot that is not made": (
        {
            "scenario": CONTROL,
            "snapshot": {"enabled": False},
            "agent": {"kind": "command", "image": "i", "command": ["c"], "mountSnapshot": True},
        },
        "agent.mountSnapshot: expected snapshot.enabled",
    ),
    "a system namespace": (
        {"scenario": CONTROL, "application": {"namespace": "kube-system"}}, "an application's own namespace",
    ),
    "a window longer than its timeout": (
        {"scenario": CONTROL, "gates": {"baselineWindowSeconds": 100, "baselineTimeoutSeconds": 50}},
        "baselineWindowSeconds to be at most",
    ),
    "no time at all": ({"scenario": CONTROL, "gates": {"symptomTimeoutSeconds": 0}}, "symptomTimeoutSeconds"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_the_api_server_refuses(kubectl: Kubectl, name: str) -> None:
    spec, expected = BAD[name]
    answer = kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest("bad", **spec), check=False)
    assert expected in answer


def test_the_name_has_a_limit(kubectl: Kubectl) -> None:
    text = manifest("a" * 51, scenario=CONTROL)
    answer = kubectl("create", "--dry-run=server", "-f", "-", stdin=text, check=False)
    assert "at most 50 characters" in answer


def test_every_field_is_explained(kubectl: Kubectl) -> None:
    text = kubectl("explain", "benchmarkruns.spec", "--recursive", "--api-version=reprise.dev/v1alpha1")
    assert "baselineWindowSeconds" in text
    text = kubectl("explain", "agentattempts.spec.verdict", "--api-version=reprise.dev/v1alpha1")
    assert "InfraFailed is our fault, has no score and is made again" in " ".join(text.split())


def test_unknown_scenario_is_invalid_and_names_the_known_ones(kubectl: Kubectl, start_run: Start) -> None:
    status = wait_finished(kubectl, start_run("op-unknown", scenario="no-such-scenario", agent=NOBODY))
    assert (status["phase"], status["reason"]) == ("Invalid", "UnknownScenario")
    assert INCIDENT in status["message"]


def test_in_the_applications_namespace_is_invalid(kubectl: Kubectl) -> None:
    text = manifest("op-inside", scenario=CONTROL, agent=NOBODY).replace('"default"', '"otel-demo"')
    kubectl("apply", "-f", "-", stdin=text)
    try:
        kubectl(
            "wait", "brun/op-inside", "-n", "otel-demo", "--timeout=300s",
            "--for=jsonpath={.status.reason}=NamespaceNotAllowed",
        )  # fmt: skip
    finally:
        kubectl("delete", "brun", "op-inside", "-n", "otel-demo", "--timeout=300s")


def test_the_spec_is_immutable_and_a_verdict_is_set_once(kubectl: Kubectl, start_run: Start) -> None:
    name = start_run("op-immutable", scenario="no-such-scenario", agent=NOBODY)
    answer = kubectl("patch", "brun", name, "--type=merge", '-p={"spec":{"seed":9}}', check=False)
    assert "spec is immutable" in answer
    attempt = {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "AgentAttempt",
        "metadata": {"name": "op-verdict", "namespace": "default"},
        "spec": {
            "run": {"name": "x", "uid": "x"},
            "index": 1,
            "agent": {"kind": "external"},
            "tokenSha256": "0" * 64,
            "application": {"namespace": "otel-demo"},
            "window": {"start": "2026-01-01T00:00:00Z"},
            "budgets": {"wallClockSeconds": 60, "requests": 10},
            "injector": "hidden",
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(attempt))
    try:
        verdict = {"phase": "InfraFailed", "reason": "test", "decidedAt": "2026-01-01T00:00:00Z"}
        patch = {"spec": {"verdict": verdict}}
        kubectl("patch", "batt", "op-verdict", "--type=merge", f"-p={json.dumps(patch)}")
        verdict["reason"] = "another"
        again = kubectl("patch", "batt", "op-verdict", "--type=merge", f"-p={json.dumps(patch)}", check=False)
        assert "the verdict is set once" in again
        token = '-p={"spec":{"tokenSha256":"' + "1" * 64 + '"}}'
        stolen = kubectl("patch", "batt", "op-verdict", "--type=merge", token, check=False)
        assert "immutable but for verdict" in stolen
    finally:
        kubectl("delete", "batt", "op-verdict")


def phases(kubeconfig: str, name: str) -> Iterator[str]:
    """Each phase of a run as it is entered, by a watch; ends with the run."""
    command = ["kubectl", "--kubeconfig", kubeconfig, "get", "brun", name, "-n", "default", "--watch"]
    watch = subprocess.Popen(
        [*command, "--output-watch-events", "-o", "jsonpath={.type} {.object.status.phase}{'\\n'}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    last = ""
    try:
        for line in watch.stdout:
            kind, _, phase = line.strip().partition(" ")
            if kind == "DELETED":
                return
            if phase and phase != last:
                last = phase
                yield phase
                if phase in ("Completed", "Invalid", "Failed"):
                    return
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()


def assert_mended(kubectl: Kubectl, uid: str) -> None:
    """No fault is in place and no lock is held on behalf of this run; another one may have begun."""
    assert kubectl("get", "networkpolicies", "-n", "otel-demo", "-o", "name").strip() == ""
    holders = ("get", "lease", "-n", "reprise-system", "-o", "jsonpath={.items[*].spec.holderIdentity}")
    # The lock goes last, after the run has said that it is over.
    eventually(lambda: uid not in kubectl(*holders).split(), f"no lock held by {uid}", 60)


@pytest.mark.parametrize("wanted", daily.some(PHASES, 3))
def test_deleted_in_a_phase_it_recovers_first(
    kubectl: Kubectl, kubeconfig: str, start_run: Start, wanted: str
) -> None:
    """A phase may be over when the deletion arrives; what must hold, holds in every phase."""
    agent = NOBODY if wanted == "Recovering" else {"kind": "external"}
    name = start_run("op-deleted", scenario=INCIDENT, agent=agent)
    reached = list(until(phases(kubeconfig, name), wanted))
    assert reached[-1] == wanted
    uid = get_run(kubectl, name)["metadata"]["uid"]
    kubectl("delete", "brun", name, "-n", "default", "--timeout=600s", timeout_seconds=610)
    assert_mended(kubectl, uid)
    label = f"reprise.dev/run={uid}"
    left = kubectl("get", "jobs,secrets", "-n", "reprise-agents", "-l", label, "-o", "name").strip()
    assert left == ""


def until(found: Iterator[str], wanted: str) -> Iterator[str]:
    for phase in found:
        yield phase
        if phase == wanted:
            return


def test_operator_killed_in_every_phase_continues(
    kubectl: Kubectl, kubeconfig: str, start_run: Start
) -> None:
    name = start_run("op-killed", scenario=INCIDENT, agent={"kind": "triage"})
    for phase in phases(kubeconfig, name):
        if phase in ("Completed", "Invalid", "Failed"):
            break
        kubectl(
            "delete", "pod", "-n", "reprise-system", "-l", "app.kubernetes.io/name=operator",
            "--force", "--grace-period=0",
        )  # fmt: skip
    run = get_run(kubectl, name)
    status = run["status"]
    assert status["phase"] == "Completed", status
    assert status["drift"]["differences"] == []
    assert status["injection"] == {"planned": 1, "applied": 1, "inverted": 1}
    assert [row["phase"] for row in status["phases"]].count("Injecting") == 1
    assert status["score"]["n"] == 1
    assert_mended(kubectl, run["metadata"]["uid"])


CUT_OFF = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "test-cut-off", "namespace": "reprise-system"},
    "spec": {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "operator"}},
        "policyTypes": ["Egress"],
    },
}
CUT_OFF_SECONDS = 30


def test_api_server_unreachable_for_half_a_minute(
    kubectl: Kubectl, kubeconfig: str, start_run: Start
) -> None:
    """The operator is cut off by a NetworkPolicy while its fault is in place."""
    name = start_run("op-cut-off", scenario=INCIDENT, agent=NOBODY)
    assert list(until(phases(kubeconfig, name), "Manifesting"))[-1] == "Manifesting"
    kubectl("apply", "-f", "-", stdin=json.dumps(CUT_OFF))
    try:
        version = get_run(kubectl, name)["metadata"]["resourceVersion"]
        # The outage is the input of this test: nothing can be waited for while nothing may happen.
        subprocess.run([sys.executable, "-c", f"import time; time.sleep({CUT_OFF_SECONDS})"], check=True)
        assert get_run(kubectl, name)["metadata"]["resourceVersion"] == version
    finally:
        kubectl("delete", "networkpolicy", "test-cut-off", "-n", "reprise-system")
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", status
    assert status["drift"]["differences"] == []


def test_a_second_run_queues_and_says_what_for(kubectl: Kubectl, start_run: Start) -> None:
    first = start_run("op-first", scenario=CONTROL, agent={"kind": "external"})
    kubectl("wait", f"brun/{first}", "--for=condition=Recorded", "--timeout=1000s", timeout_seconds=1010)
    second = start_run("op-second", scenario=CONTROL, agent=NOBODY)
    kubectl("wait", f"brun/{second}", "--for=condition=Queued", "--timeout=300s")
    status = get_run(kubectl, second)["status"]
    assert status["message"] == f"waits for default/{first} (Attempting)"
    kubectl("delete", "brun", first, "--timeout=600s", timeout_seconds=610)
    assert wait_finished(kubectl, second)["phase"] == "Completed"


def test_symptom_never_seen_is_invalid_and_recovered(kubectl: Kubectl, start_run: Start) -> None:
    """Five seconds are too short for any alert."""
    name = start_run("op-unseen", scenario=INCIDENT, agent=NOBODY, gates={"symptomTimeoutSeconds": 5})
    status = wait_finished(kubectl, name)
    assert (status["phase"], status["reason"]) == ("Invalid", "SymptomNotSeen")
    assert status["drift"]["differences"] == []
    assert_mended(kubectl, get_run(kubectl, name)["metadata"]["uid"])
