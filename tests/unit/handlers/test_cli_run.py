"""`reprise run` and `reprise report`: what is sent, what is said."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fakes import snapshot_v2
from tests.unit.handlers.world import UID, World, live, operator

from reprise.cli import report, run, timeline
from reprise.cluster import paths
from reprise.domain import errors


async def finished() -> World:
    world = World()
    world.apply_run()
    await live(world, operator(world))
    return world


async def test_the_report_shows_truth_beside_submission() -> None:
    world = await finished()
    (attempt,) = world.of_kind("AgentAttempt")
    trail = paths.data_dir() / "audit" / f"{attempt['metadata']['uid']}.jsonl"
    trail.parent.mkdir(parents=True)
    time = {"time": "2026-01-01T00:06:00.000Z", "bytes": 1, "duration_seconds": 0.1}
    entries = [
        {"seq": 1, "verb": "list", "resource": "pods", "path": "/api/v1/pods", "status": 200, **time},
        {"seq": 2, "verb": "get", "resource": "secrets", "path": "/api/v1/secrets/a", "status": 403, **time},
        {"seq": 2, "verb": "get", "resource": "secrets", "path": "/api/v1/secrets/a", "status": 403, **time},
    ]
    trail.write_text("".join(json.dumps(item) + "\n" for item in entries) + '{"seq": 3, "ve')
    found = await report.gather(world, world.run_object())
    text = report.to_text(found)
    (policy,) = [cause.entity for cause in found.truth.root_causes if cause.entity.kind == "NetworkPolicy"]
    assert f"+ {policy}" in text
    assert "score 1.00" in text
    assert "looked at (2 requests, 1 refused)" in text
    assert "Drift  none" in text
    assert "Completed" in text
    shown = report.to_json(found)
    assert shown["attempts"][0]["score"] == 1.0
    assert shown["attempts"][0]["missed"] == []
    assert json.dumps(shown)


async def test_a_report_of_a_run_without_anything() -> None:
    world = World()
    world.apply_run()
    text = report.to_text(await report.gather(world, world.run_object()))
    assert "not known" in text
    assert "Drift  not checked" in text


async def test_the_report_knows_the_alerts_of_a_snapshot_as_it_is_recorded() -> None:
    """Beside the alerts lie the rules that they are made by."""
    world = await finished()
    snapshot_v2.make(paths.data_dir() / "snapshots" / UID, faulty=True)
    found = await report.gather(world, world.run_object())
    assert found.alerts == ["HighRequestErrorRate cart"]
    assert (paths.data_dir() / "snapshots" / UID / "alerts" / "rules.json").is_file()


async def test_the_timeline_says_each_phase_once_and_waits_quietly() -> None:
    world = await finished()
    said: list[str] = []
    printer = timeline.Printer(said.append)
    printer.show(world.run_object())
    printer.show(world.run_object())
    assert [line.split()[-1] for line in said if " s  " in line] == [
        item.phase for item in world.run().status.phases
    ]
    # The words change, the reason does not: said once.
    waiting = {"status": {"phase": "Attempting", "reason": "AgentsWork", "message": "1"}}
    for count in range(20):
        waiting["status"]["message"] = str(count)
        printer.show(waiting)
    assert len([line for line in said if "AgentsWork" in line]) == 1


def test_rows_know_how_long_a_phase_took() -> None:
    status = {
        "phases": [
            {"phase": "Pending", "startedAt": "2026-01-01T00:00:00.500Z"},
            {"phase": "Deploying", "startedAt": "2026-01-01T00:00:02Z"},
        ]
    }
    assert timeline.rows(status) == [timeline.Row("Pending", 0, 1.5), timeline.Row("Deploying", 1.5, None)]


FILES = {
    "not YAML": ("{", "expected YAML"),
    "two documents": ("a: 1\n---\nb: 2", "found 2 documents"),
    "another kind": ("apiVersion: v1\nkind: Pod", "found Pod of v1"),
    "a list": ("- a", "expected one BenchmarkRun"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_run(name: str) -> None:
    text, expected = FILES[name]
    with pytest.raises(errors.InvalidInput, match=expected):
        run.from_file(io.StringIO(text))


def test_names_made_up_fit_the_limit() -> None:
    name = run.default_name("x" * 63)
    assert len(name) <= 50
    assert name != run.default_name("x" * 63)


@pytest.mark.parametrize(
    "arguments", [[], ["file.yaml", "--scenario", "x"], ["--scenario", "x", "--repeats", "0"]]
)
def test_usage_errors(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text("")
    placed = [str(tmp_path / item) if item == "file.yaml" else item for item in arguments]
    assert CliRunner().invoke(run.run, placed).exit_code == 2
