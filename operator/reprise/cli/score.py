"""`reprise score`: a submission against a truth file, without any cluster."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from reprise.domain import errors, scoring, submission, truth

T = TypeVar("T")


@click.command(
    epilog="""Example:

\b
  reprise score --truth truth.yaml --submission agent_output.json
  reprise score --truth truth.yaml --submission - -o json < agent_output.json

Exit codes: 0 scored (whatever the score), 1 a file cannot be used, 2 usage."""
)
@click.option(
    "--truth",
    "truth_file",
    required=True,
    metavar="FILE",
    help="YAML or JSON: `rootCauses: [{entity: namespace/Kind/name, equivalents: []}]`; `-` is stdin.",
)
@click.option(
    "--submission",
    "submission_file",
    required=True,
    metavar="FILE",
    help='JSON or YAML: `{"entities": [{"name": "namespace/Kind/name"}]}` or an ITBench agent_output.json; '
    "`-` is stdin.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def score(truth_file: str, submission_file: str, output: str) -> None:
    """Score a submission against a truth file.

    The score is 0 when a root cause is missing, else TP / (TP + FP).
    """
    problems: list[str] = []
    if truth_file == submission_file == "-":
        raise click.UsageError("expected at most one of --truth and --submission to be '-' (stdin)")
    answer = _load(truth_file, truth.from_json, problems)
    # A kind that the truth names is no typing mistake, whether or not it is a well known one.
    causes = answer.root_causes if answer else ()
    kinds = {entity.kind for cause in causes for entity in (cause.entity, *cause.equivalents)}
    submitted = _load(submission_file, functools.partial(submission.parse, extra_kinds=kinds), problems)
    if answer is None or submitted is None:
        raise errors.InvalidInput(problems)
    result = scoring.score(answer, submitted.entities)
    click.echo(json.dumps(result.to_json(), indent=2) if output == "json" else render(result))


def _load(name: str, read: Callable[[Any], T], problems: list[str]) -> T | None:
    """Read one file; on failure every problem, with the file's name before it, goes to `problems`."""
    shown = "stdin" if name == "-" else name
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        # JSON first: it is what agents write, and fast; YAML for what people write.
        try:
            data = json.loads(text)
        except ValueError:
            data = yaml.safe_load(text)
        return read(data)
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(f"{shown}: cannot be read: {exc}")
    except (yaml.YAMLError, RecursionError) as exc:
        where = getattr(exc, "problem_mark", None)
        place = f":{where.line + 1}" if where else ""
        problems.append(f"{shown}{place}: expected JSON or YAML, found neither: {_first_line(exc)}")
    except errors.InvalidInput as exc:
        problems += [f"{shown}: {problem}" for problem in exc.problems]
    return None


def _first_line(exc: Exception) -> str:
    return str(getattr(exc, "problem", None) or exc).partition("\n")[0]


def render(result: scoring.Score) -> str:
    """The score for a person: the figures, then every entity on a line of its own."""
    lines = [
        f"score      {result.score:.3f}",
        f"precision  {result.precision:.3f}",
        f"recall     {result.recall:.3f}",
        f"f1         {result.f1:.3f}",
    ]
    lines += [f"entity@{k}   {value:.3f}" for k, value in result.entity_at_k]
    for title, entities in (
        ("found", result.true_positives),
        ("wrong", result.false_positives),
        ("missed", result.missed),
    ):
        lines += [f"{title:<10} {entity}" for entity in entities]
    return "\n".join(lines)
