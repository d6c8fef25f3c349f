"""`reprise import itbench`, as people and scripts call it."""

import json
import textwrap
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from reprise.cli import main
from reprise.cli.score import score
from reprise.domain import errors

V1 = """\
apiVersion: itbench.io/v1
kind: GroundTruth
metadata: {name: sample}
spec:
  alerts: []
  aliases:
    - [quote-pod, quote-service]
  groups:
    - id: quote-pod
      kind: Pod
      namespace: otel-demo
      filter: ["quote-.*"]
      root_cause: true
    - id: quote-service
      kind: Service
      namespace: otel-demo
      filter: ['quote\\b']
  recommendedActions: []
"""
V2 = """\
# generated
---
alerts: []
entities:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: flagd-config, namespace: otel-demo}
solutions: []
"""
BROKEN = """\
entities:
- kind: Deploiment
  metadata: {name: ad, namespace: otel-demo}
- kind: Secret
  metadata: {name: mail, namespace: otel-demo}
"""


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main.cli, ["import", "itbench", *map(str, arguments)])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in/1/groundtruth_v1.yaml", V1)
    write(tmp_path / "in/1/groundtruth.yaml", V2)
    write(tmp_path / "in/1/scenario.yaml", "kind: Scenario\n")
    write(tmp_path / "in/2/ground_truth.json", json.dumps(yaml.safe_load(V2)))
    return tmp_path / "in"


def test_a_file_is_shown_and_nothing_is_written(tmp_path: Path) -> None:
    file = write(tmp_path / "x.yaml", V1)
    done = call(file)
    assert done.exit_code == 0, done.output
    assert "root cause otel-demo/Deployment/quote (or otel-demo/Service/quote)" in done.output
    assert "repaired   x.yaml:12: spec.groups[0].filter: a Pod's name is made up" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]


def test_what_is_written_can_be_used_for_scoring(tmp_path: Path, folder: Path) -> None:
    done = call(folder, "--out", tmp_path / "out", "-o", "json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert (result["imported"], result["failed"]) == (3, 0)
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert written == {
        "1/groundtruth.report.json",
        "1/groundtruth.truth.yaml",
        "1/groundtruth_v1.report.json",
        "1/groundtruth_v1.truth.yaml",
        "2/ground_truth.report.json",
        "2/ground_truth.truth.yaml",
    }
    assert {Path(place).name for place in result["written"]} == {Path(name).name for name in written}
    report = json.loads((tmp_path / "out/1/groundtruth_v1.report.json").read_text())
    assert report in result["files"]
    assert report["version"] == "v1"
    submission = write(tmp_path / "answer.json", '["otel-demo/Service/quote"]')
    scored = CliRunner().invoke(
        score,
        ["--truth", str(tmp_path / "out/1/groundtruth_v1.truth.yaml"), "--submission", str(submission)],
    )
    assert "score      1.000" in scored.output


def test_every_problem_of_every_file_with_its_line(tmp_path: Path, folder: Path) -> None:
    write(folder / "3/groundtruth.yaml", BROKEN)
    write(folder / "4/groundtruth.yaml", "a: [\n")
    write(folder / "5/groundtruth.yaml", "")
    write(folder / "6/groundtruth.yaml", "groups: []\ngroups: []\n")
    (folder / "7").mkdir()
    (folder / "7/groundtruth.yaml").write_bytes(b"\xff")
    done = call(folder, "--out", tmp_path / "out")
    assert done.exit_code == 1
    for line in (
        "problem    groundtruth.yaml:2: entities[0]: expected a Kubernetes kind, found 'Deploiment'",
        "problem    groundtruth.yaml:4: entities[1]: expected an object that the application has",
        "problem    groundtruth.yaml:2: expected the node content",
        "problem    groundtruth.yaml:1: expected a ground truth, found an empty file",
        "problem    groundtruth.yaml:2: expected each key once, found 'groups' again (line 1)",
        "problem    groundtruth.yaml:1: expected text in UTF-8",
        "3 of 8 files have a truth, 11 files written",
    ):
        assert line in done.output, done.output
    assert not (tmp_path / "out/3/groundtruth.truth.yaml").exists()
    assert json.loads((tmp_path / "out/3/groundtruth.report.json").read_text())["truth"] is None


def test_an_older_truth_does_not_outlive_the_file_that_it_came_from(tmp_path: Path, folder: Path) -> None:
    file, out = folder / "1/groundtruth.yaml", tmp_path / "out"
    assert call(file, "--out", out).exit_code == 0
    assert (out / "groundtruth.truth.yaml").exists()
    file.write_text(BROKEN)
    assert call(file, "--out", out).exit_code == 1
    assert not (out / "groundtruth.truth.yaml").exists()


def test_results_below_the_folder_are_not_read_again(folder: Path) -> None:
    assert call(folder, "--out", folder).exit_code == 0
    again = call(folder, "--out", folder, "-o", "json")
    assert json.loads(again.output)["imported"] == 3


def test_two_files_for_one_place(folder: Path, tmp_path: Path) -> None:
    write(folder / "1/groundtruth.json", "{}")
    with pytest.raises(errors.InvalidInput, match="expected a name of its own"):
        CliRunner().invoke(
            main.cli,
            ["import", "itbench", str(folder), "--out", str(tmp_path / "out")],
            catch_exceptions=False,
        )
    assert not (tmp_path / "out").exists()


def test_a_folder_without_ground_truths(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match=r"called like groundtruth\.yaml"):
        CliRunner().invoke(main.cli, ["import", "itbench", str(tmp_path)], catch_exceptions=False)


def test_keep_unknown(tmp_path: Path) -> None:
    file = write(tmp_path / "x.yaml", BROKEN.replace("Deploiment", "Deployment"))
    assert call(file).exit_code == 1
    done = call(file, "--keep-unknown")
    assert done.exit_code == 0
    assert "root cause otel-demo/Secret/mail" in done.output


@pytest.mark.parametrize("arguments", [[], ["no-such-file"], [".", "--nope"], [".", "-o", "xml"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_help_has_examples() -> None:
    done = call("--help")
    assert done.exit_code == 0
    assert "reprise import itbench groundtruth_v1.yaml" in done.output
    assert "Exit codes" in done.output
