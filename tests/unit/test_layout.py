"""What the source tree itself promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_operator_is_a_source_root_and_not_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "score --help",
        "scenarios --help",
        "snapshot --help",
        "up --help",
        "replay --help",
        "attempts why --help",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from reprise.cli.main import main; main()", *command.split()],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("module", ["attach", "attempts", "run"])
def test_a_command_that_only_asks_the_cluster_does_not_load_the_operator(module: str) -> None:
    code = f"import sys, reprise.cli.{module}; print({{'kopf', 'reprise.handlers'}} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "operator"
    )
    assert done.stdout.strip() == "set()"


def test_agents_package_imports_nothing_of_the_product() -> None:
    pattern = re.compile(r"^\s*(?:from|import)\s+reprise(?!\.agents)\b", re.MULTILINE)
    guilty = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "operator/reprise/agents").rglob("*.py")
        if pattern.search(path.read_text())
    ]
    assert guilty == []


def test_no_machine_paths_or_registry_hosts_in_tracked_files() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    # In pieces, so that this file holds none of them itself.
    paths = ["/".join(("", "work", "(?:main|shared)")), "/".join(("", "root", ""))]
    hosts = [("proxy", "golang", "org"), ("pypi", "org"), ("registry", "npmjs"), ("repo1?", "maven")]
    forbidden = re.compile("|".join((*paths, *(r"\.".join(host) for host in hosts))))
    guilty = [
        name
        for name in listed
        if (ROOT / name).is_file() and forbidden.search((ROOT / name).read_text(errors="ignore"))
    ]
    assert guilty == []
