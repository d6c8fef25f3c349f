"""The operator's image has what the operator imports, in the versions that are tested, and no agent."""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "images" / "operator"


def test_pins_are_those_of_the_project() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    project, s3 = declared["dependencies"], declared["optional-dependencies"]["s3"]
    lines = (IMAGE / "requirements.txt").read_text().splitlines()
    pins = {line for line in lines if line and not line.startswith("#")}
    assert pins <= {*project, *s3}
    assert set(s3) <= pins, "replays come from stores, too"
    others = {line.split("==")[0] for line in set(project) - pins}
    assert others == {"rich", "mcp", "msgspec", "uvloop"}, "only the command line and the gateway need these"


def test_everything_imported_is_in_the_image() -> None:
    inputs = yaml.safe_load((IMAGE / "image.yaml").read_text())["inputs"]
    code = (
        "import sys, reprise.cli.main, reprise.cli.operator; "
        "print(*(m.__file__ for name, m in sys.modules.items() if name.startswith('reprise')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "operator"
    )
    imported = {str(Path(name).relative_to(ROOT)) for name in done.stdout.split()}
    missing = [
        name for name in imported if not any(name == item or name.startswith(item + "/") for item in inputs)
    ]
    assert missing == []
    assert not any("agents" in item or "gateway" in item for item in inputs)
