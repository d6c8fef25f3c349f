"""`reprise scenarios` as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def reprise(*arguments: str, command: str = "scenarios") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from reprise.cli.main import main; main()", command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": "/usr/bin:/bin"},
    )


def test_list_as_json_and_as_table() -> None:
    done = reprise("list", "--json")
    assert done.returncode == 0, done.stderr
    names = [entry["name"] for entry in json.loads(done.stdout)]
    assert names == sorted(path.stem for path in (ROOT / "scenarios/otel-demo").glob("*.yaml"))
    table = reprise("list")
    assert table.returncode == 0
    assert all(name in table.stdout for name in names)


@pytest.mark.parametrize(("command", "words"), [("scenarios", ["list"]), ("prove", [])])
def test_an_unknown_mechanism_is_refused(command: str, words: list[str]) -> None:
    """`prove` says so before it looks for a cluster."""
    done = reprise(*words, "--mechanism", "gremlins", command=command)
    assert done.returncode == 1
    assert "expected some of: admission-policy-rejecting, " in done.stderr
    assert done.stderr.rstrip().endswith("; found gremlins")


def test_show() -> None:
    done = reprise("show", "frontend-unreachable")
    assert done.returncode == 0, done.stderr
    assert "network-policy-ingress-block on Deployment/frontend" in done.stdout
    assert "enforcement of NetworkPolicy" in done.stdout
    details = json.loads(reprise("show", "quiet-day", "--json").stdout)
    assert details["faults"] == details["symptoms"] == []


def test_show_of_an_unknown_name_lists_the_known() -> None:
    done = reprise("show", "nope")
    assert done.returncode == 1
    assert "frontend-unreachable" in done.stderr
    assert "Traceback" not in done.stderr


def test_validate(tmp_path: Path) -> None:
    assert reprise("validate").returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\nfalts: []\ndifficulty: easy\n")
    done = reprise("validate", str(bad))
    assert done.returncode == 1
    assert f"{bad}:2: falts: expected one of:" in done.stderr
    assert f"{bad}:1: title: expected a value, found nothing" in done.stderr
    assert "problems in 1 files" in done.stderr


@pytest.mark.parametrize("arguments", [["validate", "no-such-file.yaml"], ["list", "--nope"], ["show"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert reprise(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["list", "show", "validate"])
def test_help_has_an_example(command: str) -> None:
    done = reprise(command, "--help")
    assert done.returncode == 0
    assert f"reprise scenarios {command}" in done.stdout.split("Example", 1)[1]
