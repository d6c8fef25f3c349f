"""`reprise score`, as people and scripts call it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reprise.cli.score import score
from reprise.domain import errors

TRUTH = """\
rootCauses:
  - entity: otel-demo/NetworkPolicy/frontend-ingress
    equivalents: [otel-demo/Pod/frontend-1]
"""
AGENT_OUTPUT = {
    "entities": [
        {"name": "otel-demo/NetworkPolicy/frontend-ingress", "contributing_factor": True},
        {"name": "otel-demo/Service/frontend", "contributing_factor": True},
        {"name": "otel-demo/Pod/x", "contributing_factor": False},
    ]
}


def call(tmp_path: Path, truth: str, submission: str, *more: str) -> Result:
    (tmp_path / "truth.yaml").write_text(truth)
    (tmp_path / "submission.json").write_text(submission)
    arguments = ["--truth", str(tmp_path / "truth.yaml"), "--submission", str(tmp_path / "submission.json")]
    return CliRunner().invoke(score, [*arguments, *more])


def test_json(tmp_path: Path) -> None:
    done = call(tmp_path, TRUTH, json.dumps(AGENT_OUTPUT), "-o", "json")
    assert done.exit_code == 0
    found = json.loads(done.output)
    assert found["f1"] == pytest.approx(2 / 3)
    assert {key: found[key] for key in found if key not in ("f1", "entityAtK")} == {
        "score": 0.5,
        "precision": 0.5,
        "recall": 1.0,
        "truePositives": ["otel-demo/NetworkPolicy/frontend-ingress"],
        "falsePositives": ["otel-demo/Service/frontend"],
        "missed": [],
    }


def test_text_names_every_entity(tmp_path: Path) -> None:
    done = call(tmp_path, TRUTH, '{"entities": ["otel-demo/Service/frontend"]}')
    assert done.exit_code == 0
    assert "score      0.000" in done.output
    assert "wrong      otel-demo/Service/frontend" in done.output
    assert "missed     otel-demo/NetworkPolicy/frontend-ingress" in done.output


def test_a_truth_in_json_and_a_submission_in_yaml(tmp_path: Path) -> None:
    done = call(tmp_path, '{"rootCauses": []}', "entities: []\n", "-o", "json")
    assert json.loads(done.output)["score"] == 1.0


def test_every_problem_of_both_files_at_once(tmp_path: Path) -> None:
    done = call(tmp_path, "rootCauses: [{entity: nonsense}, 5]", '["frontend", 7]')
    assert isinstance(done.exception, errors.InvalidInput)
    assert len(done.exception.problems) == 4
    assert all(str(tmp_path) in problem for problem in done.exception.problems)


@pytest.mark.parametrize("broken", ["{", "a: [", "\t- x: ["])
def test_what_is_neither_json_nor_yaml(tmp_path: Path, broken: str) -> None:
    done = call(tmp_path, TRUTH, broken)
    assert isinstance(done.exception, errors.InvalidInput)
    assert "expected JSON or YAML" in str(done.exception)


def test_a_kind_of_the_truth_is_known(tmp_path: Path) -> None:
    done = call(tmp_path, "rootCauses: [{entity: shop/Widget/a}]", '["shop/widget/a"]', "-o", "json")
    assert json.loads(done.output)["truePositives"] == ["shop/Widget/a"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(score, ["--truth", str(tmp_path / "no"), "--submission", str(tmp_path / "nor")])
    assert isinstance(done.exception, errors.InvalidInput)
    assert len(done.exception.problems) == 2


def test_stdin(tmp_path: Path) -> None:
    (tmp_path / "truth.yaml").write_text(TRUTH)
    done = CliRunner().invoke(
        score,
        ["--truth", str(tmp_path / "truth.yaml"), "--submission", "-", "-o", "json"],
        input='["otel-demo/Pod/frontend-1"]',
    )
    assert json.loads(done.output)["score"] == 1.0
    both = CliRunner().invoke(score, ["--truth", "-", "--submission", "-"])
    assert both.exit_code == 2
