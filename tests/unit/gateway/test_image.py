"""The images that agents reach: enough to run, and nothing that knows an answer."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from reprise.domain import kubeconfig

ROOT = Path(__file__).parents[3]
IMAGES = {"gateway": "reprise.cli.gateway", "replay": "reprise.cli.gateway, reprise.replay.serve"}


def inputs(image: str) -> list[str]:
    found: list[str] = yaml.safe_load((ROOT / "images" / image / "image.yaml").read_text())["inputs"]
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_the_copied_files_are_enough_to_start(tmp_path: Path, image: str) -> None:
    for path in inputs(image):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target)
        else:
            shutil.copy(ROOT / path, target)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'operator')!r}); "
        f"import {IMAGES[image]}, reprise; "
        "print(reprise.__file__); print(*sorted(m for m in sys.modules if m.startswith('reprise')))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path)), "must run from the copy, not from the checkout"
    for part in ("truth", "scoring", "scenario", "plan", "faults", "handlers"):
        assert f".{part}" not in done.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_the_pins_are_those_of_the_project(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "images" / image / "requirements.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert pinned
    assert set(pinned) <= set(project)


def test_a_kubeconfig_names_nothing_of_ours() -> None:
    made = kubeconfig.build("https://g:443", "PEM", "secret", "otel-demo")
    assert made["contexts"][0]["context"]["namespace"] == "otel-demo"
    assert made["clusters"][0]["cluster"] == {
        "server": "https://g:443",
        "certificate-authority-data": "UEVN",
    }
    assert made["users"][0]["user"] == {"token": "secret"}
    assert "reprise" not in str(made)
